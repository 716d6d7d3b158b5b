import { Recorder } from '../../src/stack/recorder.js';
import { type State, type StateName, stateName } from '../../src/tcp/state.js';
import type { Traced } from '../../src/tcp/trace.js';
import { RECORDER_OPTIONS } from './ladders.js';

/** Remembers what {@link laddersOf} draws, and tells the changes of state as they come. */
export class StateTrace extends Recorder {
  constructor(private readonly onChange: (from: StateName, to: StateName, cause: string) => void) {
    super(RECORDER_OPTIONS);
  }

  override transition(
    connection: Traced,
    from: State,
    to: State,
    cause: string,
    now: number,
  ): void {
    super.transition(connection, from, to, cause, now);
    this.onChange(stateName(from), stateName(to), cause);
  }
}
