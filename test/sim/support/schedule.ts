import fc from 'fast-check';
import type { PathFaults } from '../../../src/link/faults-options.js';
import type { FaultRule } from '../../../src/link/faults-rules.js';

export type Side = 'a' | 'b';

/** A part of `PathFaults`, that survives JSON. */
export interface PathState extends Omit<PathFaults, 'queue'> {
  queue?: { packets?: number; codel?: boolean };
}

export interface Change {
  /** ms */
  at: number;
  direction: 'up' | 'down' | 'both';
  faults: PathState;
}

export interface Action {
  /** ms */
  at: number;
  side: Side;
  what: 'write' | 'pause' | 'resume' | 'end' | 'close' | 'abort';
  /** Bytes to write. */
  size: number;
}

export interface TcpChoices {
  sack?: boolean;
  timestamps?: boolean;
  windowScale?: boolean;
  noDelay?: boolean;
  receiveBuffer?: number;
  sendBuffer?: number;
  mss?: number;
  /** Not drawn; fewer than 9 are against RFC 9293 §3.8.3. */
  retransmitR2?: number;
}

/** Two hosts, a path between them, and what happens to it and by its users. A opens, B listens. */
export interface Schedule {
  /** Of the network's chances. */
  seed: number;
  mtu: number;
  offload: boolean;
  up: PathState;
  down: PathState;
  changes: Change[];
  rules: FaultRule[];
  /** When the path loses, alters, doubles and reorders no more, after all changes; null: never. ms. */
  healsAt: number | null;
  tcpA: TcpChoices;
  tcpB: TcpChoices;
  actions: Action[];
  /** When each side reads on and ends, if it has not by then. ms. */
  endA: number;
  endB: number;
}

/** A record of which each part may be missing. */
function some<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const path = some<Required<Omit<PathState, 'dead'>>>({
  delay: fc.constantFrom(0, 1, 10, 50, 200),
  jitter: fc.constantFrom(0, 1, 5, 50),
  keepOrder: fc.boolean(),
  rate: fc.constantFrom(1e12, 1e8, 1e7, 1e6, 2e5),
  queue: some({ packets: fc.constantFrom(1000, 50, 10, 3), codel: fc.boolean() }),
  loss: fc.constantFrom(0, 0, 0.01, 0.05, 0.2),
  burstLoss: fc.constantFrom(
    null,
    { toBad: 0.01, toGood: 0.25 },
    { toBad: 0.05, toGood: 0.1, lossBad: 0.7 },
  ),
  reorder: fc.constantFrom(null, { probability: 0.02, delay: 30 }, { probability: 0.3, delay: 3 }),
  duplicate: fc.constantFrom(0, 0, 0.02, 0.3),
  corrupt: fc.constantFrom(0, 0, 0.02, 0.1),
  mtu: fc.constantFrom(65_535, 65_535, 1400, 576, 296),
  icmp: fc.boolean(),
});

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(20_000),
  direction: fc.constantFrom('up', 'down', 'both'),
  faults: fc.oneof(
    path,
    fc.constantFrom<PathState>({ dead: true }, { dead: true }, { dead: false }),
  ),
}) as fc.Arbitrary<Change>;

const rule: fc.Arbitrary<FaultRule> = fc
  .record({
    direction: fc.constantFrom<'up' | 'down'>('up', 'down'),
    kind: fc.constantFrom<Partial<FaultRule>>(
      { data: true },
      { data: false },
      { flags: 'S' },
      { flags: 'S.' },
      { flags: 'F.' },
      { flags: 'R.' },
      {},
    ),
    nth: fc.integer({ min: 1, max: 20 }),
    count: fc.integer({ min: 1, max: 6 }),
    action: fc.constantFrom<FaultRule['action']>(
      'drop',
      'drop',
      'corrupt',
      'duplicate',
      { delay: 40 },
      { delay: 3000 },
    ),
  })
  .map(({ kind, ...rest }) => ({ ...kind, ...rest }));

const tcp = some<Required<Omit<TcpChoices, 'retransmitR2'>>>({
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  windowScale: fc.boolean(),
  noDelay: fc.boolean(),
  receiveBuffer: fc.constantFrom(2_000_000, 100_000, 20_000, 4_000),
  sendBuffer: fc.constantFrom(2_000_000, 100_000, 20_000, 4_000),
  mss: fc.constantFrom(0, 536, 88),
});

const action: fc.Arbitrary<Action> = fc.record({
  at: fc.nat(8_000),
  side: fc.constantFrom<Side>('a', 'b'),
  what: fc.oneof(
    { weight: 12, arbitrary: fc.constant('write') },
    { weight: 4, arbitrary: fc.constantFrom('pause', 'resume', 'resume') },
    { weight: 1, arbitrary: fc.constantFrom('end', 'close', 'abort') },
  ),
  size: fc.oneof(fc.nat(10), fc.nat(3_000), fc.nat(60_000), fc.nat(300_000), fc.nat(300_000)),
}) as fc.Arbitrary<Action>;

/** Any schedule; shrinks to fewer faults, fewer actions and smaller sizes. */
export const anySchedule: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.nat(),
  mtu: fc.constantFrom(1500, 1500, 9000, 576),
  offload: fc.boolean(),
  up: path,
  down: path,
  changes: fc.array(change, { maxLength: 6 }),
  rules: fc.array(rule, { maxLength: 4 }),
  healsAt: fc.option(fc.integer({ min: 20_000, max: 400_000 }), { freq: 4 }),
  tcpA: tcp,
  tcpB: tcp,
  actions: fc.array(action, { maxLength: 16 }),
  endA: fc.nat(20_000),
  endB: fc.nat(20_000),
});

/** How fast-check is asked for the schedule of a seed; unbiased, or most would be tiny. */
export const ONCE = { numRuns: 1, unbiased: true } as const;

/** The schedule of a seed of `scripts/simulate`, always the same. */
export function scheduleOf(seed: number): Schedule {
  return fc.sample(anySchedule, { seed, ...ONCE })[0]!;
}
