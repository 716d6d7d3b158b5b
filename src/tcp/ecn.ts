import { ECN_CE, ECN_MASK, ECT_0 } from '../wire/ecn.js';
import { ACK, CWR, ECE, type Segment, SYN } from '../wire/segment.js';
import { startCwr, tellCongestion } from './congestion-window.js';
import { ownEcn } from './first-text.js';
import { Recovery, type Tcb } from './tcb.js';

const MARK_ARRIVED = 'a congestion mark, echoed at once: RFC 3168 §6.1.3';
const MARK_CHANGED = 'marks begin or end: RFC 8257 §3.2';
const MARK_ECHOED = 'the peer echoes a congestion mark: RFC 3168 §6.1.2';

/**
 * ECE and CWR of our SYN or SYN,ACK (RFC 3168 §6.1.1, RFC 9293 SHLD-8). A SYN that was not answered
 * goes out again without, for paths that lose those with (§6.1.1.1).
 */
export function synFlags(tcb: Tcb, passive: boolean, again: boolean): number {
  if (passive) return tcb.ecnOk ? ECE : 0;
  const asks = !again && (tcb.host.config.ecn === 'on' || tcb.congestion.needsEcn === true);
  if (asks) ownEcn(tcb).asked = true;
  else if (tcb.ecn.asked) tcb.ecn.withdrawn = true;
  return asks ? ECE | CWR : 0;
}

/** The peer's SYN or SYN,ACK agrees on ECN or does not (RFC 3168 §6.1.1). */
export function takeSynFlags(tcb: Tcb, syn: Segment): void {
  const bits = syn.flags & (ECE | CWR);
  if ((syn.flags & ACK) !== 0) {
    tcb.ecnOk = tcb.ecn.asked && bits === ECE;
    return;
  }
  const willing = tcb.host.config.ecn !== 'off' || tcb.congestion.needsEcn === true;
  tcb.ecnOk = bits === (ECE | CWR) && willing && (tcb.passive || tcb.ecn.asked);
  if (tcb.ecnOk) ownEcn(tcb);
}

/** The same SYN once more: a peer that has given up asking is not answered as if it had not. */
export function takeSynAgain(tcb: Tcb, syn: Segment): void {
  if ((syn.flags & (ECE | CWR)) !== (ECE | CWR)) tcb.ecnOk = false;
}

/** An acceptable segment, before its text is taken: what the network has marked on its way to us. */
export function takeMarks(
  tcb: Tcb,
  segment: Segment,
  sendAck: (tcb: Tcb, now: number) => void,
  now: number,
): void {
  if ((segment.tos & ECN_MASK) !== 0) tcb.ecn.seen = true;
  if (segment.length === 0 || (segment.flags & SYN) !== 0) return;
  const marked = (segment.tos & ECN_MASK) === ECN_CE;
  if (marked) tcb.host.counters.tcpInCeSegs++;
  if (tcb.congestion.exactEcho === true) {
    if (marked === tcb.ecn.echo) return;
    // Two ACKs, so that the one for what came before says what that was (RFC 8257 §3.2).
    if (tcb.ackPending > 0) sendAck(tcb, now);
    tcb.ecn.echo = marked;
    tcb.ackNow = MARK_CHANGED;
    return;
  }
  // CWR is looked at first: the mark is of a later congestion (RFC 3168 errata 3639).
  if ((segment.flags & CWR) !== 0) tcb.ecn.echo = false;
  if (!marked || tcb.ecn.echo) return;
  tcb.ecn.echo = true;
  tcb.ackNow = MARK_ARRIVED;
}

/** ECE of every segment with an ACK, from a mark until the peer has lowered its window (§6.1.3). */
export function echoFlags(tcb: Tcb, flags: number): number {
  return tcb.ecn.echo && (flags & ACK) !== 0 && (flags & SYN) === 0 ? ECE : 0;
}

/**
 * Makes new text ECN-capable, and has the first of it after a window was lowered say so. Not for
 * retransmissions and window probes (§6.1.5, §6.1.6), nor after a SYN that did not ask, although marks
 * of a peer that has heard the first one are still echoed (§6.1.1).
 */
export function markText(tcb: Tcb, segment: Segment): void {
  if (tcb.ecn.withdrawn) return;
  segment.tos |= ECT_0;
  if (!tcb.ecn.cwrPending) return;
  tcb.ecn.cwrPending = false;
  segment.flags |= CWR;
}

/**
 * An acceptable ACK with ECE: the window falls, once per window of data (§6.1.2). `priorFlight` was
 * outstanding before it, for a single ACK may be for all of that.
 */
export function onEcnEcho(tcb: Tcb, priorFlight: number, now: number): void {
  if (tcb.ecn.inCwr || tcb.recovery !== Recovery.OPEN || priorFlight === 0) return;
  const { congestion, cwnd, ssthresh } = tcb;
  const flight = Math.min(priorFlight, cwnd);
  if (congestion.onEcnEcho !== undefined) congestion.onEcnEcho(tcb, flight, now);
  else congestion.onLoss(tcb, flight, now);
  if (congestion.ownsWindow !== true && tcb.cwnd > tcb.ssthresh) tcb.cwnd = tcb.ssthresh;
  startCwr(tcb);
  tcb.host.counters.tcpEcnReductions++;
  tellCongestion(tcb, cwnd, ssthresh, MARK_ECHOED, now);
}
