/** Who runs a script: our host on virtual time, or the kernel on real time. */
export type System = 'ours' | 'linux';

export interface Place {
  file: string;
  /** From 1 on. */
  line: number;
  /** Where a preamble was asked for. */
  from?: Place;
}

/** What a number may be, both ends included; null: anything. */
export type Pattern = { readonly from: number; readonly to: number } | null;

/**
 * When something happens, in ms: since the script began (`at`), since the statement before (`after`),
 * or whenever (`any`).
 */
export interface When {
  readonly kind: 'at' | 'after' | 'any';
  readonly from: number;
  readonly to: number;
}

export type Option =
  | { readonly kind: 'mss' | 'wscale'; readonly value: Pattern }
  | { readonly kind: 'sackOK' | 'nop' | 'eol' }
  | { readonly kind: 'ts'; readonly val: Pattern; readonly ecr: Pattern | 'last' }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [number, number])[] }
  | { readonly kind: 'raw'; readonly bytes: readonly number[] };

/** A segment that is sent or expected; numbers are relative to the initial ones. */
export interface SegmentLine {
  /** Which connection of the script, from 1 on. */
  readonly flow: number;
  /** tcpdump's letters, in tcpdump's order. */
  readonly flags: string;
  /** ECN field of the IP header, 0 to 3; null: anything, sent as 0. */
  readonly ecn: number | null;
  readonly seq: Pattern;
  readonly length: Pattern;
  /** Undefined: the line says nothing of it. */
  readonly ack?: Pattern;
  readonly win?: Pattern;
  readonly urg?: Pattern;
  /** Null: any. */
  readonly options: readonly Option[] | null;
}

/** An ICMP error about a segment of the host with this sequence number and length. */
export interface IcmpLine {
  readonly flow: number;
  readonly type: number;
  readonly code: number;
  /** Of the next hop, in bytes. */
  readonly mtu: number;
  readonly seq: number;
  readonly length: number;
}

/** What a call is to return: a number, -1 with an error, or a name. */
export interface Wanted {
  readonly value: Pattern;
  /** `EAGAIN`, or a state; null: none. */
  readonly name: string | null;
}

export interface CallLine {
  readonly name: string;
  readonly args: readonly string[];
  readonly wanted: Wanted;
}

export type Act =
  | { readonly kind: 'inject'; readonly segment: SegmentLine }
  | { readonly kind: 'icmp'; readonly icmp: IcmpLine }
  /** `optional`: the host may send it or not. */
  | { readonly kind: 'expect'; readonly segment: SegmentLine; readonly optional: boolean }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'call'; readonly call: CallLine };

export interface Statement {
  readonly place: Place;
  /** As it stands in the script. */
  readonly text: string;
  readonly when: When;
  /** The only system that it is for, and why the other differs. */
  readonly only: System | null;
  readonly reason: string | null;
  readonly act: Act;
}

/** How Linux stands to a script as a whole, by its header. */
export interface Verdict {
  readonly kind: 'differs' | 'too slow';
  readonly reason: string;
}

export interface Script {
  readonly file: string;
  /** The comment in the file's first line (or the file's name), and the case's name. */
  readonly title: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Null: Linux does the same, but for lines that say otherwise. */
  readonly linux: Verdict | null;
  readonly statements: readonly Statement[];
  /**
   * Index of the first statement that is not there to lead up to the event: the one behind `---`, or else
   * the case's first.
   */
  readonly event: number;
}

/** A mistake in a script. */
export class ScriptError extends Error {
  constructor(
    readonly place: Place,
    message: string,
  ) {
    super(`${formatPlace(place)}: ${message}`);
  }
}

/** `FILE:LINE`, and for a line of a preamble where that was asked for. */
export function formatPlace({ file, line, from }: Place): string {
  const origin = from === undefined ? '' : ` (for ${formatPlace(from)})`;
  return `${file}:${line}${origin}`;
}

/** The statements that a system is given. */
export function statementsFor(script: Script, system: System): readonly Statement[] {
  return script.statements.filter(({ only }) => only === null || only === system);
}

/** Whether some lines are meant for one system alone, because the two differ on purpose. */
export function hasAlternatives(script: Script): boolean {
  return script.statements.some(({ only }) => only !== null);
}
