import type { StateName } from '../tcp/state.js';
import type { CookieOutcome, ListenQueue, TimerAction, TimerName } from '../tcp/trace.js';

/** Between whom something happened. */
export interface EventConnection {
  /** The connection's number within the process. */
  id: number;
  /** Its state at the time of the event. */
  state: StateName;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** Numbers are as on the wire; the window is the field of the header, not scaled. */
export interface EventSegment {
  /** As tcpdump shows them: `S.`. */
  flags: string;
  seq: number;
  /** Null without the ACK bit. */
  ack: number | null;
  window: number;
  /** Octets of payload. */
  length: number;
  /** More than one when merged or cut below by segmentation offload. */
  segments: number;
  /** Counted from the initial sequence numbers where those are known. */
  relativeSeq: number | null;
  relativeAck: number | null;
}

interface Common {
  /** ms on the runtime's scale. */
  time: number;
  /** Null for a segment that belongs to no connection. */
  connection: EventConnection | null;
}

/** A segment to a listener. */
interface ToListener {
  segment: EventSegment;
  /** The sockets as `10.7.0.2:80`. */
  local: string;
  remote: string;
  why: string;
}

/**
 * One thing that TCP did. Lengths and windows are bytes, times ms. `why` says so in words for people
 * and ends with the clause that it follows from.
 */
export type TraceEvent = Common &
  (
    | { type: 'received' | 'sent'; segment: EventSegment }
    | { type: 'dropped'; segment: EventSegment; reason: string }
    | { type: 'state'; from: StateName; to: StateName; why: string }
    | { type: 'ack'; why: string }
    | { type: 'retransmission'; cause: string; why: string }
    | { type: 'timer'; timer: TimerName; action: TimerAction; at: number; why: string }
    | { type: 'rtt'; sample: number; srtt: number; rttvar: number; rto: number }
    | { type: 'window'; before: number; window: number }
    | {
        type: 'congestion';
        cwndBefore: number;
        cwnd: number;
        /** Null stands for no threshold yet. */
        ssthreshBefore: number | null;
        ssthresh: number | null;
        why: string;
      }
    | { type: 'mtu'; before: number; mtu: number; why: string }
    | { type: 'challenge'; answered: boolean; why: string }
    | (ToListener & { type: 'overflow'; queue: ListenQueue; backlog: number })
    | (ToListener & { type: 'cookie'; outcome: CookieOutcome })
  );

export type TraceEventType = TraceEvent['type'];

export const TRACE_EVENT_TYPES: readonly TraceEventType[] = [
  'received',
  'sent',
  'dropped',
  'state',
  'ack',
  'retransmission',
  'timer',
  'rtt',
  'window',
  'congestion',
  'mtu',
  'challenge',
  'overflow',
  'cookie',
];

const TIMERS: Readonly<Record<TimerName, string>> = {
  retransmit: 'retransmission timer',
  persist: 'persist timer',
  reorder: 'reordering timer',
  probe: 'loss-probe timer',
  delayedAck: 'delayed-ACK timer',
  keepAlive: 'keep-alive timer',
  pacing: 'pacing timer',
  finWait2: 'FIN_WAIT_2 timer',
};

const WAITING: Readonly<Record<ListenQueue, string>> = {
  handshake: 'are in handshake',
  accept: 'wait to be accepted',
};

const COOKIE_WORDS: Readonly<Record<CookieOutcome, string>> = {
  sent: 'sent to',
  accepted: 'accepted from',
  refused: 'refused from',
};

/** The event in one line of words, without its time and connection. */
export function describeEvent(event: TraceEvent): string {
  switch (event.type) {
    case 'received':
    case 'sent':
      return `${event.type} ${describeSegment(event.segment)}`;
    case 'dropped':
      return `dropped ${describeSegment(event.segment)}: ${event.reason}`;
    case 'state':
      return `${event.from} -> ${event.to}: ${event.why}`;
    case 'ack':
      return `ACK now: ${event.why}`;
    case 'retransmission':
      return `sent again, ${event.cause}: ${event.why}`;
    case 'timer':
      return describeTimer(event);
    case 'rtt':
      return `round trip of ${ms(event.sample)}: SRTT ${ms(event.srtt)}, RTTVAR ${ms(event.rttvar)}, RTO ${ms(event.rto)}: RFC 6298 §2`;
    case 'window':
      return `window of the peer ${event.before} -> ${event.window} bytes: RFC 9293 §3.10.7.4`;
    case 'congestion':
      return `cwnd ${event.cwndBefore} -> ${event.cwnd}${threshold(event)} bytes: ${event.why}`;
    case 'mtu':
      return `path MTU ${event.before} -> ${event.mtu} bytes: ${event.why}`;
    case 'challenge':
      return event.answered
        ? `challenge ACK: ${event.why}`
        : `no challenge ACK, too many in this second: RFC 5961 §7`;
    case 'overflow':
      return `listener overflow at ${event.local}, ${event.backlog} connections ${WAITING[event.queue]} and ${event.remote} has to wait: ${event.why}`;
    case 'cookie':
      return `SYN cookie ${COOKIE_WORDS[event.outcome]} ${event.remote} at ${event.local}: ${event.why}`;
  }
}

function describeSegment(segment: EventSegment): string {
  const ack = segment.ack === null ? '' : ` ack ${segment.relativeAck ?? segment.ack}`;
  const cut = segment.segments > 1 ? ` (${segment.segments} segments)` : '';
  const seq = segment.relativeSeq ?? segment.seq;
  return `[${segment.flags}] seq ${seq}${ack} win ${segment.window} length ${segment.length}${cut}`;
}

function describeTimer(event: TraceEvent & { type: 'timer' }): string {
  const { timer, action, at, time, why } = event;
  if (action !== 'armed') return `${TIMERS[timer]} ${action}: ${why}`;
  if (timer === 'delayedAck') return `ACK delayed up to ${ms(at - time)}: ${why}`;
  return `${TIMERS[timer]} set to ${ms(at - time)}: ${why}`;
}

function threshold({ ssthreshBefore, ssthresh }: TraceEvent & { type: 'congestion' }): string {
  if (ssthresh === ssthreshBefore) return '';
  return `, ssthresh ${ssthreshBefore ?? 'none'} -> ${ssthresh ?? 'none'}`;
}

/** To the microsecond. */
function ms(value: number): string {
  return `${Math.round(value * 1_000) / 1_000} ms`;
}
