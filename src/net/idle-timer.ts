import type { Alarm, Runtime } from '../runtime/runtime.js';

/**
 * Tells of silence. Activity only notes the time; the alarm, once set, finds out when it rings
 * whether it was too early, so that neither a busy socket nor a new limit for each request of HTTP
 * arms it again.
 */
export class IdleTimer {
  readonly #runtime: Runtime;
  readonly #expired: () => void;
  readonly #alarm: Alarm;
  /** ms of silence; 0 when stopped. */
  #limit = 0;
  #activeAt = 0;
  /** False after it has expired, until there is activity again. */
  #armed = false;

  /** Calls `expired` after the silence that {@link start} was told. */
  constructor(runtime: Runtime, expired: () => void) {
    this.#runtime = runtime;
    this.#expired = expired;
    this.#alarm = runtime.alarm(() => this.#ring());
  }

  /** The limit is `limit` ms (above 0) without {@link touch}, from now on. */
  start(limit: number): void {
    this.#armed = false;
    this.#limit = limit;
    this.touch();
  }

  /** There is no limit until {@link start}, which probably comes soon. */
  pause(): void {
    this.#limit = 0;
    this.#armed = false;
    this.#alarm.set(Infinity);
  }

  /** There is no limit any more, and nothing leads to this timer. */
  stop(): void {
    this.pause();
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
    this.#expired();
  }
}
