import { State, transition } from './state.js';
import { Event, type Failure, type Tcb } from './tcb.js';
import { stopTimers } from './timers.js';

/**
 * "Enter CLOSED, delete the TCB": timers off, what was to be sent dropped. A stream that was received up
 * to its FIN can still be read, as on Linux: a RST may answer our last words to a peer that has said all
 * of its own. What a failure cuts off is flushed (RFC 9293 §3.10.7.4).
 */
export function enterClosed(tcb: Tcb, failure: Failure | null, cause: string, now: number): void {
  tcb.failure = failure;
  stopTimers(tcb, cause, now);
  tcb.sendBuffer.clear();
  tcb.sent.clear();
  tcb.reassembly.clear();
  if (failure !== null && !tcb.finReceived) tcb.receiveQueue.clear();
  transition(tcb, State.CLOSED, cause, now);
  tcb.events |= Event.CLOSED;
  tcb.host.markDirty(tcb);
}

/**
 * TIME_WAIT for 2 MSL (RFC 9293 §3.6.1, MUST-13): both ends have closed, the user's part is over, and
 * the host goes on with a small record (`time-wait.ts`) in place of the TCB.
 */
export function enterTimeWait(tcb: Tcb, cause: string, now: number): void {
  stopTimers(tcb, cause, now);
  tcb.sendBuffer.clear();
  tcb.sent.clear();
  transition(tcb, State.TIME_WAIT, cause, now);
  tcb.events |= Event.CLOSED;
  tcb.host.markDirty(tcb);
}
