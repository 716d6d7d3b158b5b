import { State, transition } from './state.js';
import { Event, type Failure, type Tcb } from './tcb.js';
import { stopTimers } from './timers.js';

/**
 * "Enter CLOSED, delete the TCB": timers off, what was to be sent dropped. What was received in order
 * can still be read after an orderly end; after a failure it is flushed (RFC 9293 §3.10.7.4).
 */
export function enterClosed(tcb: Tcb, failure: Failure | null, cause: string, now: number): void {
  tcb.failure = failure;
  stopTimers(tcb, cause, now);
  tcb.sendBuffer.clear();
  tcb.sent.clear();
  tcb.reassembly.clear();
  if (failure !== null && tcb.receiveQueue.length > 0) {
    // Its user never gets to the end of a stream of which a part is gone.
    tcb.receiveQueue.clear();
    tcb.finReceived = false;
  }
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
