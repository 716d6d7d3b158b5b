import { lt } from '../base/seq.js';
import { type AckSample, createCongestionControl, type LossSample } from './congestion.js';
import type { RateSample } from './delivery-rate.js';
import { windowRate } from './pacing.js';
import { Sent } from './sent-segments.js';
import type { Tcb } from './tcb.js';

/** RFC 7661 §4.4: how long a window that is not in use is kept. ms. */
const NON_VALIDATED_PERIOD = 300_000;
/** §4.2: pipeACK is the largest of the last Max(3*RTT, 1 second); kept in two halves. */
const SAMPLING_PERIOD = 1_000;

/**
 * Where recovery, output and the congestion control meet: each function is called when what its name
 * says has happened, and calls the hooks of docs/congestion.md. It also keeps watch on whether the
 * window is in use (RFC 7661).
 */

/** The first text is about to be sent, or the user has chosen another control since. */
export function startCongestionControl(tcb: Tcb, now: number): void {
  tcb.congestion = createCongestionControl(tcb.congestionControl);
  tcb.pacingRate = 0;
  tcb.windowUse.validatedAt = now;
  tcb.congestion.init?.(tcb, now);
  setPacingRate(tcb);
}

/** An ACK has been taken apart, and it is known what is lost by it; before recovery acts on that. */
export function sampled(tcb: Tcb, sample: RateSample, now: number): void {
  endCwr(tcb);
  if (!sample.hasData) return;
  sample.lost = tcb.delivery.lost - sample.lostBefore;
  measurePipeAck(tcb, sample, now);
  tcb.congestion.onSample?.(tcb, sample, now);
}

/**
 * The window may grow by the ACK, if it was in use (RFC 7661 §4.3): outside of recovery and in the
 * slow start that follows a timeout (`slowStart`), in which everything waits for it.
 */
export function grow(tcb: Tcb, sample: AckSample, slowStart: boolean, now: number): void {
  // Not by an ACK that echoes a mark (RFC 3168 §6.1.2).
  if (!slowStart && (sample.marked > 0 || !wasInUse(tcb))) return;
  tcb.congestion.onAck(tcb, sample, now);
}

/** Recovery keeps cwnd while it lasts, unless the control does so itself. */
export function setRecoveryWindow(tcb: Tcb, cwnd: number): void {
  if (tcb.congestion.ownsWindow !== true) tcb.cwnd = cwnd;
}

/** What began with a loss or a timeout is repaired. */
export function recovered(tcb: Tcb, now: number): void {
  if (tcb.windowUse.lossUsed >= 0 && tcb.congestion.ownsWindow !== true) {
    // RFC 7661 §4.4.1: what was lost has shown that so much was too much.
    const resent = tcb.delivery.bytesRetransmitted - tcb.windowUse.lossResentFrom;
    tcb.cwnd = Math.min(tcb.cwnd, Math.max((tcb.windowUse.lossUsed - resent) >> 1, tcb.sndMss));
    tcb.ssthresh = Math.max(tcb.cwnd, 2 * tcb.sndMss);
  }
  tcb.windowUse.lossUsed = -1;
  tcb.congestion.onRecovered?.(tcb, now);
}

/** The loss or timeout was none; cwnd and ssthresh are what they were before it. */
export function undone(tcb: Tcb, now: number): void {
  tcb.windowUse.lossUsed = -1;
  if (tcb.ecnOk) {
    tcb.ecn.inCwr = false;
    tcb.ecn.cwrPending = false;
  }
  tcb.congestion.onUndo?.(tcb, now);
}

/** After all else that the ACK has changed. */
export function setPacingRate(tcb: Tcb): void {
  if (tcb.congestion.paces === true) return;
  const { config } = tcb.host;
  const wanted = config.pacing || mayBurst(tcb, config.initialWindow * tcb.sndMss);
  tcb.pacingRate = wanted ? windowRate(tcb) : 0;
}

/**
 * RFC 7661 §4.4.2: a window that is not validated does not go out in one burst, but for the
 * `initial` bytes that any connection may begin with.
 */
function mayBurst(tcb: Tcb, initial: number): boolean {
  return (
    tcb.windowUse.pipeAck >= 0 &&
    tcb.cwnd > 2 * Math.max(tcb.windowUse.pipeAck, tcb.flight) + initial
  );
}

/** Filled again for each loss. */
const loss: { -readonly [K in keyof LossSample]: LossSample[K] } = {
  size: 0,
  txInFlight: 0,
  lost: -0,
  isAppLimited: false,
};

/** A row of what is outstanding, of so many bytes, is taken for lost. */
export function noteLost(tcb: Tcb, row: number, size: number): void {
  const { congestion, sent } = tcb;
  if (congestion.onLost === undefined) return;
  loss.size = size;
  loss.txInFlight = sent.txInFlight(row);
  loss.lost = tcb.delivery.lost - sent.lostTotal(row);
  loss.isAppLimited = (sent.flags(row) & Sent.APP_LIMITED) !== 0;
  congestion.onLost(tcb, loss);
}

/**
 * A loss begins recovery (RFC 5681 §4.3, RFC 2018 §5.1): ssthresh falls, unless a mark has lowered
 * it for this window already.
 */
export function reduceForLoss(tcb: Tcb, now: number): void {
  noteUnvalidatedLoss(tcb);
  const { congestion } = tcb;
  if (!tcb.ecn.inCwr || congestion.ownsWindow === true) {
    congestion.onLoss(tcb, usedWindow(tcb), now);
  }
  forgetPipeAck(tcb);
  startCwr(tcb);
}

/** The retransmission timer has expired for the first time for what is outstanding. */
export function reduceForTimeout(tcb: Tcb, now: number): void {
  tcb.congestion.onTimeout(tcb, usedWindow(tcb), now);
  forgetPipeAck(tcb);
  startCwr(tcb);
}

/** For {@link recovered}: what was used of a window that is not validated. */
function noteUnvalidatedLoss(tcb: Tcb): void {
  if (isValidated(tcb)) return;
  tcb.windowUse.lossUsed = Math.max(tcb.flight, tcb.windowUse.pipeAck);
  tcb.windowUse.lossResentFrom = tcb.delivery.bytesRetransmitted;
}

/**
 * The window falls from what was used of it (RFC 7661 §4.4.1), which at the end of a flight is more
 * than FlightSize: one that lost its last segment has carried the others (RFC 9438 §4.6).
 */
function usedWindow(tcb: Tcb): number {
  return Math.min(Math.max(tcb.flight, tcb.windowUse.pipeAck), Math.max(tcb.cwnd, tcb.sndMss));
}

/**
 * Something new is about to be sent with nothing outstanding. cwnd is kept for 5 minutes, and falls by
 * half for each that it was not in use (RFC 7661 §4.4.3).
 */
export function restartWindow(tcb: Tcb, now: number): void {
  // A single ACK may be for all of a flight, with the next one waiting for it: that is no pause.
  const { delivery } = tcb;
  if (delivery.bytesSent > 0 && delivery.appLimited !== 0) {
    tcb.congestion.onIdleRestart?.(tcb, now - delivery.sentAt, now);
    expireWindow(tcb, now);
  }
  setPacingRate(tcb);
}

function expireWindow(tcb: Tcb, now: number): void {
  if (tcb.congestion.ownsWindow === true) return;
  const { cwnd, ssthresh } = tcb;
  const initial = tcb.host.config.initialWindow * tcb.sndMss;
  while (now - tcb.windowUse.validatedAt >= NON_VALIDATED_PERIOD && tcb.cwnd > initial) {
    tcb.windowUse.validatedAt += NON_VALIDATED_PERIOD;
    tcb.ssthresh = Math.max(tcb.ssthresh, (3 * tcb.cwnd) >> 2);
    tcb.cwnd = Math.max(tcb.cwnd >> 1, initial);
  }
  tellCongestion(tcb, cwnd, ssthresh, 'the window was not in use for long: RFC 7661 §4.4.3', now);
}

/**
 * Output has sent what it may. `limited`: the congestion window, not the peer's or a lack of text,
 * kept the rest. The strongest answer within a round trip counts, as in Linux's tcp_cwnd_validate().
 */
export function noteWindowUse(tcb: Tcb, limited: boolean): void {
  const { flight } = tcb;
  const roundOver = !lt(tcb.sndUna, tcb.windowUse.end);
  if (!roundOver && !limited && (tcb.cwndLimited || flight <= tcb.windowUse.mostFlight)) return;
  tcb.cwndLimited = limited;
  tcb.windowUse.mostFlight = flight;
  tcb.windowUse.end = tcb.sndNxt;
}

/** In slow start half of the window in use is enough, for it may double within the round trip. */
function wasInUse(tcb: Tcb): boolean {
  return tcb.cwndLimited || (tcb.cwnd < tcb.ssthresh && tcb.cwnd < 2 * tcb.windowUse.mostFlight);
}

/** §4.3: at least half of cwnd is in use or was of late, or nothing is measured yet. */
function isValidated(tcb: Tcb): boolean {
  return tcb.windowUse.pipeAck < 0 || 2 * Math.max(tcb.windowUse.pipeAck, tcb.flight) >= tcb.cwnd;
}

/** §4.5.1: bytes that arrived within a round trip, the most of the sampling period. */
function measurePipeAck(tcb: Tcb, sample: AckSample, now: number): void {
  if (now - tcb.windowUse.pipeAckSince >= Math.max(3 * tcb.srtt, SAMPLING_PERIOD) / 2) {
    tcb.windowUse.pipeAckSince = now;
    tcb.windowUse.pipeAckBefore = tcb.windowUse.pipeAckNow;
    tcb.windowUse.pipeAckNow = 0;
  }
  if (sample.delivered > tcb.windowUse.pipeAckNow) tcb.windowUse.pipeAckNow = sample.delivered;
  tcb.windowUse.pipeAck = Math.max(tcb.windowUse.pipeAckNow, tcb.windowUse.pipeAckBefore);
  if (isValidated(tcb)) tcb.windowUse.validatedAt = now;
}

/** §4.2: after recovery it is measured anew. */
function forgetPipeAck(tcb: Tcb): void {
  tcb.windowUse.pipeAck = -1;
  tcb.windowUse.pipeAckNow = 0;
  tcb.windowUse.pipeAckBefore = 0;
}

/** The window was lowered: the peer is told, and what is outstanding now lowers it no further. */
export function startCwr(tcb: Tcb): void {
  if (!tcb.ecnOk) return;
  tcb.ecn.cwrPending = true;
  tcb.ecn.inCwr = true;
  tcb.ecn.cwrEnd = tcb.sndNxt;
}

/** SND.UNA has moved: marks of the next window count again. */
function endCwr(tcb: Tcb): void {
  if (tcb.ecn.inCwr && !lt(tcb.sndUna, tcb.ecn.cwrEnd)) tcb.ecn.inCwr = false;
}

/** Tells the trace that cwnd or ssthresh is not what it was, if so. */
export function tellCongestion(
  tcb: Tcb,
  cwndBefore: number,
  ssthreshBefore: number,
  why: string,
  now: number,
): void {
  const { trace } = tcb.host;
  if (trace === null || (tcb.cwnd === cwndBefore && tcb.ssthresh === ssthreshBefore)) return;
  trace.congestion(tcb, cwndBefore, ssthreshBefore, why, now);
}
