import { add, geq, gt, lt } from '../base/seq.js';
import { grow, recovered, reduceForLoss, setRecoveryWindow } from './congestion-window.js';
import { mtuProbeLost } from './mtu-probe.js';
import { DUP_THRESHOLD, markLost } from './rack.js';
import { FAST_RETRANSMIT, MTU_PROBE, PARTIAL_ACK } from './retransmit-cause.js';
import { beginEpisode } from './spurious.js';
import { Frto, Recovery, type Tcb } from './tcb.js';
import type { RetransmitCause } from './trace.js';

/** Loss recovery for peers without SACK: RFC 5681 §3.2 and RFC 6582 (NewReno). */

export function onNewRenoAck(tcb: Tcb, acked: number, duplicate: boolean, now: number): void {
  if (acked > 0) onNewAck(tcb, acked, now);
  else if (duplicate) onDuplicateAck(tcb, now);
}

function onNewAck(tcb: Tcb, acked: number, now: number): void {
  switch (tcb.recovery) {
    case Recovery.OPEN:
      tcb.dupAcks = 0;
      grow(tcb, tcb.host.rateSample, false, now);
      break;
    case Recovery.LOSS:
      tcb.dupAcks = 0;
      if (geq(tcb.sndUna, tcb.recover)) {
        tcb.recovery = Recovery.OPEN;
        tcb.frto = Frto.OFF;
        recovered(tcb, now);
      }
      if (tcb.frto !== Frto.SECOND_ACK) grow(tcb, tcb.host.rateSample, true, now);
      break;
    case Recovery.FAST:
      onAckInFastRecovery(tcb, acked, now);
      break;
  }
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
  markFirstLost(tcb, PARTIAL_ACK);
  limitInflation(tcb);
  const deflated = tcb.cwnd - acked + (acked >= tcb.sndMss ? tcb.sndMss : 0);
  setRecoveryWindow(tcb, Math.max(tcb.sndMss, deflated));
}

function onDuplicateAck(tcb: Tcb, now: number): void {
  tcb.dupAcks++;
  if (tcb.recovery === Recovery.FAST) {
    // RFC 5681 §3.2 step 4: each says that a segment has left the network.
    if (tcb.dupAcks <= tcb.dupAckLimit) setRecoveryWindow(tcb, tcb.cwnd + tcb.sndMss);
  } else if (
    tcb.recovery === Recovery.OPEN &&
    tcb.dupAcks === DUP_THRESHOLD &&
    mayEnterFastRecovery(tcb)
  ) {
    const probe = tcb.mtu.probe;
    if (probe !== 0 && mtuProbeLost(tcb, 0, now)) {
      markFirstLost(tcb, MTU_PROBE, probe);
      return;
    }
    const { counters } = tcb.host;
    counters.tcpFastRetransmits++;
    counters.tcpRenoRecovery++;
    beginEpisode(tcb, false);
    reduceForLoss(tcb, now);
    tcb.recover = tcb.sndNxt;
    tcb.recovery = Recovery.FAST;
    setRecoveryWindow(tcb, tcb.ssthresh + DUP_THRESHOLD * tcb.sndMss);
    markFirstLost(tcb, FAST_RETRANSMIT);
    limitInflation(tcb);
  }
}

/**
 * RFC 5681 §3.2: no more segments than are outstanding can have left the network, so that duplicate
 * ACKs that are made up (Savage et al., 1999) do not open the window without end.
 */
function limitInflation(tcb: Tcb): void {
  tcb.dupAckLimit = tcb.dupAcks + Math.ceil(tcb.flight / tcb.sndMss);
}

/** RFC 6582 §3.2 step 2: not for duplicates that our own retransmissions after a timeout caused. */
function mayEnterFastRecovery(tcb: Tcb): boolean {
  return gt(tcb.sndUna, tcb.recover);
}

/** One segment, or so many octets, go out again, whatever the windows say. */
function markFirstLost(tcb: Tcb, cause: RetransmitCause, octets = tcb.sndMss): void {
  const { sent } = tcb;
  if (sent.length === 0) return;
  const end = add(sent.start(0), octets);
  if (lt(end, sent.end(0))) sent.split(0, end);
  tcb.lossCause = cause;
  markLost(tcb, 0, tcb.host.rateSample);
}
