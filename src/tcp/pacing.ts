import type { Tcb } from './tcb.js';
import { armPacing } from './timers.js';

/**
 * Timers tick in ms: what may go out within the next ms goes out now, and so much again for a timer
 * that came late. As in Linux's fq, which lets a quantum and the time to the next tick through. ms.
 */
const HORIZON = 1;
const MOST_LATE = 2;
/** As in Linux: so much of a connection goes out unpaced. Segments. */
const UNPACED = 10;
/** Linux's tcp_pacing_ss_ratio and tcp_pacing_ca_ratio: how much faster than cwnd per round trip. */
const SLOW_START_RATIO = 2;
const AVOIDANCE_RATIO = 1.2;

/**
 * Whether the pacing rate holds back what could be sent at `now`; the timer is then armed for when it
 * no longer does.
 */
export function pacingHolds(tcb: Tcb, now: number): boolean {
  if (tcb.pacingRate === 0 || tcb.pacing.until <= now + HORIZON) return false;
  armPacing(tcb, tcb.pacing.until, now);
  return true;
}

/** Most bytes that go out in one burst, in full segments: 1 ms at the rate, and two segments at least. */
export function pacingBurst(tcb: Tcb, most: number): number {
  if (tcb.pacingRate === 0) return most;
  const segments = Math.max(2, Math.floor((tcb.pacingRate * HORIZON) / tcb.sndMss));
  return Math.min(most, segments * tcb.sndMss);
}

/** So many bytes have been sent: how long the rate takes for them has to pass. */
export function notePaced(tcb: Tcb, bytes: number, now: number): void {
  if (tcb.pacingRate === 0 || tcb.delivery.bytesSent < UNPACED * tcb.sndMss) return;
  // A flight begins with no credit; within one a late timer or ACK is made up for.
  const earliest = tcb.flight <= bytes ? now : now - MOST_LATE;
  tcb.pacing.until = Math.max(tcb.pacing.until, earliest) + bytes / tcb.pacingRate;
}

/**
 * The rate for a control that sets none: cwnd per round trip and somewhat more, so that cwnd stays
 * what limits; 0: bursts may be as cwnd and ACKs have them.
 */
export function windowRate(tcb: Tcb): number {
  if (tcb.srtt === 0) return 0;
  const ratio = tcb.cwnd < tcb.ssthresh / 2 ? SLOW_START_RATIO : AVOIDANCE_RATIO;
  return (ratio * tcb.cwnd) / tcb.srtt;
}
