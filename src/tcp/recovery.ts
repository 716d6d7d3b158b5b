import { add, geq, gt, lt, max, type Seq } from '../base/seq.js';
import { Recovery, type Tcb } from './tcb.js';
import { armRetransmit, stopRetransmit } from './timers.js';

/** RFC 5681 §3.2: so many duplicate ACKs mean that a segment was lost. */
const DUP_THRESHOLD = 3;

/**
 * Loss recovery of RFC 5681 and RFC 6582 (NewReno). It decides what is sent again, by
 * {@link Tcb.lossNext} and {@link Tcb.lossEnd}, and keeps cwnd while a loss is repaired; how far
 * cwnd falls and how it grows is the congestion control's to say.
 */

/** SND.UNA has just moved forward by `acked` octets to where it is now. */
export function onNewAck(tcb: Tcb, acked: number, now: number): void {
  tcb.lossNext = max(tcb.lossNext, tcb.sndUna);
  tcb.lossEnd = max(tcb.lossEnd, tcb.sndUna);
  switch (tcb.recovery) {
    case Recovery.OPEN:
      tcb.dupAcks = 0;
      // Follows at a distance, since a number left 2^31 behind would seem to be ahead.
      if (gt(tcb.sndUna, tcb.recover)) tcb.recover = add(tcb.sndUna, -1);
      grow(tcb, acked, now);
      break;
    case Recovery.LOSS:
      tcb.dupAcks = 0;
      if (geq(tcb.sndUna, tcb.recover)) tcb.recovery = Recovery.OPEN;
      tcb.congestion.onAck(tcb, acked, now);
      break;
    case Recovery.FAST:
      onAckInFastRecovery(tcb, acked, now);
      return;
  }
  restartTimer(tcb, now);
}

/** RFC 6582 §3.2, steps 3 to 5. */
function onAckInFastRecovery(tcb: Tcb, acked: number, now: number): void {
  if (geq(tcb.sndUna, tcb.recover)) {
    tcb.recovery = Recovery.OPEN;
    tcb.dupAcks = 0;
    tcb.cwnd = Math.min(tcb.ssthresh, Math.max(tcb.flight, tcb.sndMss) + tcb.sndMss);
    restartTimer(tcb, now);
    return;
  }
  // A partial acknowledgment: the next segment was lost too.
  retransmitFirst(tcb);
  tcb.cwnd = Math.max(tcb.sndMss, tcb.cwnd - acked + (acked >= tcb.sndMss ? tcb.sndMss : 0));
  restartTimer(tcb, now);
}

/** An ACK that RFC 5681 §2 calls duplicate. */
export function onDuplicateAck(tcb: Tcb, now: number): void {
  tcb.dupAcks++;
  if (tcb.recovery === Recovery.FAST) {
    // RFC 5681 §3.2 step 4: each says that a segment has left the network.
    tcb.cwnd += tcb.sndMss;
  } else if (
    tcb.recovery === Recovery.OPEN &&
    tcb.dupAcks === DUP_THRESHOLD &&
    mayEnterFastRecovery(tcb)
  ) {
    tcb.host.counters.tcpFastRetransmits++;
    tcb.congestion.onLoss(tcb, tcb.flight, now);
    tcb.recover = tcb.sndNxt;
    tcb.recovery = Recovery.FAST;
    tcb.cwnd = tcb.ssthresh + DUP_THRESHOLD * tcb.sndMss;
    retransmitFirst(tcb);
    armRetransmit(tcb, now);
  }
}

/** RFC 6582 §3.2 step 2: not for duplicates that our own retransmissions after a timeout caused. */
function mayEnterFastRecovery(tcb: Tcb): boolean {
  return gt(tcb.sndUna, tcb.recover);
}

/** RFC 6298 §5.4 to 5.6 and RFC 5681 §3.1: all that is outstanding is taken for lost. */
export function onRetransmitTimeout(tcb: Tcb, now: number): void {
  if (tcb.retransmits === 1) tcb.congestion.onTimeout(tcb, tcb.flight, now);
  tcb.cwnd = tcb.sndMss;
  tcb.recovery = Recovery.LOSS;
  tcb.recover = tcb.sndNxt;
  tcb.dupAcks = 0;
  tcb.rttAt = -1;
  retransmitRange(tcb, tcb.sndUna, tcb.sndNxt);
}

/** Sends everything outstanding again, as after a window that was closed or an MTU that shrank. */
export function retransmitAll(tcb: Tcb): void {
  tcb.rttAt = -1;
  retransmitRange(tcb, tcb.sndUna, tcb.sndNxt);
}

/** SYN, or SYN and ACK, goes out again at the next output. */
export function retransmitSyn(tcb: Tcb): void {
  tcb.rttAt = -1;
  retransmitRange(tcb, tcb.iss, add(tcb.iss, 1));
}

function retransmitFirst(tcb: Tcb): void {
  const end = add(tcb.sndUna, Math.min(tcb.sndMss, tcb.flight));
  retransmitRange(tcb, tcb.sndUna, end);
}

function retransmitRange(tcb: Tcb, from: Seq, to: Seq): void {
  tcb.lossNext = from;
  tcb.lossEnd = lt(from, to) ? to : from;
}

function grow(tcb: Tcb, acked: number, now: number): void {
  // RFC 7661: a window that was not in use has not been tested by the network.
  if (tcb.cwndLimited) tcb.congestion.onAck(tcb, acked, now);
}

function restartTimer(tcb: Tcb, now: number): void {
  if (tcb.flight === 0) stopRetransmit(tcb);
  else armRetransmit(tcb, now);
}
