import type { Segment } from '../wire/segment.js';
import type { State } from './state.js';

/** Which connection an event belongs to. `Tcb` has these fields; the numbers are int32. */
export interface Traced {
  readonly id: number;
  readonly state: State;
  readonly localAddr: number;
  readonly localPort: number;
  readonly remoteAddr: number;
  readonly remotePort: number;
}

/**
 * Hears what the stack does. Times are ms on the runtime's scale. A `Segment` is valid only during
 * the call. Order: `received` before the segment is processed, then the `transition`s that it
 * causes, then what is `sent`.
 */
export interface Trace {
  received(segment: Segment, connection: Traced | null, now: number): void;
  sent(segment: Segment, connection: Traced | null, now: number): void;
  transition(connection: Traced, from: State, to: State, cause: string, now: number): void;
}
