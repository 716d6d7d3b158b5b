import { type State, type StateName, stateName } from '../../src/tcp/state.js';
import { SilentTrace, type Traced } from '../../src/tcp/trace.js';

/** Hears the changes of state alone. */
export class StateTrace extends SilentTrace {
  constructor(private readonly onChange: (from: StateName, to: StateName, cause: string) => void) {
    super();
  }

  override transition(_connection: Traced, from: State, to: State, cause: string): void {
    this.onChange(stateName(from), stateName(to), cause);
  }
}
