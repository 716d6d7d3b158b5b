import type { Alarm, Holder, Runtime } from '../../src/runtime/runtime.js';
import type { VirtualRuntime } from '../../src/runtime/virtual.js';

/**
 * The world as a host sees it whose process is stopped and goes on, or whose machine sleeps: its
 * clock jumps, and what was due in between is due at once.
 */
export class JumpingRuntime implements Runtime {
  readonly #base: VirtualRuntime;
  readonly #alarms = new Map<Alarm, number>();
  #ahead = 0;

  constructor(base: VirtualRuntime) {
    this.#base = base;
  }

  /** Forward: a {@link Runtime} is monotonic. */
  jump(ms: number): void {
    this.#ahead += ms;
    for (const [alarm, at] of this.#alarms) alarm.set(at - this.#ahead);
  }

  now(): number {
    return this.#base.now() + this.#ahead;
  }

  random(length: number): Uint8Array {
    return this.#base.random(length);
  }

  defer(task: () => void): void {
    this.#base.defer(task);
  }

  yield(task: () => void): void {
    this.#base.yield(task);
  }

  alarm(ring: () => void): Alarm {
    const alarm = this.#base.alarm(() => {
      const at = this.#alarms.get(alarm)!;
      // What is added to a time and taken off again may leave it a trifle too early.
      if (this.now() < at) return alarm.set(this.#base.now() + 1e-3);
      this.#alarms.delete(alarm);
      ring();
    });
    return {
      set: (at) => {
        this.#alarms.set(alarm, at);
        alarm.set(at - this.#ahead);
      },
      clear: () => {
        this.#alarms.delete(alarm);
        alarm.clear();
      },
    };
  }

  holder(): Holder {
    return this.#base.holder();
  }
}
