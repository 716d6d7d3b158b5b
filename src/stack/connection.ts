import type { Runtime } from '../runtime/runtime.js';
import type { StateName } from '../tcp/state.js';
import type { TimerName } from '../tcp/trace.js';

/** Why a connection ended other than by FIN from both sides; the codes are Node's. */
export type ConnectionErrorCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ECONNABORTED'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ENETDOWN'
  | 'EPROTO';

/**
 * Who uses a connection. The host calls these at the end of a batch (or of a timer), never from
 * within a method of {@link Connection}; each may call any method of the connection.
 */
export interface ConnectionHandler {
  /** The handshake is complete. For an accepted connection: called right after the accept. */
  established(): void;
  /** {@link Connection.read} has something new: data, or the end (see {@link Connection.ended}). */
  readable(): void;
  /** There is room to write again after {@link Connection.write} took less than it was given. */
  writable(): void;
  /** The peer has acknowledged everything that was written, and our FIN. */
  finished(): void;
  /**
   * The peer has marked data as urgent that is not read yet; it comes in line (RFC 6093, MUST-32).
   */
  urgent?(): void;
  /**
   * A segment has been retransmitted R1 times (RFC 9293 §3.8.3); it may still get through. The
   * report of a soft error, for users who want it (MUST-47, SHLD-9, SHLD-20).
   */
  trouble?(): void;
  /**
   * The connection is over: null after an orderly close by both sides (MUST-12). Nothing is called
   * after it. What was received before can still be read, and {@link Connection.ended} still tells
   * the end.
   */
  closed(error: ConnectionErrorCode | null): void;
}

/** For a connection whose user is not there yet, or no more. */
export const SILENT_HANDLER: ConnectionHandler = {
  established() {},
  readable() {},
  writable() {},
  finished() {},
  closed() {},
};

export interface Connection {
  handler: ConnectionHandler;
  /** Dotted-quad addresses, and ports. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: StateName;

  /**
   * Copies as much of `bytes` (from `offset` on) into the send buffer as it has room for and returns
   * that number of bytes, 0 to `bytes.length - offset`. If it is less than offered, `writable()`
   * follows. May be called before the handshake is complete. What several calls in one turn of
   * JavaScript write goes out together. With `urgent`, the last byte taken is the last of urgent
   * data (RFC 9293 §3.8.5; new applications do without, RFC 6093).
   */
  write(bytes: Uint8Array, offset?: number, urgent?: boolean): number;
  /** Bytes written and not yet acknowledged by the peer. */
  readonly unacknowledged: number;

  /** The next chunk of received bytes, the caller's to keep; null when there is none at present. */
  read(): Uint8Array | null;
  /** Bytes that wait to be read. The receive window closes as they grow. */
  readonly readableLength: number;
  /** The peer has sent FIN, and everything before it has been read. */
  readonly ended: boolean;

  /** Sends FIN after what was written (half-close). Reading goes on. Idempotent. */
  shutdown(): void;
  /**
   * The user is done with both directions: FIN after what was written, and the handler is called no
   * more. Bytes that were received and not read, or that arrive later, are answered with RST
   * (RFC 9293 §3.6.1, SHLD-3). The host sees the connection through to the end by itself.
   */
  close(): void;
  /** RST to the peer, everything dropped; the handler is called no more. */
  abort(): void;

  /**
   * Bytes to read until the end of the urgent data, of those that have not arrived too; 0 when none
   * is left (RFC 9293 §3.8.5, MUST-33).
   */
  readonly urgentLength: number;

  setNoDelay(on: boolean): void;
  /**
   * The eight bits of IPv4's type of service; the lower two are ECN's (RFC 9293 MUST-48, SHLD-21).
   */
  setTypeOfService(tos: number): void;
  /**
   * R2 as a time: ms without progress after which the connection is given up; 0: what the host's
   * configuration has (RFC 5482, RFC 9293 MUST-21).
   */
  setUserTimeout(ms: number): void;
  /** `initialDelay` in ms before the first probe; 0 keeps the host's configuration. */
  setKeepAlive(on: boolean, initialDelay: number): void;
  /**
   * Another congestion control from now on, as Linux's TCP_CONGESTION: one that is built in or was
   * registered. ECN that it needs is asked for when it is chosen in the turn of `connect()`.
   * @throws TypeError (ERR_INVALID_ARG_VALUE) when there is none of this name
   */
  setCongestionControl(name: string): void;
  /** A snapshot for people and tools. */
  info(): ConnectionInfo;
}

/** A timer that runs; `remaining` is in ms, 0 when it is due. */
export interface TimerInfo {
  name: TimerName | 'timeWait';
  remaining: number;
}

/** Times in ms, lengths in bytes; sequence numbers as on the wire (0 to 2^32 - 1). */
export interface ConnectionInfo {
  kind: 'connection';
  state: StateName;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
  iss: number;
  irs: number;
  sndUna: number;
  sndNxt: number;
  sndWnd: number;
  rcvNxt: number;
  rcvWnd: number;
  /** Largest payload of a segment that we send, options deducted. */
  sndMss: number;
  /** Largest packet that the path takes, as far as is known (RFC 1191). */
  pathMtu: number;
  /** Most that the buffers hold at present; they grow. */
  sendBufferSize: number;
  receiveBufferSize: number;
  /** Most bytes that the user has read in a round trip, by which the receive buffer grows. */
  receiveSpace: number;
  /** Shifts agreed on; both 0 when the peer does not scale. */
  sndWindowScale: number;
  rcvWindowScale: number;
  timestamps: boolean;
  sack: boolean;
  /** Smoothed round-trip time and variation; null before the first sample. */
  srtt: number | null;
  rttvar: number | null;
  /** Shortest round trip of the last minutes; null before the first sample. */
  minRtt: number | null;
  rto: number;
  cwnd: number;
  ssthresh: number;
  congestionControl: string;
  /** What the congestion control tells of itself, or null: BBR's bandwidth and phase, DCTCP's alpha. */
  congestionInfo: Readonly<Record<string, number | string>> | null;
  /** Bytes per second that go out at most; 0: not paced. */
  pacingRate: number;
  /** Both ends do explicit congestion notification (RFC 3168). */
  ecn: boolean;
  /** The peer has sent ECN-capable packets. */
  ecnSeen: boolean;
  /** Retransmitted ones included. */
  bytesSent: number;
  bytesRetransmitted: number;
  bytesAcked: number;
  bytesReceived: number;
  /** Bytes per second that the peer acknowledged of late; 0 before the first measure. */
  deliveryRate: number;
  segmentsSent: number;
  segmentsReceived: number;
  /** Segments retransmitted in the connection's life. */
  retransmits: number;
  /** Expirations of the retransmission or persist timer since the last progress. */
  backoff: number;
  /** Duplicate ACKs in a row (RFC 5681 §2). */
  duplicateAcks: number;
  /** How loss is told: by time (RFC 8985), octets SACKed (RFC 6675) or duplicate ACKs (RFC 6582). */
  lossDetection: 'rack' | 'sack' | 'newreno';
  /** Of {@link flight}: what the peer has by SACK, and what is lost and not sent again. */
  sacked: number;
  lost: number;
  /** Segments that reached the peer after later ones, and D-SACK blocks from it (RFC 2883). */
  reorderings: number;
  dsacks: number;
  /** `fast`: fast recovery; `loss`: after a retransmission timeout. */
  recovery: 'open' | 'fast' | 'loss';
  /** Octets sent and not acknowledged, SYN and FIN counted. */
  flight: number;
  /** Bytes written and not acknowledged, {@link flight} included. */
  sendBuffered: number;
  /** Bytes that the user has yet to read. */
  receiveBuffered: number;
  /** Bytes that wait for a gap before them to be filled. */
  outOfOrder: number;
  noDelay: boolean;
  /** The user has closed; the host sees the connection through to the end. */
  orphaned: boolean;
  /** Time since text or FIN was sent, and since an acceptable segment arrived; null before the first. */
  lastSent: number | null;
  lastReceived: number | null;
  /** Those that run, the one due first in front. */
  timers: TimerInfo[];
}

/** A socket in LISTEN. */
export interface ListenerInfo {
  kind: 'listener';
  state: 'LISTEN';
  /** `0.0.0.0` stands for every address of the host. */
  localAddress: string;
  localPort: number;
  /** Connections in handshake, or complete and not yet accepted. */
  pending: number;
  backlog: number;
}

/** What is kept of a connection for 2 MSL. */
export interface TimeWaitInfo {
  kind: 'timeWait';
  state: 'TIME_WAIT';
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
  sndNxt: number;
  rcvNxt: number;
  timers: TimerInfo[];
}

/** Any socket of a host, told apart by `kind`. */
export type SocketInfo = ConnectionInfo | ListenerInfo | TimeWaitInfo;

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Stops listening; connections not yet accepted are reset, accepted ones live on. Idempotent. */
  close(): void;
}

export interface ListenOptions {
  /** Dotted quad; default `0.0.0.0`, every address of the host. */
  address?: string;
  /** 0 picks a free port. */
  port: number;
  /** Most connections in handshake, and as many that wait to be accepted. Default: the host's configuration. */
  backlog?: number | undefined;
  /** How many accepted connections the user has not taken yet; they count as waiting. Default: none. */
  waiting?: () => number;
}

export interface ConnectOptions {
  remoteAddress: string;
  remotePort: number;
  localAddress?: string;
  localPort?: number;
}

/**
 * What the socket layer needs from a host. Errors are thrown with Node's `code`, `syscall`,
 * `address` and `port`: EADDRINUSE, EADDRNOTAVAIL (listen, connect), ENETUNREACH (connect).
 */
export interface Transport {
  /** The clock and the alarms that sockets use. */
  readonly runtime: Runtime;
  /** `accept` is called once per connection whose handshake is complete; it returns its handler. */
  listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Listener;
  connect(options: ConnectOptions, handler: ConnectionHandler): Connection;
  /** Why a connection could not have this local end, or null; `port` 0 stands for any. */
  bindError?(address: string, port: number): 'EADDRNOTAVAIL' | 'EADDRINUSE' | null;
  /** Keeps the process alive until the same number of `release()` calls. */
  hold(): void;
  release(): void;
}
