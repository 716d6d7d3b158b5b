import type { Drop } from '../wire/drop-reason.js';
import type { Segment } from '../wire/segment.js';
import type { State } from './state.js';

/** Which connection an event belongs to. `Tcb` has these fields; the numbers are int32. */
export interface Traced {
  readonly id: number;
  readonly state: State;
  readonly localAddr: number;
  readonly localPort: number;
  readonly remoteAddr: number;
  readonly remotePort: number;
}

/** What can be read of a connection that has a TCB, as `Tcb` documents it. */
export interface TracedTcb extends Traced {
  readonly iss: number;
  readonly irs: number;
  readonly sndUna: number;
  readonly sndNxt: number;
  readonly sndWnd: number;
  readonly rcvNxt: number;
  readonly cwnd: number;
  readonly pathMss: number;
  readonly ssthresh: number;
  readonly flight: number;
  readonly srtt: number;
  readonly rttvar: number;
  readonly rto: number;
}

export type TimerName =
  | 'retransmit'
  | 'persist'
  | 'reorder'
  | 'probe'
  | 'delayedAck'
  | 'keepAlive'
  | 'finWait2'
  | 'pacing';

/** Armed stands for moved as well. Cancelled is what ran and now does not. */
export type TimerAction = 'armed' | 'fired' | 'cancelled';

/** Of the connections of a listener: those in handshake, or those complete and not yet accepted. */
export type ListenQueue = 'handshake' | 'accept';

export type CookieOutcome = 'sent' | 'accepted' | 'refused';

/** Why octets are sent again. */
export interface RetransmitCause {
  readonly name: string;
  /** In words, with the clause. */
  readonly why: string;
}

/**
 * Hears what the stack does. Times are ms on the runtime's scale, lengths bytes. Segments and
 * connections are valid only during the call. Order: `received` before the segment is processed,
 * then what it causes, `dropped` last if it is; then what is `sent`, each after what says why.
 *
 * Each `why` and `cause` is a constant in words for people, that ends with the clause it follows from
 * (`second full-sized segment: RFC 9293 §3.8.6.3`).
 */
export interface Trace {
  received(segment: Segment, connection: Traced | null, now: number): void;
  /** The segment that was received last goes no further. Parts of it, as its ACK, may have been used. */
  dropped(segment: Segment, connection: Traced | null, reason: Drop, now: number): void;
  sent(segment: Segment, connection: Traced | null, now: number): void;
  transition(connection: Traced, from: State, to: State, cause: string, now: number): void;
  /** The next segment is an ACK without data, and why it goes out. */
  acknowledges(connection: TracedTcb, why: string, now: number): void;
  /** The next segment was sent before. */
  retransmits(connection: TracedTcb, cause: RetransmitCause, now: number): void;
  /** `at` is when the timer will expire; for `fired` and `cancelled` when it would have. */
  timer(
    connection: TracedTcb,
    timer: TimerName,
    action: TimerAction,
    at: number,
    why: string,
    now: number,
  ): void;
  /** A round trip took `sample` ms; the connection has the new estimate and RTO. */
  rttSample(connection: TracedTcb, sample: number, now: number): void;
  /** The peer's window, `sndWnd`, was `before`. */
  sendWindow(connection: TracedTcb, before: number, now: number): void;
  /** `cwnd` or `ssthresh` has changed from what it was. */
  congestion(
    connection: TracedTcb,
    cwndBefore: number,
    ssthreshBefore: number,
    why: string,
    now: number,
  ): void;
  /** `pathMss`, the path MTU less the 40 bytes of headers, has changed from `before`. */
  pathMtu(connection: TracedTcb, before: number, why: string, now: number): void;
  /** RFC 5961: a segment was answered with a challenge, or not for the limit of §7. */
  challenge(connection: TracedTcb, answered: boolean, why: string, now: number): void;
  /** A SYN or the ACK of a SYN,ACK found a queue of its listener full, which holds `backlog`. */
  listenerOverflow(segment: Segment, queue: ListenQueue, backlog: number, now: number): void;
  /** A SYN was answered with a cookie, or an ACK acknowledges one, or none: RFC 4987. */
  synCookie(segment: Segment, outcome: CookieOutcome, now: number): void;
}

/** Hears nothing; to be extended by whoever hears a part. */
export class SilentTrace implements Trace {
  received(_segment: Segment, _connection: Traced | null, _now: number): void {}
  dropped(_segment: Segment, _connection: Traced | null, _reason: Drop, _now: number): void {}
  sent(_segment: Segment, _connection: Traced | null, _now: number): void {}
  transition(_connection: Traced, _from: State, _to: State, _cause: string, _now: number): void {}
  acknowledges(_connection: TracedTcb, _why: string, _now: number): void {}
  retransmits(_connection: TracedTcb, _cause: RetransmitCause, _now: number): void {}
  timer(
    _connection: TracedTcb,
    _timer: TimerName,
    _action: TimerAction,
    _at: number,
    _why: string,
    _now: number,
  ): void {}
  rttSample(_connection: TracedTcb, _sample: number, _now: number): void {}
  sendWindow(_connection: TracedTcb, _before: number, _now: number): void {}
  congestion(
    _connection: TracedTcb,
    _cwndBefore: number,
    _ssthreshBefore: number,
    _why: string,
    _now: number,
  ): void {}
  pathMtu(_connection: TracedTcb, _before: number, _why: string, _now: number): void {}
  challenge(_connection: TracedTcb, _answered: boolean, _why: string, _now: number): void {}
  listenerOverflow(_segment: Segment, _queue: ListenQueue, _backlog: number, _now: number): void {}
  synCookie(_segment: Segment, _outcome: CookieOutcome, _now: number): void {}
}
