import { add, diff, geq, gt, leq, lt, max } from '../base/seq.js';
import { OPT_TIMESTAMPS, type Segment } from '../wire/segment.js';
import { undone } from './congestion-window.js';
import type { RateSample } from './delivery-rate.js';
import { unsent } from './sender.js';
import { BLANK_EPISODE, LossEpisode } from './sender-variables.js';
import { Sent } from './sent-segments.js';
import { Frto, LossDetection, Recovery, type Tcb } from './tcb.js';
import { timestamp } from './timestamp.js';

/**
 * Finds out that nothing was lost after all, and takes the reduction of the window back. Three ways
 * lead to it: the timestamp that the first ACK echoes (Eifel, RFC 3522), D-SACKs for everything that
 * was sent again (RFC 2883 appendix B), and after a timeout the ACKs for new data (F-RTO, RFC 5682).
 */

/** Clock granularity G in ms. */
const GRANULARITY = 1;
/** Of a row that is sent again, and neither SACKed nor lost once more, only the last is set. */
const AGAIN = Sent.SACKED | Sent.LOST | Sent.RETRANSMITTED;

/** Loss recovery begins: remembers what cwnd and ssthresh were (RFC 4015 §3.1 step 0). */
export function beginEpisode(tcb: Tcb, timeout: boolean): void {
  if (tcb.episode === BLANK_EPISODE) tcb.episode = new LossEpisode();
  const { episode } = tcb;
  episode.undoable = true;
  episode.cwnd = tcb.cwnd;
  episode.ssthresh = Math.max(tcb.flight, tcb.ssthresh);
  episode.from = tcb.sndUna;
  episode.to = tcb.sndNxt;
  episode.octets = sentAgain(tcb);
  episode.timeout = timeout;
  episode.srtt = tcb.srtt + 2 * GRANULARITY;
  episode.rttvar = tcb.rttvar;
  episode.eifelWaits = tcb.timestampsOk;
  episode.eifelAlone = episode.octets === 0;
  episode.eifelSent = false;
}

/** Octets outstanding that were sent again before, each of which may yet be reported as a duplicate. */
function sentAgain(tcb: Tcb): number {
  const { sent, highRxt } = tcb;
  let octets = 0;
  for (let row = 0; row < sent.length && lt(sent.start(row), highRxt); row++) {
    if ((sent.flags(row) & AGAIN) === Sent.RETRANSMITTED) octets += sent.size(row);
  }
  return octets;
}

/** Octets of the episode are sent again. */
export function noteRetransmission(tcb: Tcb, octets: number, now: number): void {
  tcb.episode.octets += octets;
  if (tcb.episode.eifelSent) return;
  tcb.episode.eifelSent = true;
  tcb.episode.eifelTs = timestamp(tcb, now);
}

/**
 * Eifel detection, RFC 3522 §3.2: the first acceptable ACK of the episode echoes a timestamp older
 * than that of the first retransmission, so it is for the original.
 */
export function provedByTimestamp(tcb: Tcb, segment: Segment, sample: RateSample): boolean {
  if (!tcb.episode.eifelWaits) return false;
  tcb.episode.eifelWaits = false;
  if (!tcb.episode.eifelSent || (segment.options & OPT_TIMESTAMPS) === 0 || segment.tsEcr === 0)
    return false;
  if (((segment.tsEcr - tcb.episode.eifelTs) | 0) >= 0 || sample.dsack) return false;
  if (!tcb.episode.eifelAlone && !headWasSentAgain(tcb, sample)) return false;
  // Step (5): with everything acknowledged at once, all ACKs may have been lost instead.
  return tcb.rack.dsacks > 0 || tcb.flight > 0;
}

/**
 * What was at SND.UNA was sent again in this episode, for the first time: with retransmissions of an
 * earlier one outstanding, the ACK for one of these would echo a timestamp that is as old.
 */
function headWasSentAgain(tcb: Tcb, sample: RateSample): boolean {
  const { headAgainAt } = sample;
  return headAgainAt >= 0 && ((timestamp(tcb, headAgainAt) - tcb.episode.eifelTs) | 0) >= 0;
}

/** The peer had everything already that was sent again in the episode. */
export function provedByDuplicates(tcb: Tcb, sample: RateSample): boolean {
  if (!tcb.episode.undoable || !sample.dsack || tcb.episode.octets <= 0) return false;
  if (!geq(sample.dsackLeft, tcb.episode.from) || !leq(sample.dsackRight, tcb.episode.to))
    return false;
  tcb.episode.octets -= diff(sample.dsackRight, sample.dsackLeft);
  // Less than nothing: the network makes duplicates too, so that nothing can be told.
  if (tcb.episode.octets < 0) tcb.episode.undoable = false;
  return tcb.episode.octets === 0;
}

/**
 * F-RTO, RFC 5682 §2.1 and (with SACK) §3.1, after a timeout: true when it was spurious. `duplicate`
 * as in RFC 5681 §2; `acked` octets are what SND.UNA moved by.
 */
export function provedByNewData(
  tcb: Tcb,
  sample: RateSample,
  acked: number,
  duplicate: boolean,
): boolean {
  if (tcb.frto === Frto.FIRST_ACK) onFirstAck(tcb, acked, duplicate);
  else if (tcb.frto === Frto.SECOND_ACK) return onSecondAck(tcb, sample, acked, duplicate);
  return false;
}

/** Step 2: when the ACK moves on, two segments of new data tell by their ACKs what has happened. */
function onFirstAck(tcb: Tcb, acked: number, duplicate: boolean): void {
  const sack = tcb.lossDetection !== LossDetection.NEWRENO;
  if (acked === 0) {
    if (duplicate && !sack) tcb.frto = Frto.OFF;
    return;
  }
  tcb.frto = Frto.OFF;
  if (geq(tcb.sndUna, tcb.recover) || headWasResent(tcb)) return;
  // Less than a segment might wait for the Nagle algorithm, and nothing would come back.
  if (Math.min(unsent(tcb), tcb.sndWnd - tcb.flight) < tcb.sndMss) return;
  tcb.frto = Frto.SECOND_ACK;
  tcb.recover = tcb.sndNxt;
  tcb.cwnd = tcb.inFlight + 2 * tcb.sndMss;
}

/** The ACK does not cover all that the timeout has sent again. */
function headWasResent(tcb: Tcb): boolean {
  return tcb.sent.length > 0 && tcb.sent.times(0) > 0;
}

/** Step 3. */
function onSecondAck(tcb: Tcb, sample: RateSample, acked: number, duplicate: boolean): boolean {
  const news = acked > 0 || sample.newlySacked > 0;
  if (!news && !duplicate) return false;
  tcb.frto = Frto.OFF;
  const beyond = gt(max(sample.highest, tcb.sndUna), tcb.recover);
  const bySack = tcb.lossDetection !== LossDetection.NEWRENO;
  if (bySack ? news && !beyond : acked > 0) return true;
  tcb.cwnd = Math.min(tcb.cwnd, 3 * tcb.sndMss);
  return false;
}

/** Takes the reduction back, and with it what was taken for lost (RFC 4015 §3.1 steps 8 to 11). */
export function undo(tcb: Tcb, acked: number, now: number): void {
  const { sent } = tcb;
  if (sent.lost > 0) for (let row = 0; row < sent.length; row++) sent.unmarkLost(row);
  if (tcb.episode.timeout) {
    const initial = tcb.host.config.initialWindow * tcb.sndMss;
    const burst = Math.min(Math.max(acked, tcb.sndMss), initial);
    tcb.cwnd = Math.max(tcb.cwnd, tcb.inFlight + burst);
    tcb.episode.lateSrtt = tcb.episode.srtt;
    tcb.episode.lateRttvar = tcb.episode.rttvar;
  } else {
    tcb.cwnd = Math.max(tcb.cwnd, tcb.episode.cwnd);
  }
  tcb.ssthresh = Math.max(tcb.ssthresh, tcb.episode.ssthresh);
  tcb.recovery = Recovery.OPEN;
  tcb.recover = add(tcb.sndUna, -1);
  tcb.dupAcks = 0;
  tcb.frto = Frto.OFF;
  endEpisode(tcb);
  undone(tcb, now);
}

export function endEpisode(tcb: Tcb): void {
  const { episode } = tcb;
  if (episode === BLANK_EPISODE) return;
  episode.undoable = false;
  episode.eifelWaits = false;
}
