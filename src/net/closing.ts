import type { Runtime } from '../runtime/runtime.js';

/**
 * Tells handles that they are closed, in a later turn and in libuv's order: of those closed in one
 * turn the last comes first, each in a turn of its own so that `nextTick`s run in between.
 */
export class Closings {
  readonly #runtime: Runtime;
  #waiting: (() => void)[] = [];
  #batch: (() => void)[] = [];
  readonly #next = (): void => {
    if (this.#batch.length === 0) {
      this.#batch = this.#waiting;
      this.#waiting = [];
    }
    this.#batch.pop()?.();
  };

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Calls `closed` in a later turn. */
  add(closed: () => void): void {
    this.#waiting.push(closed);
    this.#runtime.yield(this.#next);
  }
}

const byRuntime = new WeakMap<Runtime, Closings>();

/** Those of everything that shares a runtime, as all handles of a process share libuv's loop. */
export function closings(runtime: Runtime): Closings {
  let found = byRuntime.get(runtime);
  if (found === undefined) byRuntime.set(runtime, (found = new Closings(runtime)));
  return found;
}
