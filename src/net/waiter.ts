import { AsyncResource } from 'node:async_hooks';
import { rethrow } from './rethrow.js';

/** A callback that waits for one outcome, and is called in the async context in which it was given. */
export class Waiter<Outcome> extends AsyncResource {
  readonly #callback: (outcome: Outcome) => void;

  constructor(type: string, callback: (outcome: Outcome) => void) {
    super(type);
    this.#callback = callback;
  }

  tell(outcome: Outcome): void {
    try {
      this.runInAsyncScope(this.#callback, null, outcome);
    } catch (error) {
      rethrow(error);
    }
  }
}
