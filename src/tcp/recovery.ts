import { add, geq, gt, lt, max, type Seq } from '../base/seq.js';
import {
  grow,
  recovered,
  reduceForLoss,
  reduceForTimeout,
  sampled,
  setPacingRate,
  setRecoveryWindow,
  tellCongestion,
} from './congestion-window.js';
import { FAST_RETRANSMIT, PARTIAL_ACK, RTO } from './retransmit-cause.js';
import { Recovery, type Tcb } from './tcb.js';
import { armRetransmit, stopRetransmit } from './timers.js';
import type { RetransmitCause } from './trace.js';

/** RFC 5681 §3.2: so many duplicate ACKs mean that a segment was lost. */
const DUP_THRESHOLD = 3;

/**
 * Loss recovery of RFC 5681 and RFC 6582 (NewReno). It decides what is sent again, by
 * {@link Tcb.lossNext} and {@link Tcb.lossEnd}, and keeps cwnd while a loss is repaired; how far
 * cwnd falls and how it grows is the congestion control's to say.
 */

/** SND.UNA has just moved forward by `acked` octets to where it is now. */
export function onNewAck(tcb: Tcb, acked: number, now: number): void {
  const { cwnd, ssthresh } = tcb;
  const { rateSample: sample } = tcb.host;
  sampled(tcb, sample, now);
  tcb.lossNext = max(tcb.lossNext, tcb.sndUna);
  tcb.lossEnd = max(tcb.lossEnd, tcb.sndUna);
  switch (tcb.recovery) {
    case Recovery.OPEN:
      tcb.dupAcks = 0;
      // Follows at a distance, since a number left 2^31 behind would seem to be ahead.
      if (gt(tcb.sndUna, tcb.recover)) tcb.recover = add(tcb.sndUna, -1);
      grow(tcb, sample, now);
      break;
    case Recovery.LOSS:
      tcb.dupAcks = 0;
      grow(tcb, sample, now);
      if (geq(tcb.sndUna, tcb.recover)) {
        tcb.recovery = Recovery.OPEN;
        recovered(tcb, now);
      }
      break;
    case Recovery.FAST:
      onAckInFastRecovery(tcb, acked, now);
      break;
  }
  setPacingRate(tcb);
  tellCongestion(tcb, cwnd, ssthresh, 'new octets are acknowledged: RFC 5681 §3', now);
  restartTimer(tcb, now);
}

/** RFC 6582 §3.2, steps 3 to 5. */
function onAckInFastRecovery(tcb: Tcb, acked: number, now: number): void {
  if (geq(tcb.sndUna, tcb.recover)) {
    tcb.recovery = Recovery.OPEN;
    tcb.dupAcks = 0;
    setRecoveryWindow(tcb, Math.min(tcb.ssthresh, Math.max(tcb.flight, tcb.sndMss) + tcb.sndMss));
    recovered(tcb, now);
    return;
  }
  // A partial acknowledgment: the next segment was lost too.
  retransmitFirst(tcb, PARTIAL_ACK);
  const deflated = tcb.cwnd - acked + (acked >= tcb.sndMss ? tcb.sndMss : 0);
  setRecoveryWindow(tcb, Math.max(tcb.sndMss, deflated));
}

/** An ACK that RFC 5681 §2 calls duplicate. */
export function onDuplicateAck(tcb: Tcb, now: number): void {
  const { cwnd, ssthresh } = tcb;
  tcb.dupAcks++;
  if (tcb.recovery === Recovery.FAST) {
    // RFC 5681 §3.2 step 4: each says that a segment has left the network.
    setRecoveryWindow(tcb, tcb.cwnd + tcb.sndMss);
    const why = 'a segment has left the network: RFC 5681 §3.2';
    tellCongestion(tcb, cwnd, ssthresh, why, now);
  } else if (
    tcb.recovery === Recovery.OPEN &&
    tcb.dupAcks === DUP_THRESHOLD &&
    mayEnterFastRecovery(tcb)
  ) {
    tcb.host.counters.tcpFastRetransmits++;
    reduceForLoss(tcb, now);
    tcb.recover = tcb.sndNxt;
    tcb.recovery = Recovery.FAST;
    setRecoveryWindow(tcb, tcb.ssthresh + DUP_THRESHOLD * tcb.sndMss);
    tellCongestion(tcb, cwnd, ssthresh, FAST_RETRANSMIT.why, now);
    retransmitFirst(tcb, FAST_RETRANSMIT);
    armRetransmit(tcb, now);
  }
}

/** RFC 6582 §3.2 step 2: not for duplicates that our own retransmissions after a timeout caused. */
function mayEnterFastRecovery(tcb: Tcb): boolean {
  return gt(tcb.sndUna, tcb.recover);
}

/** RFC 6298 §5.4 to 5.6 and RFC 5681 §3.1: all that is outstanding is taken for lost. */
export function onRetransmitTimeout(tcb: Tcb, now: number): void {
  const { cwnd, ssthresh } = tcb;
  if (tcb.retransmits === 1) reduceForTimeout(tcb, now);
  setRecoveryWindow(tcb, tcb.sndMss);
  tellCongestion(tcb, cwnd, ssthresh, 'all outstanding is taken for lost: RFC 5681 §3.1', now);
  tcb.recovery = Recovery.LOSS;
  tcb.recover = tcb.sndNxt;
  tcb.dupAcks = 0;
  retransmitRange(tcb, tcb.sndUna, tcb.sndNxt, RTO);
}

/** Sends everything outstanding again, as after a window that was closed or an MTU that shrank. */
export function retransmitAll(tcb: Tcb, cause: RetransmitCause): void {
  retransmitRange(tcb, tcb.sndUna, tcb.sndNxt, cause);
}

/** SYN, or SYN and ACK, goes out again at the next output. */
export function retransmitSyn(tcb: Tcb, cause: RetransmitCause): void {
  tcb.synSentAt = -1;
  retransmitRange(tcb, tcb.iss, add(tcb.iss, 1), cause);
}

function retransmitFirst(tcb: Tcb, cause: RetransmitCause): void {
  const end = add(tcb.sndUna, Math.min(tcb.sndMss, tcb.flight));
  retransmitRange(tcb, tcb.sndUna, end, cause);
}

function retransmitRange(tcb: Tcb, from: Seq, to: Seq, cause: RetransmitCause): void {
  tcb.lossCause = cause;
  tcb.lossNext = from;
  tcb.lossEnd = lt(from, to) ? to : from;
}

function restartTimer(tcb: Tcb, now: number): void {
  if (tcb.flight === 0) stopRetransmit(tcb, now);
  else armRetransmit(tcb, now);
}
