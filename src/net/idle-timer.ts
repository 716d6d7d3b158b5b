import type { Alarm, Runtime } from '../runtime/runtime.js';

/**
 * Tells of silence. Activity only notes the time; the alarm, once set, finds out when it rings
 * whether it was too early, so that a busy socket does not re-arm it for each chunk.
 */
export class IdleTimer {
  readonly #runtime: Runtime;
  #expired: (() => void) | null = null;
  readonly #alarm: Alarm;
  /** ms of silence; 0 when stopped. */
  #limit = 0;
  #activeAt = 0;
  /** False after it has expired, until there is activity again. */
  #armed = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#alarm = runtime.alarm(() => this.#ring());
  }

  /** Calls `expired` after `limit` ms (above 0) without {@link touch}. */
  start(limit: number, expired: () => void): void {
    this.stop();
    this.#expired = expired;
    this.#limit = limit;
    this.touch();
  }

  stop(): void {
    this.#limit = 0;
    this.#armed = false;
    this.#alarm.clear();
  }

  /** There was activity. */
  touch(): void {
    if (this.#limit === 0) return;
    this.#activeAt = this.#runtime.now();
    if (this.#armed) return;
    this.#armed = true;
    this.#alarm.set(this.#activeAt + this.#limit);
  }

  #ring(): void {
    if (!this.#armed) return;
    const due = this.#activeAt + this.#limit;
    if (this.#runtime.now() < due) {
      this.#alarm.set(due);
      return;
    }
    this.#armed = false;
    this.#expired?.();
  }
}
