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
