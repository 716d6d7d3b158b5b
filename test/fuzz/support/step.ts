import type { TcpConfig } from '../../../src/tcp/config.js';

/** The world of a case. */
export interface Setup {
  /** Of the host's runtime. */
  seed: number;
  mtu: number;
  offload: boolean;
  tcp: Partial<TcpConfig>;
}

/**
 * Where a number of the peer's is counted from: `i` its ISS, `n` its next new number, `r` what the
 * host acknowledged last, `e` the right edge of the host's window, `0` nothing.
 */
export type SeqBase = 'i' | 'n' | 'r' | 'e' | '0';
/** `i` the host's ISS, `m` the end of what the host has sent, `u` what the peer acknowledged last. */
export type AckBase = 'i' | 'm' | 'u' | '0';

/**
 * An option: `mss N`, `ws N`, `sok`, `ts VAL ECR` (relative to the peer's clock and the host's latest),
 * `sack L R ...` (relative to `u`), `raw BYTE ...`.
 */
export type Option = readonly [name: string, ...values: number[]];

/**
 * What is done to a finished packet: `byte AT VALUE`, `cut N`, `pad N`, `total DELTA`, `doff WORDS`,
 * `badsum`, `badip`, `frag SIZE ORDER`, `ipopt BYTE ...`, `twice`, `vouch`, `gso SIZE`, `alter` (the
 * text has another content), `ttl N`, `proto N`, `src ADDRESS`, `dst ADDRESS`, `sport N`, `dport N`.
 */
export type Change = readonly [name: string, ...values: number[]];

interface Sent {
  changes: Change[];
  /** Arrives in one batch with the packet of the next step. */
  join: boolean;
}

export interface TcpStep extends Sent {
  op: 'tcp';
  slot: number;
  flags: number;
  seqBase: SeqBase;
  seq: number;
  ackBase: AckBase;
  ack: number;
  /** Octets of text. */
  len: number;
  win: number;
  urg: number;
  tos: number;
  options: Option[];
}

/** An ICMP message that quotes `quote` bytes of a packet with the number `seq` beyond `u`. */
export interface IcmpStep extends Sent {
  op: 'icmp';
  slot: number;
  type: number;
  code: number;
  rest: number;
  seq: number;
  quote: number;
  /** Total length that the quoted header says. */
  total: number;
}

/** Bytes as they are. */
export interface RawStep extends Sent {
  op: 'raw';
  bytes: Uint8Array;
}

/** An earlier packet again: the one `back` before the latest. */
export interface AgainStep extends Sent {
  op: 'again';
  back: number;
}

export interface WaitStep {
  op: 'wait';
  ms: number;
}

export const VERBS = [
  'write',
  'urgent',
  'pause',
  'resume',
  'shutdown',
  'close',
  'abort',
  'nodelay',
  'tos',
  'timeout',
  'keepalive',
  'congestion',
  'info',
] as const;
export type Verb = (typeof VERBS)[number];

/** A call of the user whose connection has the slot. */
export interface CallStep {
  op: 'call';
  slot: number;
  verb: Verb;
  n: number;
}

/** `open` connects actively; `fresh` gives the slot another port of the peer. */
export interface SlotStep {
  op: 'open' | 'fresh';
  slot: number;
}

/** `listen` begins or ends listening; `link` is blocked or not. */
export interface SwitchStep {
  op: 'listen' | 'link';
  on: boolean;
}

export type PacketStep = TcpStep | IcmpStep | RawStep | AgainStep;
export type Step = PacketStep | WaitStep | CallStep | SlotStep | SwitchStep;

export interface Case {
  setup: Setup;
  steps: Step[];
}

export function tcpStep(slot: number, flags: number): TcpStep {
  return {
    op: 'tcp',
    slot,
    flags,
    seqBase: 'n',
    seq: 0,
    ackBase: 'm',
    ack: 0,
    len: 0,
    win: 65_535,
    urg: 0,
    tos: 0,
    options: [],
    changes: [],
    join: false,
  };
}

export function isPacket(step: Step): step is PacketStep {
  return step.op === 'tcp' || step.op === 'icmp' || step.op === 'raw' || step.op === 'again';
}

/** A copy that shares nothing that is changed. */
export function copyOf(step: Step): Step {
  if (step.op === 'tcp') {
    return { ...step, options: [...step.options], changes: [...step.changes] };
  }
  return isPacket(step) ? { ...step, changes: [...step.changes] } : { ...step };
}
