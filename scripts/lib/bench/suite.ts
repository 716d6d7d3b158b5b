import type { Kind } from './kinds.js';
import type { Peers } from './peers.js';
import type { BenchServer } from './server.js';

/** One figure that was measured once. */
export interface Sample {
  metric: string;
  unit: string;
  /** Whether a larger or a smaller one is better; null for a circumstance, which is not compared. */
  better: 'more' | 'less' | null;
  value: number;
}

export interface Settings {
  /** Measurements of each kind. */
  pairs: number;
  /** Of one measurement. */
  seconds: number;
  quick: boolean;
}

/** What a suite measures with. */
export interface Bench {
  readonly settings: Settings;
  readonly peers: Peers;
  /** Starts the server of a kind, hands it over, and stops it. */
  withServer<T>(
    kind: Kind,
    use: (server: BenchServer) => Promise<T>,
    options?: ServerOptions,
  ): Promise<T>;
  /** For a person who waits. */
  say(text: string): void;
}

export interface ServerOptions {
  /** Of the device, or the loopback; the usual one unless given. */
  mtu?: number;
  /** False for a loopback that cuts what it carries into segments. Default true. */
  loopbackOffload?: boolean;
  /** Open files that the server wants to have. */
  files?: number;
}

export interface Suite {
  name: string;
  /** One letter for `--only`. */
  letter: string;
  title: string;
  /** Kinds that it makes no sense for are left out. */
  kinds: (kinds: readonly Kind[]) => readonly Kind[];
  /** How often it is run when others run `pairs` times. */
  pairs?: (settings: Settings) => number;
  /** Measures one kind once. */
  run(kind: Kind, bench: Bench): Promise<Sample[]>;
}

export function more(metric: string, unit: string, value: number): Sample {
  return { metric, unit, better: 'more', value };
}

export function less(metric: string, unit: string, value: number): Sample {
  return { metric, unit, better: 'less', value };
}

export function circumstance(metric: string, unit: string, value: number): Sample {
  return { metric, unit, better: null, value };
}

/** Seconds. */
const WARM_UP = 1;

/**
 * Goes through what is to be measured, for a second each, without counting it: V8 compiles meanwhile. More than once,
 * since what was compiled before a connection had ever ended is thrown away when the first one does.
 */
export async function warmUp(
  { quick }: Settings,
  times: number,
  goThrough: (seconds: number) => Promise<unknown>,
): Promise<void> {
  for (let i = 0; i < (quick ? 1 : times); i++) await goThrough(WARM_UP);
}

/** The kinds that are compared by default; the others are only about bulk transfer. */
export function mainKinds(kinds: readonly Kind[]): readonly Kind[] {
  return kinds.filter((kind) => kind === 'ours' || kind === 'plain' || kind === 'node');
}
