import { toUint32 } from '../base/seq.js';
import { type State, stateName } from '../tcp/state.js';
import type {
  CookieOutcome,
  ListenQueue,
  RetransmitCause,
  TimerAction,
  TimerName,
  Trace,
  Traced,
  TracedTcb,
} from '../tcp/trace.js';
import { type Drop, dropName } from '../wire/drop-reason.js';
import { formatAddress } from '../wire/ipv4.js';
import { formatFlags } from '../wire/print.js';
import { ACK, type Segment, SYN, segmentsOnWire } from '../wire/segment.js';
import type { EventConnection, EventSegment, TraceEvent, TraceEventType } from './trace-event.js';

/** ssthresh before anything has set it. */
/** IPv4 and TCP header without options. */
const HEADER_BYTES = 40;
const NO_THRESHOLD = 0x7fffffff;

const OVERFLOWS: Readonly<Record<ListenQueue, string>> = {
  handshake: 'SYNs are forged, or peers do not answer: RFC 4987 §2',
  accept: 'the application accepts too slowly: RFC 9293 §3.9.1.1',
};

const COOKIES: Readonly<Record<CookieOutcome, string>> = {
  sent: 'no half-open connection is kept for this SYN: RFC 4987 §3.6',
  accepted: 'the peer has our SYN,ACK, so its address is not forged: RFC 4987 §3.6',
  refused: 'it acknowledges no cookie of the last minutes: RFC 9293 §3.10.7.2',
};

export interface EventTraceOptions {
  onEvent(event: TraceEvent): void;
  /** Asked before each event is made; default: all are wanted. */
  wants?(type: TraceEventType): boolean;
}

/** Makes an object that can be kept of each thing that happens. */
export class EventTrace implements Trace {
  readonly #onEvent: (event: TraceEvent) => void;
  readonly #wants: (type: TraceEventType) => boolean;

  constructor(options: EventTraceOptions) {
    this.#onEvent = options.onEvent;
    this.#wants = options.wants ?? (() => true);
  }

  received(segment: Segment, connection: Traced | null, now: number): void {
    if (!this.#wants('received')) return;
    this.#onEvent({
      ...common(connection, now),
      type: 'received',
      segment: heard(segment, connection),
    });
  }

  dropped(segment: Segment, connection: Traced | null, reason: Drop, now: number): void {
    if (!this.#wants('dropped')) return;
    this.#onEvent({
      ...common(connection, now),
      type: 'dropped',
      segment: heard(segment, connection),
      reason: dropName(reason),
    });
  }

  sent(segment: Segment, connection: Traced | null, now: number): void {
    if (!this.#wants('sent')) return;
    this.#onEvent({ ...common(connection, now), type: 'sent', segment: said(segment, connection) });
  }

  transition(connection: Traced, from: State, to: State, cause: string, now: number): void {
    if (!this.#wants('state')) return;
    this.#onEvent({
      ...common(connection, now),
      type: 'state',
      from: stateName(from),
      to: stateName(to),
      why: cause,
    });
  }

  acknowledges(connection: TracedTcb, why: string, now: number): void {
    if (!this.#wants('ack')) return;
    this.#onEvent({ ...common(connection, now), type: 'ack', why });
  }

  retransmits(connection: TracedTcb, cause: RetransmitCause, now: number): void {
    if (!this.#wants('retransmission')) return;
    const { name, why } = cause;
    this.#onEvent({ ...common(connection, now), type: 'retransmission', cause: name, why });
  }

  timer(
    connection: TracedTcb,
    timer: TimerName,
    action: TimerAction,
    at: number,
    why: string,
    now: number,
  ): void {
    if (!this.#wants('timer')) return;
    this.#onEvent({ ...common(connection, now), type: 'timer', timer, action, at, why });
  }

  rttSample(connection: TracedTcb, sample: number, now: number): void {
    if (!this.#wants('rtt')) return;
    const { srtt, rttvar, rto } = connection;
    this.#onEvent({ ...common(connection, now), type: 'rtt', sample, srtt, rttvar, rto });
  }

  sendWindow(connection: TracedTcb, before: number, now: number): void {
    if (!this.#wants('window')) return;
    const window = connection.sndWnd;
    this.#onEvent({ ...common(connection, now), type: 'window', before, window });
  }

  congestion(
    connection: TracedTcb,
    cwndBefore: number,
    ssthreshBefore: number,
    why: string,
    now: number,
  ): void {
    if (!this.#wants('congestion')) return;
    this.#onEvent({
      ...common(connection, now),
      type: 'congestion',
      cwndBefore,
      cwnd: connection.cwnd,
      ssthreshBefore: thresholdOrNull(ssthreshBefore),
      ssthresh: thresholdOrNull(connection.ssthresh),
      why,
    });
  }

  pathMtu(connection: TracedTcb, before: number, why: string, now: number): void {
    if (!this.#wants('mtu')) return;
    const mtu = connection.pathMss + HEADER_BYTES;
    const event = { type: 'mtu', before: before + HEADER_BYTES, mtu, why } as const;
    this.#onEvent({ ...common(connection, now), ...event });
  }

  challenge(connection: TracedTcb, answered: boolean, why: string, now: number): void {
    if (!this.#wants('challenge')) return;
    this.#onEvent({ ...common(connection, now), type: 'challenge', answered, why });
  }

  listenerOverflow(segment: Segment, queue: ListenQueue, backlog: number, now: number): void {
    if (!this.#wants('overflow')) return;
    const why = OVERFLOWS[queue];
    const event = { type: 'overflow', ...toListener(segment), queue, backlog, why } as const;
    this.#onEvent({ ...common(null, now), ...event });
  }

  synCookie(segment: Segment, outcome: CookieOutcome, now: number): void {
    if (!this.#wants('cookie')) return;
    const why = COOKIES[outcome];
    const event = { type: 'cookie', ...toListener(segment), outcome, why } as const;
    this.#onEvent({ ...common(null, now), ...event });
  }
}

function common(connection: Traced | null, time: number) {
  return { time, connection: connection === null ? null : ends(connection) };
}

function toListener(segment: Segment) {
  return {
    segment: heard(segment, null),
    local: `${formatAddress(segment.dstAddr)}:${segment.dstPort}`,
    remote: `${formatAddress(segment.srcAddr)}:${segment.srcPort}`,
  };
}

function ends(connection: Traced): EventConnection {
  return {
    id: connection.id,
    state: stateName(connection.state),
    localAddress: formatAddress(connection.localAddr),
    localPort: connection.localPort,
    remoteAddress: formatAddress(connection.remoteAddr),
    remotePort: connection.remotePort,
  };
}

function heard(segment: Segment, connection: Traced | null): EventSegment {
  const tcb = connection === null ? null : tcbOf(connection);
  // A SYN tells the number that all others count from.
  const base = (segment.flags & SYN) !== 0 ? segment.seq : (tcb?.irs ?? null);
  return fields(segment, base, tcb?.iss ?? null);
}

function said(segment: Segment, connection: Traced | null): EventSegment {
  const tcb = connection === null ? null : tcbOf(connection);
  return fields(segment, tcb?.iss ?? null, tcb?.irs ?? null);
}

/** What is left of a connection in TIME_WAIT does not know the initial numbers. */
function tcbOf(connection: Traced): Pick<TracedTcb, 'iss' | 'irs'> | null {
  return 'irs' in connection ? (connection as TracedTcb) : null;
}

function fields(segment: Segment, base: number | null, otherBase: number | null): EventSegment {
  const acknowledges = (segment.flags & ACK) !== 0;
  return {
    flags: formatFlags(segment.flags),
    seq: toUint32(segment.seq),
    ack: acknowledges ? toUint32(segment.ack) : null,
    window: segment.wnd,
    length: segment.dataLength,
    segments: segmentsOnWire(segment),
    relativeSeq: base === null ? null : (segment.seq - base) >>> 0,
    relativeAck: otherBase === null || !acknowledges ? null : (segment.ack - otherBase) >>> 0,
  };
}

function thresholdOrNull(ssthresh: number): number | null {
  return ssthresh >= NO_THRESHOLD ? null : ssthresh;
}
