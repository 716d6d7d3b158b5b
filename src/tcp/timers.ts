import type { Orphan } from './rare-variables.js';
import { LossTimer, type Tcb } from './tcb.js';
import type { TimerAction, TimerName } from './trace.js';

/** RFC 6298 §5.1 and §5.3: (re)starts the retransmission timer. */
export function armRetransmit(tcb: Tcb, now: number): void {
  tcb.rtoSince = now;
  set(tcb, LossTimer.RETRANSMIT, now + tcb.rto, 'octets are outstanding: RFC 6298 §5.1', now);
}

/**
 * The retransmission timer as it would stand had it not made room for another: RFC 8985 §8 allows
 * one at a time, and none of them may put off the timeout for ever.
 */
export function resumeRetransmit(tcb: Tcb, now: number): void {
  const at = Math.max(tcb.rtoSince + tcb.rto, now);
  set(tcb, LossTimer.RETRANSMIT, at, 'the oldest segment still waits: RFC 6298 §5.1', now);
}

/** RFC 8985 §6.2 step 5: in `wait` ms, what is not SACKed by then is lost and not late. */
export function armReorder(tcb: Tcb, wait: number, now: number): void {
  const at = now + wait;
  if (at >= tcb.rtoSince + tcb.rto) resumeRetransmit(tcb, now);
  else set(tcb, LossTimer.REORDER, at, 'it may be late and not lost: RFC 8985 §6.2', now);
}

/** RFC 8985 §7.2: a probe goes out in `wait` ms unless an ACK comes before. */
export function armProbe(tcb: Tcb, wait: number, now: number): void {
  const at = Math.max(Math.min(now + wait, tcb.rtoSince + tcb.rto), now);
  set(tcb, LossTimer.PROBE, at, 'the tail of a flight has no later segments: RFC 8985 §7.2', now);
}

/** SACKed octets that were not acknowledged may be gone: SND.UNA gets little time to pass them. */
export function armReneging(tcb: Tcb, now: number): void {
  const at = now + Math.min(Math.max(tcb.srtt / 2, 10), tcb.rto);
  set(
    tcb,
    LossTimer.RETRANSMIT,
    at,
    'the peer may have discarded what it SACKed: RFC 2018 §8',
    now,
  );
}

/** RFC 6298 §5.2: all outstanding data is acknowledged. */
export function stopRetransmit(tcb: Tcb, now: number): void {
  cancelRetransmit(tcb, 'all is acknowledged: RFC 6298 §5.2', now);
}

/** RFC 9293 §3.8.6.1: probes a window that lets nothing out, first after one RTO (SHLD-29). */
export function armPersist(tcb: Tcb, now: number): void {
  const why = 'the window of the peer lets nothing out: RFC 9293 §3.8.6.1';
  set(tcb, LossTimer.PERSIST, now + tcb.rto, why, now);
}

/**
 * Without this, a connection with nothing outstanding would wait for a blocked link without limit. What
 * the timer sends, the link queues, and the retransmission timeout has the last word.
 */
export function armBlocked(tcb: Tcb, now: number): void {
  const why = 'the link takes nothing: as for a shut window, RFC 9293 §3.8.6.1';
  if (!tcb.host.canTransmit(tcb)) set(tcb, LossTimer.PERSIST, now + tcb.rto, why, now);
}

function set(tcb: Tcb, kind: LossTimer, at: number, why: string, now: number): void {
  const { retransmitAt, lossTimer } = tcb;
  if (lossTimer === kind && retransmitAt === at) return;
  if (lossTimer !== kind && retransmitAt !== Infinity) {
    tell(tcb, lossTimerName(lossTimer), 'cancelled', retransmitAt, why, now);
  }
  tcb.lossTimer = kind;
  tcb.retransmitAt = at;
  tell(tcb, lossTimerName(kind), 'armed', at, why, now);
}

export function lossTimerName(timer: LossTimer): LossTimerName {
  return LOSS_TIMERS[timer];
}

type LossTimerName = 'retransmit' | 'persist' | 'reorder' | 'probe';

const LOSS_TIMERS: Readonly<Record<LossTimer, LossTimerName>> = [
  'retransmit',
  'persist',
  'reorder',
  'probe',
];

/**
 * RFC 9293 §3.8.6.3 (SHLD-18, MUST-40): what was received is acknowledged within a limit of time.
 */
export function armDelayedAck(tcb: Tcb, now: number): void {
  tcb.delayedAckAt = now + tcb.host.config.delayedAck;
  const why = 'less than two full-sized segments wait to be acknowledged: RFC 9293 §3.8.6.3';
  tell(tcb, 'delayedAck', 'armed', tcb.delayedAckAt, why, now);
}

export function stopDelayedAck(tcb: Tcb, now: number): void {
  const at = tcb.delayedAckAt;
  if (at === Infinity) return;
  tcb.delayedAckAt = Infinity;
  tell(tcb, 'delayedAck', 'cancelled', at, 'an ACK goes out already: RFC 9293 §3.8.6.3', now);
}

/** RFC 9293 §3.8.4: the interval starts anew with everything heard from the peer. */
export function armKeepAlive(tcb: Tcb, now: number): void {
  tcb.keepAlive.unanswered = 0;
  setKeepAliveTimer(tcb, tcb.keepAlive.idle, 'the peer was heard: RFC 9293 §3.8.4', now);
}

/** In `delay` ms. */
export function setKeepAliveTimer(tcb: Tcb, delay: number, why: string, now: number): void {
  tcb.keepAlive.at = now + delay;
  tell(tcb, 'keepAlive', 'armed', tcb.keepAlive.at, why, now);
}

export function stopKeepAlive(tcb: Tcb, why: string, now: number): void {
  const at = tcb.keepAlive.at;
  if (at === Infinity) return;
  tcb.keepAlive.at = Infinity;
  tell(tcb, 'keepAlive', 'cancelled', at, why, now);
}

/** Nobody will read what the peer might still send, so FIN_WAIT_2 has a limit, as in BSD and Linux. */
export function armFinWait2(tcb: Tcb, orphan: Orphan, now: number): void {
  orphan.finWait2At = now + tcb.host.config.finWait2Timeout;
  const why = 'nobody reads any more: a limit beside RFC 9293 §3.6';
  tell(tcb, 'finWait2', 'armed', orphan.finWait2At, why, now);
}

/** The pacing rate lets nothing more out before `at`. */
export function armPacing(tcb: Tcb, at: number, now: number): void {
  if (tcb.pacing.at === at) return;
  tcb.pacing.at = at;
  const why = 'more would be faster than the pacing rate: RFC 7661 §4.4.2';
  tell(tcb, 'pacing', 'armed', at, why, now);
}

/** TIME_WAIT, RST and timeouts turn all timers off. */
export function stopTimers(tcb: Tcb, why: string, now: number): void {
  cancelRetransmit(tcb, why, now);
  stopKeepAlive(tcb, why, now);
  const { delayedAckAt } = tcb;
  const finWait2At = tcb.orphan?.finWait2At ?? Infinity;
  const pacingAt = tcb.pacing.at;
  tcb.delayedAckAt = Infinity;
  if (tcb.orphan !== null) tcb.orphan.finWait2At = Infinity;
  if (delayedAckAt !== Infinity) tell(tcb, 'delayedAck', 'cancelled', delayedAckAt, why, now);
  if (finWait2At !== Infinity) tell(tcb, 'finWait2', 'cancelled', finWait2At, why, now);
  if (pacingAt === Infinity) return;
  tcb.pacing.at = Infinity;
  tell(tcb, 'pacing', 'cancelled', pacingAt, why, now);
}

function cancelRetransmit(tcb: Tcb, why: string, now: number): void {
  const at = tcb.retransmitAt;
  if (at === Infinity) return;
  const timer = lossTimerName(tcb.lossTimer);
  tcb.lossTimer = LossTimer.RETRANSMIT;
  tcb.retransmitAt = Infinity;
  tell(tcb, timer, 'cancelled', at, why, now);
}

/** The earliest deadline in ms; Infinity when no timer runs. */
export function nextDeadline(tcb: Tcb): number {
  return Math.min(
    tcb.retransmitAt,
    tcb.delayedAckAt,
    tcb.orphan === null ? Infinity : tcb.orphan.finWait2At,
    tcb.keepAlive.at,
    tcb.pacing.at,
  );
}

/** Tells the trace of a timer. */
export function tell(
  tcb: Tcb,
  timer: TimerName,
  action: TimerAction,
  at: number,
  why: string,
  now: number,
): void {
  const { trace } = tcb.host;
  if (trace !== null) trace.timer(tcb, timer, action, at, why, now);
}
