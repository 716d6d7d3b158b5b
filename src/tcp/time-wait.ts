import { add, diff, geq, gt, type Seq } from '../base/seq.js';
import { ACK, emptySegment, OPT_TIMESTAMPS, RST, type Segment, SYN } from '../wire/segment.js';
import type { AckThrottle } from './ack-throttle.js';
import { State } from './state.js';
import type { Tcb } from './tcb.js';

/**
 * What remains of a connection in TIME_WAIT for 2 MSL (RFC 9293 §3.4.2, §3.6.1), for two reasons: if
 * our last ACK was lost, the peer's FIN comes again and must be acknowledged again; and old
 * duplicates must not reach a new connection between the same sockets.
 */
export class TimeWait implements AckThrottle {
  readonly id: number;
  readonly state = State.TIME_WAIT;
  readonly localAddr: number;
  readonly localPort: number;
  readonly remoteAddr: number;
  readonly remotePort: number;
  readonly sndNxt: Seq;
  readonly rcvNxt: Seq;
  /** Window field of our ACKs, as scaled for the wire. */
  readonly wnd: number;
  readonly timestampsOk: boolean;
  readonly tsRecent: number;
  readonly tsOffset: number;
  readonly ttl: number;
  readonly interfaceIndex: number;
  throttledSince = -Infinity;
  throttledAcks = 0;
  /** When it ends, ms. */
  expires = 0;
  /** Neighbours in the host's list, which is in order of {@link expires}. */
  previous: TimeWait | null = null;
  next: TimeWait | null = null;

  constructor(tcb: Tcb) {
    this.id = tcb.id;
    this.localAddr = tcb.localAddr;
    this.localPort = tcb.localPort;
    this.remoteAddr = tcb.remoteAddr;
    this.remotePort = tcb.remotePort;
    this.sndNxt = tcb.sndNxt;
    this.rcvNxt = tcb.rcvNxt;
    // What was offered last, since the right edge must not move left (RFC 9293 SHLD-14).
    const unit = 1 << tcb.rcvWindowShift;
    const offered = diff(tcb.rcvAdv, tcb.rcvNxt) + unit - 1;
    this.wnd = Math.min(65_535, offered >> tcb.rcvWindowShift);
    this.timestampsOk = tcb.timestampsOk;
    this.tsRecent = tcb.tsRecent;
    this.tsOffset = tcb.tsOffset;
    this.ttl = tcb.ttl;
    this.interfaceIndex = tcb.interfaceIndex;
  }
}

/** What the host is to do about a segment that arrived for a {@link TimeWait}. */
export const enum Verdict {
  /** Nothing. */
  DROP = 0,
  /** Send {@link writeTimeWaitAck}. */
  ACK = 1,
  /** The peer's FIN again: acknowledge it and start the 2 MSL anew. */
  ACK_AND_RESTART = 2,
  /** A SYN that may open a new incarnation: forget the record and hand the segment to LISTEN. */
  REOPEN = 3,
}

/** Segment arrives in TIME_WAIT: RFC 9293 §3.10.7.4 with RFC 6191 and RFC 1337. */
export function arrivesInTimeWait(record: TimeWait, segment: Segment): Verdict {
  const { flags } = segment;
  // RFC 1337 §3, fix 1: a reset must not end TIME_WAIT early ("assassination").
  if ((flags & RST) !== 0) return Verdict.DROP;
  if ((flags & (SYN | ACK)) === SYN) {
    return mayReopen(record, segment) ? Verdict.REOPEN : Verdict.ACK;
  }
  if ((flags & ACK) === 0) return Verdict.DROP;
  const end = add(segment.seq, segment.segLen);
  if (segment.segLen > 0 && end === record.rcvNxt) return Verdict.ACK_AND_RESTART;
  if (segment.segLen === 0 && segment.seq === record.rcvNxt) return Verdict.DROP;
  return Verdict.ACK;
}

/**
 * RFC 6191 §2 (SHLD-4): with timestamps, one later than the last of the old incarnation; without, a
 * sequence number beyond it (RFC 9293 MAY-2).
 */
function mayReopen(record: TimeWait, syn: Segment): boolean {
  if (record.timestampsOk && (syn.options & OPT_TIMESTAMPS) !== 0) {
    const newer = (syn.tsVal - record.tsRecent) | 0;
    return newer > 0 || (newer === 0 && gt(syn.seq, record.rcvNxt));
  }
  return gt(syn.seq, record.rcvNxt);
}

/** An initial sequence number that no duplicate of the old incarnation can be taken for. */
export function issAfter(record: TimeWait, iss: Seq): Seq {
  const least = add(record.sndNxt, 65_537);
  return geq(iss, least) ? iss : least;
}

/** `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>` */
export function writeTimeWaitAck(record: TimeWait, segment: Segment, now: number): void {
  segment.srcAddr = record.localAddr;
  segment.dstAddr = record.remoteAddr;
  segment.srcPort = record.localPort;
  segment.dstPort = record.remotePort;
  segment.seq = record.sndNxt;
  segment.ack = record.rcvNxt;
  segment.flags = ACK;
  segment.wnd = record.wnd;
  segment.ttl = record.ttl;
  segment.tos = 0;
  emptySegment(segment);
  segment.options = record.timestampsOk ? OPT_TIMESTAMPS : 0;
  segment.tsVal = (Math.floor(now) + record.tsOffset) | 0;
  segment.tsEcr = record.tsRecent;
}
