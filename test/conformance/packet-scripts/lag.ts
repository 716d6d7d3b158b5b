const TICK_MS = 5;
/** A tick may be so late without meaning anything. */
const USUAL_MS = 3;
const KEPT = 200;

/** How late this process is, because others have the processor. */
export class Lag {
  readonly #late: { at: number; ms: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #now: () => number;
  #last: number;

  /** @param now a clock in ms */
  constructor(now: () => number) {
    this.#now = now;
    this.#last = now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** The longest that the process was late since a time, in ms. */
  since(at: number): number {
    const running = this.#now() - this.#last - TICK_MS;
    const before = this.#late.filter((each) => each.at >= at).map(({ ms }) => ms);
    return Math.max(0, running, ...before);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = this.#now();
    const ms = now - this.#last - TICK_MS;
    this.#last = now;
    if (ms <= USUAL_MS) return;
    this.#late.push({ at: now, ms });
    if (this.#late.length > KEPT) this.#late.shift();
  }
}
