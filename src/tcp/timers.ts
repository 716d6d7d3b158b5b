import type { Tcb } from './tcb.js';

/** RFC 6298 §5.1 and §5.3: (re)starts the retransmission timer. */
export function armRetransmit(tcb: Tcb, now: number): void {
  tcb.persisting = false;
  tcb.retransmitAt = now + tcb.rto;
}

/** RFC 6298 §5.2: all outstanding data is acknowledged. */
export function stopRetransmit(tcb: Tcb): void {
  tcb.persisting = false;
  tcb.retransmitAt = Infinity;
}

/** RFC 9293 §3.8.6.1: probes a window that lets nothing out, first after one RTO (SHLD-29). */
export function armPersist(tcb: Tcb, now: number): void {
  tcb.persisting = true;
  tcb.retransmitAt = now + tcb.rto;
}

/** RFC 9293 §3.8.4: the interval starts anew with everything heard from the peer. */
export function armKeepAlive(tcb: Tcb, now: number): void {
  tcb.keepAliveUnanswered = 0;
  tcb.keepAliveAt = now + tcb.keepAliveIdle;
}

/** TIME_WAIT, RST and timeouts turn all timers off. */
export function stopTimers(tcb: Tcb): void {
  tcb.persisting = false;
  tcb.retransmitAt = Infinity;
  tcb.delayedAckAt = Infinity;
  tcb.finWait2At = Infinity;
  tcb.keepAliveAt = Infinity;
}

/** The earliest deadline in ms; Infinity when no timer runs. */
export function nextDeadline(tcb: Tcb): number {
  return Math.min(tcb.retransmitAt, tcb.delayedAckAt, tcb.finWait2At, tcb.keepAliveAt);
}
