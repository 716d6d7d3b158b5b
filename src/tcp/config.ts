import { checkCongestionControl, DEFAULT_CONGESTION_CONTROL } from './congestion.js';
import { ECN_MODES, type EcnMode } from './ecn-mode.js';

/** When SYNs are answered with cookies. */
export const SYN_COOKIE_MODES = ['never', 'whenFull', 'always'] as const;

export type SynCookieMode = (typeof SYN_COOKIE_MODES)[number];

export type LossDetectionName = 'rack' | 'sack' | 'newreno';

/** Every number of TCP that a user might tune. Times in ms, sizes in bytes. */
export interface TcpConfig {
  /**
   * Maximum segment lifetime; TIME_WAIT lasts twice as long. RFC 9293 §3.4.2 has 2 minutes and calls
   * the value an engineering choice; the default follows Linux, whose TIME_WAIT takes 60 s.
   */
  msl: number;
  /** How long a connection that its user has closed waits in FIN_WAIT_2 for the peer's FIN. The RFC
   * sets no limit; Linux's tcp_fin_timeout. A half-closed connection that is still read has none. */
  finWait2Timeout: number;
  /** Most connections in TIME_WAIT; beyond it the oldest ends early, and is counted. */
  maxTimeWait: number;

  /** RTO before the first sample: RFC 6298 §2.1. */
  rtoInitial: number;
  /** Lower bound of the RTO. RFC 6298 §2.4 has 1 s; Linux and all who measure the RTT have 200 ms. */
  rtoMin: number;
  /** Upper bound of the RTO, 60 s or more: RFC 6298 §2.5. */
  rtoMax: number;
  /** R1: after so many retransmissions of a segment the user is told: RFC 9293 §3.8.3, SHLD-10. */
  retransmitR1: number;
  /** R2: after so many the connection is given up with ETIMEDOUT; 15 take 924 s or more with the
   * default bounds: RFC 9293 §3.8.3, SHLD-11. */
  retransmitR2: number;
  /** R2 for a SYN, as a time: at least 3 minutes, RFC 9293 §3.8.3 MUST-23. */
  synTimeout: number;
  /** SYN,ACKs that are sent again before the connection is given up: Linux's tcp_synack_retries. */
  synAckRetries: number;
  /** R2 of a connection that its user has closed, and the zero-window probes that such a one sends even
   * to a peer that answers: like Linux's tcp_orphan_retries. */
  orphanRetries: number;
  /** Time without progress after which the connection is given up; 0: only R2 counts. RFC 5482. */
  userTimeout: number;

  /** Longest time an ACK is held back, below 500: RFC 9293 §3.8.6.3, MUST-40. */
  delayedAck: number;
  /** So many ACKs after the handshake, and after a gap, are not delayed, so that a small window grows. */
  quickAcks: number;
  /** Silence before the first keep-alive probe: RFC 9293 §3.8.4, MUST-28. */
  keepAliveIdle: number;
  /** Time between keep-alive probes. */
  keepAliveInterval: number;
  /** Probes without an answer after which the connection is given up. */
  keepAliveProbes: number;

  /** Most bytes that are written and not yet acknowledged, at first; it grows with the congestion
   * window. Given without `sendBufferMax`, it stays what it is. */
  sendBuffer: number;
  /** Up to here the send buffer grows; the end of Linux's tcp_wmem. */
  sendBufferMax: number;
  /** Most received bytes that wait to be read: the receive window when nothing waits. It is so at
   * first, and grows with what is read per round trip. Given without `receiveBufferMax`, it stays. */
  receiveBuffer: number;
  /** Up to here the receive buffer grows; the end of Linux's tcp_rmem. The window scale follows from
   * it: RFC 7323 §2. */
  receiveBufferMax: number;
  /** Announce window scaling, RFC 7323 §2; without it windows end at 65,535 bytes. */
  windowScale: boolean;
  /** Announce timestamps, RFC 7323 §3. */
  timestamps: boolean;
  /** Announce SACK-permitted, RFC 2018. */
  sack: boolean;
  /** How loss is told with peers that have SACK: `rack` by time, RFC 8985, `sack` by octets SACKed, or
   * `newreno` as without SACK by duplicate ACKs; see docs/recovery.md. */
  lossDetection: LossDetectionName;
  /** Upper bound of the MSS that is announced and used, 28 (what every network carries, RFC 791
   * §3.2) or more; 0: what the MTU allows. RFC 6691. */
  mss: number;
  /** Find out by probing what the path carries, where ICMP does not say: RFC 4821, RFC 8899. */
  mtuProbing: boolean;
  /** Packets of this size are tried when larger ones vanish: RFC 4821 §7.2. */
  baseMtu: number;
  /** ICMP cannot make packets smaller than this, Linux's min_pmtu; where a path carries less they may be
   * fragmented: RFC 5927 §7. */
  minPathMtu: number;
  /** After so long a larger MTU is tried again: RFC 1191 §6.3. */
  mtuProbeInterval: number;
  /** Initial congestion window in segments: RFC 6928. */
  initialWindow: number;
  /** Name of the congestion control for new connections: RFC 9438 has the default. */
  congestionControl: string;
  /** Pace what a control that sets no rate lets out, at somewhat more than cwnd per round trip. */
  pacing: boolean;
  /** Explicit congestion notification: `on` asks each peer for it, `passive` agrees when a peer
   * asks, as Linux does, `off` refuses: RFC 3168 §6.1.1. */
  ecn: EcnMode;
  /** Time to live of what is sent, in hops: RFC 9293 §3.9.2, MUST-49. */
  ttl: number;
  /** Start connections with the Nagle algorithm off: RFC 9293 §3.7.4, MUST-17. */
  noDelay: boolean;

  /** Connections of a listener in handshake, and as many complete and not yet accepted, where `listen`
   * gives no other number. */
  backlog: number;
  /** Most that `listen` can ask for; Linux's somaxconn. */
  maxBacklog: number;
  /** Most connections of a listener in handshake, whatever its backlog; Linux's tcp_max_syn_backlog. */
  maxSynBacklog: number;
  /** SYN cookies (RFC 4987 §3.6): for SYNs that find the backlog full, which would else be dropped, for
   * all, or never. Linux's tcp_syncookies. */
  synCookies: SynCookieMode;
  /** Most connections but those in TIME_WAIT; more SYNs are dropped. What a limit of open files does
   * for a kernel's TCP. */
  maxConnections: number;
  /** Most connections that their user has closed and that are not over; more are reset. Linux's
   * tcp_max_orphans. */
  maxOrphans: number;
  /** Bytes that all connections together may hold, received and not read, out of order, or to be sent.
   * Beyond it each can have little: Linux's tcp_mem. */
  maxMemory: number;
  /** Challenge ACKs per second for each connection, and answers to segments without text outside the
   * window: RFC 5961 §7. */
  challengeAckLimit: number;
}

export const DEFAULT_TCP_CONFIG: Readonly<TcpConfig> = {
  msl: 30_000,
  finWait2Timeout: 60_000,
  maxTimeWait: 65_536,
  rtoInitial: 1_000,
  rtoMin: 200,
  rtoMax: 120_000,
  retransmitR1: 3,
  retransmitR2: 15,
  synTimeout: 180_000,
  synAckRetries: 5,
  orphanRetries: 8,
  userTimeout: 0,
  delayedAck: 40,
  quickAcks: 16,
  keepAliveIdle: 7_200_000,
  keepAliveInterval: 75_000,
  keepAliveProbes: 9,
  sendBuffer: 256 * 1024,
  sendBufferMax: 4 * 1024 * 1024,
  receiveBuffer: 256 * 1024,
  receiveBufferMax: 6 * 1024 * 1024,
  windowScale: true,
  timestamps: true,
  sack: true,
  lossDetection: 'rack',
  mss: 0,
  mtuProbing: true,
  baseMtu: 1_024,
  minPathMtu: 552,
  mtuProbeInterval: 600_000,
  initialWindow: 10,
  congestionControl: DEFAULT_CONGESTION_CONTROL,
  pacing: false,
  ecn: 'passive',
  ttl: 64,
  noDelay: false,
  backlog: 511,
  maxBacklog: 4_096,
  maxSynBacklog: 4_096,
  synCookies: 'whenFull',
  maxConnections: 131_072,
  maxOrphans: 16_384,
  maxMemory: 256 * 1024 * 1024,
  challengeAckLimit: 10,
};

const DAY = 86_400_000;
const MIN_MSS = 28;

/** Smallest and largest value of each number, both included. */
const RANGES: {
  readonly [K in keyof TcpConfig as TcpConfig[K] extends number ? K : never]: readonly [
    number,
    number,
  ];
} = {
  msl: [1, 10 * 60_000],
  finWait2Timeout: [1, DAY],
  maxTimeWait: [0, 1_048_576],
  rtoInitial: [1, 60_000],
  rtoMin: [1, 60_000],
  rtoMax: [1_000, DAY],
  retransmitR1: [1, 100],
  retransmitR2: [1, 100],
  synTimeout: [1, DAY],
  synAckRetries: [0, 100],
  orphanRetries: [0, 100],
  userTimeout: [0, 14 * DAY],
  delayedAck: [0, 499],
  quickAcks: [0, 1_000],
  keepAliveIdle: [1, 14 * DAY],
  keepAliveInterval: [1, DAY],
  keepAliveProbes: [1, 127],
  sendBuffer: [2_048, 1 << 30],
  sendBufferMax: [2_048, 1 << 30],
  receiveBuffer: [2_048, 1 << 30],
  receiveBufferMax: [2_048, 1 << 30],
  mss: [0, 65_495],
  baseMtu: [576, 65_535],
  minPathMtu: [68, 1_500],
  mtuProbeInterval: [1_000, DAY],
  initialWindow: [1, 1_000],
  ttl: [1, 255],
  backlog: [1, 65_535],
  maxBacklog: [1, 65_535],
  maxSynBacklog: [1, 65_535],
  maxConnections: [1, 16_777_216],
  maxOrphans: [0, 16_777_216],
  maxMemory: [65_536, 2 ** 40],
  challengeAckLimit: [1, 1_000_000],
};

/**
 * The defaults with `changes` laid over them.
 * @throws TypeError (ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE) or RangeError (ERR_OUT_OF_RANGE)
 * that names the field.
 */
export function tcpConfig(changes: Partial<TcpConfig> = {}): TcpConfig {
  const config = { ...DEFAULT_TCP_CONFIG } as Record<string, unknown>;
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    checkField(name, value);
    config[name] = value;
  }
  const result = config as unknown as TcpConfig;
  fitBuffer(result, changes, 'sendBuffer', 'sendBufferMax');
  fitBuffer(result, changes, 'receiveBuffer', 'receiveBufferMax');
  if (result.rtoMin > result.rtoMax) {
    throw rangeError('tcp.rtoMin', `<= rtoMax (${result.rtoMax})`, result.rtoMin);
  }
  // Less would leave no room for text beside the options.
  if (result.mss !== 0 && result.mss < MIN_MSS) {
    throw rangeError('tcp.mss', `0 or >= ${MIN_MSS}`, result.mss);
  }
  return result;
}

/** A size that is given alone stays as it is, like SO_SNDBUF; a limit that is given alone caps it. */
function fitBuffer(
  config: TcpConfig,
  changes: Partial<TcpConfig>,
  size: 'sendBuffer' | 'receiveBuffer',
  limit: 'sendBufferMax' | 'receiveBufferMax',
): void {
  if (changes[limit] === undefined) {
    if (changes[size] !== undefined) config[limit] = config[size];
  } else if (changes[size] === undefined) {
    config[size] = Math.min(config[size], config[limit]);
  } else if (config[size] > config[limit]) {
    throw rangeError(`tcp.${size}`, `<= ${limit} (${config[limit]})`, config[size]);
  }
}

function checkField(name: string, value: unknown): void {
  if (!Object.hasOwn(DEFAULT_TCP_CONFIG, name)) {
    throw Object.assign(new TypeError(`Unknown option 'tcp.${name}'`), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
  }
  const expected = typeof DEFAULT_TCP_CONFIG[name as keyof TcpConfig];
  if (typeof value !== expected) {
    throw Object.assign(
      new TypeError(
        `The "tcp.${name}" option must be of type ${expected}. Received ${describe(value)}`,
      ),
      { code: 'ERR_INVALID_ARG_TYPE' },
    );
  }
  const range = (RANGES as Record<string, readonly [number, number] | undefined>)[name];
  if (range !== undefined) {
    const number = value as number;
    if (!Number.isInteger(number) || number < range[0] || number > range[1]) {
      throw rangeError(`tcp.${name}`, `an integer >= ${range[0]} && <= ${range[1]}`, number);
    }
  }
  if (name === 'lossDetection' && !isLossDetectionName(value as string)) {
    throw Object.assign(new TypeError(`Unknown loss detection '${String(value)}'`), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
  }
  if (name === 'congestionControl') checkCongestionControl(value as string);
  if (name === 'ecn') checkMode(name, value as string, ECN_MODES);
  if (name === 'synCookies') checkMode(name, value as string, SYN_COOKIE_MODES);
}

function checkMode(name: string, value: string, modes: readonly string[]): void {
  if (modes.includes(value)) return;
  throw Object.assign(
    new TypeError(
      `The "tcp.${name}" option must be one of: ${modes.join(', ')}. Received '${value}'`,
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

function isLossDetectionName(name: string): boolean {
  return name === 'rack' || name === 'sack' || name === 'newreno';
}

function describe(value: unknown): string {
  return value === null ? 'null' : `type ${typeof value} (${String(value)})`;
}

function rangeError(field: string, expected: string, value: number): RangeError {
  return Object.assign(
    new RangeError(
      `The value of "${field}" is out of range. It must be ${expected}. Received ${value}`,
    ),
    { code: 'ERR_OUT_OF_RANGE' },
  );
}
