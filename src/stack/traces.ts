import type { State } from '../tcp/state.js';
import type {
  CookieOutcome,
  ListenQueue,
  RetransmitCause,
  TimerAction,
  TimerName,
  Trace,
  Traced,
  TracedTcb,
} from '../tcp/trace.js';
import type { Drop } from '../wire/drop-reason.js';
import type { Segment } from '../wire/segment.js';

/** One trace that stands for all of `traces`: null for none, so that nobody listening costs nothing. */
export function joinTraces(traces: readonly Trace[]): Trace | null {
  return traces.length <= 1 ? (traces[0] ?? null) : new Traces([...traces]);
}

class Traces implements Trace {
  constructor(private readonly all: readonly Trace[]) {}

  received(segment: Segment, connection: Traced | null, now: number): void {
    for (const one of this.all) one.received(segment, connection, now);
  }

  dropped(segment: Segment, connection: Traced | null, reason: Drop, now: number): void {
    for (const one of this.all) one.dropped(segment, connection, reason, now);
  }

  sent(segment: Segment, connection: Traced | null, now: number): void {
    for (const one of this.all) one.sent(segment, connection, now);
  }

  transition(connection: Traced, from: State, to: State, cause: string, now: number): void {
    for (const one of this.all) one.transition(connection, from, to, cause, now);
  }

  acknowledges(connection: TracedTcb, why: string, now: number): void {
    for (const one of this.all) one.acknowledges(connection, why, now);
  }

  retransmits(connection: TracedTcb, cause: RetransmitCause, now: number): void {
    for (const one of this.all) one.retransmits(connection, cause, now);
  }

  timer(
    connection: TracedTcb,
    timer: TimerName,
    action: TimerAction,
    at: number,
    why: string,
    now: number,
  ): void {
    for (const one of this.all) one.timer(connection, timer, action, at, why, now);
  }

  rttSample(connection: TracedTcb, sample: number, now: number): void {
    for (const one of this.all) one.rttSample(connection, sample, now);
  }

  sendWindow(connection: TracedTcb, before: number, now: number): void {
    for (const one of this.all) one.sendWindow(connection, before, now);
  }

  congestion(
    connection: TracedTcb,
    cwndBefore: number,
    ssthreshBefore: number,
    why: string,
    now: number,
  ): void {
    for (const one of this.all) one.congestion(connection, cwndBefore, ssthreshBefore, why, now);
  }

  pathMtu(connection: TracedTcb, before: number, why: string, now: number): void {
    for (const one of this.all) one.pathMtu(connection, before, why, now);
  }

  challenge(connection: TracedTcb, answered: boolean, why: string, now: number): void {
    for (const one of this.all) one.challenge(connection, answered, why, now);
  }

  listenerOverflow(segment: Segment, queue: ListenQueue, backlog: number, now: number): void {
    for (const one of this.all) one.listenerOverflow(segment, queue, backlog, now);
  }

  synCookie(segment: Segment, outcome: CookieOutcome, now: number): void {
    for (const one of this.all) one.synCookie(segment, outcome, now);
  }
}
