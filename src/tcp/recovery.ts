import { add, diff, geq, gt, max } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
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
import type { RateSample } from './delivery-rate.js';
import { prepareToSend } from './first-text.js';
import { forgetMtuProbe, mtuProbeLost } from './mtu-probe.js';
import { onNewRenoAck } from './newreno-recovery.js';
import { beginReduction, reduceProportionally } from './prr.js';
import {
  adaptReorderWindow,
  detectLossByTime,
  markLost,
  markLostByTimeout,
  noteRecoveryEnd,
} from './rack.js';
import { MTU_PROBE, RACK, RENEGED, RTO, SACK_LOSS } from './retransmit-cause.js';
import { detectLossByOctets } from './rfc6675.js';
import { unsent } from './sender.js';
import { Sent } from './sent-segments.js';
import {
  beginEpisode,
  endEpisode,
  provedByDuplicates,
  provedByNewData,
  provedByTimestamp,
  undo,
} from './spurious.js';
import { mayProbe, repairedByProbe, scheduleProbe } from './tail-loss.js';
import { Frto, LossDetection, LossTimer, Recovery, type Tcb } from './tcb.js';
import {
  armReneging,
  armReorder,
  armRetransmit,
  resumeRetransmit,
  stopRetransmit,
} from './timers.js';
import type { RetransmitCause } from './trace.js';

/**
 * Loss recovery: decides what is lost, by marks on the rows of {@link Tcb.sent}, which output then
 * sends again, and keeps cwnd while a loss is repaired. How far cwnd falls and how it grows is the
 * congestion control's to say. The ways to tell a loss have files of their own: `rack.ts`,
 * `tail-loss.ts`, `rfc6675.ts`, `newreno-recovery.ts`; `spurious.ts` has the ways back.
 */

/** So many octets after an episode, no D-SACK of it can still come. */
const FORGET = 1 << 28;

/**
 * An ACK has been taken into the scoreboard, which `sample` tells of. SND.UNA has moved by `acked`
 * octets; `duplicate`: the ACK is one in the sense of RFC 5681 §2.
 */
export function onAck(
  tcb: Tcb,
  segment: Segment,
  sample: RateSample,
  acked: number,
  duplicate: boolean,
  now: number,
): void {
  const { cwnd, ssthresh, recovery } = tcb;
  if (acked > 0) follow(tcb);
  adaptReorderWindow(tcb, sample);
  let wait = 0;
  if (takeBack(tcb, segment, sample, acked, duplicate, now)) {
    sampled(tcb, sample, now);
  } else if (tcb.lossDetection === LossDetection.NEWRENO) {
    sampled(tcb, sample, now);
    onNewRenoAck(tcb, acked, duplicate, now);
  } else {
    wait = onSackAck(tcb, segment, sample, acked, duplicate, now);
  }
  setPacingRate(tcb);
  tcb.fack = max(tcb.fack, sample.highest);
  tellCongestion(tcb, cwnd, ssthresh, ackWords(tcb, recovery, acked), now);
  setTimer(tcb, acked, wait, now);
}

/** Numbers that mark a place follow SND.UNA at a distance: 2^31 behind, they would seem ahead. */
function follow(tcb: Tcb): void {
  const { sndUna } = tcb;
  tcb.fack = max(tcb.fack, sndUna);
  tcb.highRxt = max(tcb.highRxt, sndUna);
  if (tcb.recovery === Recovery.OPEN && gt(sndUna, tcb.recover)) tcb.recover = add(sndUna, -1);
  if (tcb.episode.undoable && diff(sndUna, tcb.episode.to) > FORGET) endEpisode(tcb);
}

/** Whether the episode turns out to have been spurious, and is undone. */
function takeBack(
  tcb: Tcb,
  segment: Segment,
  sample: RateSample,
  acked: number,
  duplicate: boolean,
  now: number,
): boolean {
  const { counters } = tcb.host;
  if (tcb.frto !== Frto.OFF && provedByNewData(tcb, sample, acked, duplicate)) {
    counters.tcpSpuriousRtos++;
  } else if (tcb.episode.eifelWaits && acked > 0 && provedByTimestamp(tcb, segment, sample)) {
    if (tcb.episode.timeout) counters.tcpSpuriousRtos++;
    counters.tcpFullUndo++;
  } else if (sample.dsack && provedByDuplicates(tcb, sample)) {
    counters.tcpDsackUndo++;
  } else {
    return false;
  }
  undo(tcb, acked, now);
  return true;
}

/** With SACK; returns the ms to wait for what may only be late, or 0. */
function onSackAck(
  tcb: Tcb,
  segment: Segment,
  sample: RateSample,
  acked: number,
  duplicate: boolean,
  now: number,
): number {
  if (acked > 0) tcb.dupAcks = 0;
  else if (duplicate || sample.newlySacked > 0) tcb.dupAcks++;
  if (repairedByProbe(tcb, segment, sample, duplicate)) onProbeRepair(tcb, now);
  const slowStart = tcb.recovery === Recovery.LOSS;
  const ended = tcb.recovery !== Recovery.OPEN && geq(tcb.sndUna, tcb.recover);
  if (ended) endRecovery(tcb, now);
  const wait = detectLoss(tcb, sample, now);
  sampled(tcb, sample, now);
  // What was sent during the last recovery, and lost, begins the next.
  const lost = ended ? tcb.sent.lost : sample.newlyLost;
  if (tcb.recovery === Recovery.OPEN && lost > 0) onLoss(tcb, lost, sample.priorInFlight, now);
  if (tcb.recovery === Recovery.FAST) {
    const delivered = sample.ackedSacked;
    if (delivered > 0 || tcb.episode.prrOut === 0) {
      reduceProportionally(tcb, delivered, acked > 0 && sample.newlyLost === 0);
    }
  } else if (movesOn(tcb, sample, acked) && tcb.frto !== Frto.SECOND_ACK) {
    grow(tcb, sample, slowStart, now);
  }
  return wait;
}

/**
 * Where the network reorders, a hole is mostly there while nothing is lost, and SND.UNA stands still:
 * what SACKs report lets the window grow, too, as on Linux.
 */
function movesOn(tcb: Tcb, sample: RateSample, acked: number): boolean {
  return (
    acked > 0 ||
    (sample.newlySacked > 0 && tcb.rack.reorderings > 0 && tcb.recovery === Recovery.OPEN)
  );
}

function detectLoss(tcb: Tcb, sample: RateSample, now: number): number {
  if (tcb.lossDetection === LossDetection.SACK) {
    // RFC 6675 §5.1: after a timeout, what it marked is sent again, and no more.
    if (tcb.recovery !== Recovery.LOSS) detectLossByOctets(tcb, sample);
    return 0;
  }
  const { sent } = tcb;
  // Nothing was sent again, and nothing arrived out of order: nothing can be lost.
  if (sent.sacked === 0 && tcb.highRxt === tcb.sndUna) return 0;
  return detectLossByTime(tcb, sample, now);
}

/**
 * `octets` are lost: a sign of congestion, unless they were too large for the path. So many were in
 * flight, as far as was known, before the ACK that tells of it.
 */
function onLoss(tcb: Tcb, octets: number, priorInFlight: number, now: number): void {
  if (tcb.mtu.probe !== 0 && mtuProbeLost(tcb, octets, now)) tcb.lossCause = MTU_PROBE;
  else enterFastRecovery(tcb, priorInFlight, now);
}

function enterFastRecovery(tcb: Tcb, priorInFlight: number, now: number): void {
  const { counters } = tcb.host;
  counters.tcpFastRetransmits++;
  counters.tcpSackRecovery++;
  const owed = owedBefore(tcb, priorInFlight);
  // What SACKs have let out beyond cwnd is not counted (RFC 6675 §5 step 4.2).
  const flight = Math.min(tcb.flight + owed, tcb.cwnd);
  beginEpisode(tcb, false);
  reduceForLoss(tcb, now);
  tcb.recover = tcb.sndNxt;
  tcb.recovery = Recovery.FAST;
  tcb.rack.probeOut = false;
  tcb.lossCause = tcb.lossDetection === LossDetection.RACK ? RACK : SACK_LOSS;
  beginReduction(tcb, flight, owed);
}

/**
 * Octets that earlier ACKs have let out and that are not sent yet, since output waits for the end of the
 * batch; in full segments.
 */
function owedBefore(tcb: Tcb, priorInFlight: number): number {
  const room = Math.min(tcb.cwnd - priorInFlight, tcb.sndWnd - tcb.flight, unsent(tcb));
  return Math.max(room - (room % tcb.sndMss), 0);
}

/** All that was outstanding when recovery began is acknowledged. */
function endRecovery(tcb: Tcb, now: number): void {
  // PRR ends at ssthresh (RFC 6937 §3, RFC5681-4.3-c); after a timeout slow start goes on from
  // where it is.
  if (tcb.recovery === Recovery.FAST) {
    setRecoveryWindow(tcb, Math.max(tcb.ssthresh, tcb.sndMss));
  }
  tcb.recovery = Recovery.OPEN;
  tcb.frto = Frto.OFF;
  noteRecoveryEnd(tcb);
  recovered(tcb, now);
}

/** RFC 8985 §7.4.2: a loss all the same, to which the window answers as to any other. */
function onProbeRepair(tcb: Tcb, now: number): void {
  tcb.host.counters.tcpLossProbeRecovery++;
  if (tcb.recovery !== Recovery.OPEN) return;
  reduceForLoss(tcb, now);
  setRecoveryWindow(tcb, Math.min(tcb.cwnd, tcb.ssthresh));
  recovered(tcb, now);
}

/** The reordering timer has expired: what was late is lost (RFC 8985 §6.2 step 5). */
export function onReorderTimeout(tcb: Tcb, sample: RateSample, now: number): void {
  const { cwnd, ssthresh } = tcb;
  const wait = detectLossByTime(tcb, sample, now);
  if (sample.newlyLost > 0) {
    if (tcb.recovery === Recovery.OPEN) onLoss(tcb, sample.newlyLost, sample.priorInFlight, now);
    if (tcb.recovery === Recovery.FAST) reduceProportionally(tcb, tcb.sndMss, false);
    tellCongestion(tcb, cwnd, ssthresh, RACK.why, now);
  }
  if (wait > 0) armReorder(tcb, wait, now);
  else resumeRetransmit(tcb, now);
}

/** RFC 6298 §5.4 to 5.6 and RFC 5681 §3.1: what is outstanding is taken for lost. */
export function onRetransmitTimeout(tcb: Tcb, sample: RateSample, now: number): void {
  const { cwnd, ssthresh } = tcb;
  const again = tcb.recovery === Recovery.LOSS;
  if (!tcb.hasSent) prepareToSend(tcb, now);
  forgetMtuProbe(tcb, now);
  if (tcb.retransmits === 1) {
    if (tcb.recovery === Recovery.OPEN) beginEpisode(tcb, true);
    reduceForTimeout(tcb, now);
  }
  const bySack = tcb.lossDetection !== LossDetection.NEWRENO;
  tcb.frto = again || (bySack && tcb.recovery === Recovery.FAST) ? Frto.OFF : Frto.FIRST_ACK;
  tcb.recovery = Recovery.LOSS;
  tcb.recover = tcb.sndNxt;
  tcb.dupAcks = 0;
  tcb.rack.probeOut = false;
  tcb.lossCause = RTO;
  const { sent } = tcb;
  if (sent.length > 0 && (sent.flags(0) & Sent.SACKED) !== 0) forgetSack(tcb);
  if (tcb.lossDetection === LossDetection.RACK && tcb.lossCause === RTO) {
    markLostByTimeout(tcb, sample, now);
  } else {
    markAllLost(tcb, sample);
  }
  if (tcb.synOutstanding) tcb.synLost = true;
  tcb.cwnd = tcb.inFlight + tcb.sndMss;
  tellCongestion(tcb, cwnd, ssthresh, 'all outstanding is taken for lost: RFC 5681 §3.1', now);
}

/** RFC 2018 §8: the peer has discarded what it had SACKed, which is its right. */
function forgetSack(tcb: Tcb): void {
  tcb.host.counters.tcpSackReneging++;
  tcb.lossCause = RENEGED;
  tcb.frto = Frto.OFF;
  tcb.fack = tcb.sndUna;
  for (let row = 0; row < tcb.sent.length; row++) tcb.sent.unmarkSacked(row);
}

/** Sends everything outstanding again, as after a window that was closed or an MTU that shrank. */
export function retransmitAll(tcb: Tcb, cause: RetransmitCause): void {
  tcb.lossCause = cause;
  markAllLost(tcb, tcb.host.rateSample);
}

function markAllLost(tcb: Tcb, sample: RateSample): void {
  for (let row = 0; row < tcb.sent.length; row++) markLost(tcb, row, sample);
}

/** SYN, or SYN and ACK, goes out again at the next output. */
export function retransmitSyn(tcb: Tcb, cause: RetransmitCause): void {
  tcb.synTimed = false;
  tcb.synLost = true;
  tcb.lossCause = cause;
}

/** RFC 8985 §8: one timer, for what comes first. */
function setTimer(tcb: Tcb, acked: number, wait: number, now: number): void {
  if (tcb.flight === 0) {
    if (acked > 0) stopRetransmit(tcb, now);
    return;
  }
  if (acked > 0) tcb.rtoSince = now;
  else if (tcb.persisting) return;
  if (wait > 0) armReorder(tcb, wait, now);
  else if (acked > 0) onProgress(tcb, now);
  else if (tcb.lossTimer === LossTimer.REORDER) resumeRetransmit(tcb, now);
  else if (tcb.lossTimer === LossTimer.PROBE && !mayProbe(tcb)) resumeRetransmit(tcb, now);
}

/** RFC 6298 §5.3: the timer starts anew with each ACK of new data. */
function onProgress(tcb: Tcb, now: number): void {
  const { sent } = tcb;
  if (mayProbe(tcb)) scheduleProbe(tcb, now);
  else if (sent.length > 0 && (sent.flags(0) & Sent.SACKED) !== 0) armReneging(tcb, now);
  else armRetransmit(tcb, now);
}

function ackWords(tcb: Tcb, before: Recovery, acked: number): string {
  if (before !== Recovery.FAST && tcb.recovery === Recovery.FAST) return tcb.lossCause.why;
  const { congestion } = tcb;
  if (congestion.ownsWindow === true && congestion.why !== undefined) return congestion.why;
  if (tcb.recovery === Recovery.FAST && tcb.lossDetection !== LossDetection.NEWRENO) {
    return 'the window falls in proportion to what arrives: RFC 6937 §3';
  }
  return acked > 0
    ? (congestion.why ?? 'new octets are acknowledged: RFC 5681 §3')
    : 'a segment has left the network: RFC 5681 §3.2';
}
