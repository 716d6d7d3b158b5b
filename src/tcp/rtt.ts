import type { Tcb } from './tcb.js';

/** Weights of RFC 6298 §2.3. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
/** Clock granularity G in ms: the timer wheel's tick. */
const GRANULARITY = 1;

/** Takes a round-trip sample in ms: SRTT, RTTVAR and RTO of RFC 6298 §2. */
export function rttSample(tcb: Tcb, sample: number, now: number): void {
  if (tcb.srtt === 0) {
    tcb.srtt = Math.max(sample, 1e-3);
    tcb.rttvar = sample / 2;
  } else {
    tcb.rttvar = (1 - BETA) * tcb.rttvar + BETA * Math.abs(tcb.srtt - sample);
    tcb.srtt = (1 - ALPHA) * tcb.srtt + ALPHA * sample;
  }
  tcb.rttTakenAt = now;
  setRto(tcb);
  const { trace } = tcb.host;
  if (trace !== null) trace.rttSample(tcb, sample, now);
}

/** RTO from the estimate, without back-off. */
export function setRto(tcb: Tcb): void {
  const { config } = tcb.host;
  if (tcb.srtt === 0) {
    tcb.rto = config.rtoInitial;
    return;
  }
  const rto = tcb.srtt + Math.max(GRANULARITY, 4 * tcb.rttvar);
  tcb.rto = Math.min(Math.max(rto, config.rtoMin), config.rtoMax);
}

/** RFC 6298 §5.5: "back off the timer". */
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
  const rtt = Math.max(sample, 1e-3);
  if (tcb.minRtt === 0 || rtt <= tcb.minRtt) {
    tcb.minRtt = rtt;
    tcb.minRttNext = rtt;
    tcb.minRttSince = now;
    return;
  }
  if (rtt < tcb.minRttNext) tcb.minRttNext = rtt;
  if (now - tcb.minRttSince < MIN_RTT_WINDOW / 2) return;
  tcb.minRtt = tcb.minRttNext;
  tcb.minRttNext = rtt;
  tcb.minRttSince = now;
}
