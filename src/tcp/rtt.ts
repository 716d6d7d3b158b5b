import type { Tcb } from './tcb.js';

/** Weights of RFC 6298 §2.3. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
/** Stands for a round trip that took no time, since 0 stands for none; too little to change a sum. */
const NO_TIME = 1e-30;

/**
 * Takes a round-trip sample in ms: SRTT, RTTVAR and RTO of RFC 6298 §2.2 and §2.3 (RFC 9293
 * MUST-18).
 */
export function rttSample(tcb: Tcb, sample: number, now: number): void {
  if (now - sample < tcb.host.wokeAt) {
    // The ACK has waited for us: an hour's stop would make the timeout as long, when much was lost.
    setRto(tcb);
    return;
  }
  if (tcb.srtt === 0) {
    tcb.srtt = Math.max(sample, NO_TIME);
    tcb.rttvar = sample / 2;
  } else if (tcb.episode.lateSrtt > 0) {
    // RFC 4015 §3.1 (11): after a spurious timeout the timer becomes more conservative.
    tcb.srtt = Math.max(tcb.episode.lateSrtt, sample);
    tcb.rttvar = Math.max(tcb.episode.lateRttvar, sample / 2);
    tcb.episode.lateSrtt = 0;
  } else {
    tcb.rttvar = (1 - BETA) * tcb.rttvar + BETA * Math.abs(tcb.srtt - sample);
    tcb.srtt = Math.max((1 - ALPHA) * tcb.srtt + ALPHA * sample, NO_TIME);
  }
  if (tcb.hasSent) tcb.roundTrips.takenAt = now;
  setRto(tcb);
  const { trace } = tcb.host;
  if (trace !== null) trace.rttSample(tcb, sample, now);
}

/**
 * RTO from the estimate, without back-off (RFC 6298 §2.4, RFC6298-4). The lower bound holds for the
 * term of the variation, as on Linux: a path that was steady for a while must not time out for the
 * first ACK that is late by more than the granularity G of RFC 6298 §2.3.
 */
export function setRto(tcb: Tcb): void {
  const { config } = tcb.host;
  if (tcb.srtt === 0) {
    tcb.rto = config.rtoInitial;
    return;
  }
  const rto = tcb.srtt + Math.max(config.rtoMin, 4 * tcb.rttvar);
  tcb.rto = Math.min(rto, config.rtoMax);
}

/** RFC 6298 §5.5, RFC 9293 MUST-19: "back off the timer". */
export function backOff(tcb: Tcb): void {
  tcb.rto = Math.min(tcb.rto * 2, tcb.host.config.rtoMax);
}

/** How long a round trip counts as the shortest: RFC 8985 §6.2 wants a windowed minimum. ms. */
const MIN_RTT_WINDOW = 300_000;

/**
 * Takes a round trip in ms into the shortest of the last minutes. The window is kept in two halves:
 * the minimum of the half before this one holds until this one ends.
 */
export function noteMinRtt(tcb: Tcb, sample: number, now: number): void {
  if (!tcb.rack.rttSinceProbe) tcb.rack.rttSinceProbe = true;
  const rtt = Math.max(sample, NO_TIME);
  const { roundTrips } = tcb;
  if (roundTrips.min === 0 || rtt <= roundTrips.min) {
    roundTrips.min = rtt;
    roundTrips.minNext = rtt;
    roundTrips.minSince = now;
    return;
  }
  if (rtt < roundTrips.minNext) roundTrips.minNext = rtt;
  if (now - roundTrips.minSince < MIN_RTT_WINDOW / 2) return;
  roundTrips.min = roundTrips.minNext;
  roundTrips.minNext = rtt;
  roundTrips.minSince = now;
}
