import type { Counters } from '../base/counters.js';
import type { Tcb } from './tcb.js';

/** The eleven states of RFC 9293 §3.3.2, as small integers so that they stay unboxed. */
export const enum State {
  CLOSED = 0,
  LISTEN = 1,
  SYN_SENT = 2,
  SYN_RECEIVED = 3,
  ESTABLISHED = 4,
  FIN_WAIT_1 = 5,
  FIN_WAIT_2 = 6,
  CLOSE_WAIT = 7,
  CLOSING = 8,
  LAST_ACK = 9,
  TIME_WAIT = 10,
}

/** In the order of RFC 9293 §3.3.2, which is that of {@link State}. */
export const STATE_NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RECEIVED',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
] as const;

export type StateName = (typeof STATE_NAMES)[number];

export function stateName(state: State): StateName {
  return STATE_NAMES[state]!;
}

/**
 * Every arrow of RFC 9293 figure 5 and of the text of §3.10, as `from -> to`. CLOSED is reached from
 * everywhere by ABORT, RST or a timeout. A connection that leaves LISTEN is a new one beside its
 * listener, so the return from SYN_RECEIVED to LISTEN ends that connection and the listener remains.
 * Two arrows are left out. LISTEN -> SYN_SENT (SEND on a listening socket) is a call that no socket
 * API has; and a segment that both acknowledges our FIN and carries the peer's passes through
 * FIN_WAIT_2, as the order of the RFC's steps has it.
 */
function successors(state: State): readonly State[] {
  switch (state) {
    case State.CLOSED:
      return [State.LISTEN, State.SYN_SENT];
    case State.LISTEN:
      return [State.SYN_RECEIVED, State.CLOSED];
    case State.SYN_SENT:
      return [State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSED];
    case State.SYN_RECEIVED:
      return [State.ESTABLISHED, State.FIN_WAIT_1, State.LISTEN, State.CLOSED];
    case State.ESTABLISHED:
      return [State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED];
    case State.FIN_WAIT_1:
      return [State.FIN_WAIT_2, State.CLOSING, State.CLOSED];
    case State.FIN_WAIT_2:
      return [State.TIME_WAIT, State.CLOSED];
    case State.CLOSE_WAIT:
      return [State.LAST_ACK, State.CLOSED];
    case State.CLOSING:
      return [State.TIME_WAIT, State.CLOSED];
    case State.LAST_ACK:
      return [State.CLOSED];
    case State.TIME_WAIT:
      return [State.CLOSED];
    default:
      return unreachable(state);
  }
}

/**
 * The only place where a connection changes its state. `cause` says why in words for people, with
 * the clause it follows from.
 */
export function transition(tcb: Tcb, to: State, cause: string, now: number): void {
  const from = tcb.state;
  if (!successors(from).includes(to)) {
    throw new Error(`tuntcp: no transition ${stateName(from)} -> ${stateName(to)} (${cause})`);
  }
  (tcb as { state: State }).state = to;
  countFailure(tcb.host.counters, from, to);
  const trace = tcb.host.trace;
  if (trace !== null) trace.transition(tcb, from, to, cause, now);
}

/** What RFC 4022 counts of connections that did not end by FIN. */
function countFailure(counters: Counters, from: State, to: State): void {
  if (to !== State.CLOSED && to !== State.LISTEN) return;
  if (from === State.SYN_SENT || from === State.SYN_RECEIVED) counters.tcpAttemptFails++;
  if (from === State.ESTABLISHED || from === State.CLOSE_WAIT) counters.tcpEstabResets++;
}

/** Our user may still send: no FIN has been queued. */
export function canSend(state: State): boolean {
  return (
    state === State.ESTABLISHED ||
    state === State.CLOSE_WAIT ||
    state === State.SYN_SENT ||
    state === State.SYN_RECEIVED
  );
}

export function unreachable(state: never): never {
  throw new Error(`tuntcp: impossible state ${String(state)}`);
}
