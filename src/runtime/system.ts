import { randomBytes } from 'node:crypto';
import type { Alarm, Holder, Runtime } from './runtime.js';

/** The longest delay that `setTimeout` takes, in ms. */
const MAX_DELAY = 2 ** 31 - 1;

class SystemAlarm implements Alarm {
  readonly #ring: () => void;
  #at = Infinity;
  #timer: NodeJS.Timeout | null = null;
  /** When {@link #timer} fires, at the earliest. */
  #timerAt = Infinity;
  readonly #fire = (): void => {
    this.#timer = null;
    this.#timerAt = Infinity;
    if (this.#at !== Infinity) setImmediate(this.#afterInput);
  };
  /**
   * Node runs timers before it looks at devices. After a turn that took long, the ACK that would have
   * stopped a retransmission timer may wait there: what has arrived is taken first.
   */
  readonly #afterInput = (): void => {
    if (this.#at === Infinity) return;
    const now = performance.now();
    if (now < this.#at) {
      if (this.#at < this.#timerAt) this.#arm(now);
      return;
    }
    this.#at = Infinity;
    this.#ring();
  };

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  set(at: number): void {
    this.#at = at;
    // A timer that fires too early is left to find out by itself: moving it costs more.
    if (at >= this.#timerAt || at === Infinity) return;
    this.#arm(performance.now());
  }

  clear(): void {
    this.#at = Infinity;
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  #arm(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const delay = Math.min(Math.max(Math.ceil(this.#at - now), 1), MAX_DELAY);
    this.#timer = setTimeout(this.#fire, delay).unref();
    this.#timerAt = now + delay;
  }
}

class SystemHolder implements Holder {
  #timer: NodeJS.Timeout | null = null;

  hold(): void {
    this.#timer ??= setInterval(() => {}, MAX_DELAY);
  }

  release(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

class SystemRuntime implements Runtime {
  now(): number {
    return performance.now();
  }

  random(length: number): Uint8Array {
    return randomBytes(length);
  }

  defer(task: () => void): void {
    process.nextTick(task);
  }

  yield(task: () => void): void {
    setImmediate(task);
  }

  alarm(ring: () => void): Alarm {
    return new SystemAlarm(ring);
  }

  holder(): Holder {
    return new SystemHolder();
  }
}

const system = new SystemRuntime();

/** The real world: Node's clock, entropy and timers. */
export function systemRuntime(): Runtime {
  return system;
}

/** ms since 1970 at 0 of the real world's {@link Runtime.now}, by the clock as it is set now. */
export function systemEpoch(): number {
  return Date.now() - performance.now();
}

/** Resolves in the next turn of Node's event loop, when its `nextTick`s and microtasks have run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
