import type { Streams } from './protocol.js';

/** What a stream says: an item, or how many are missing here because they were not read in time. */
export type Heard<K extends keyof Streams> = { item: Streams[K]['item'] } | { lost: number };

/** How a stream has ended. */
export interface Done<K extends keyof Streams> {
  done: Streams[K]['done'];
  /** Altogether. */
  lost: number;
}

/** What a stream needs of the connection that it has to itself. */
export interface Wire {
  pause(): void;
  resume(): void;
  /** Asks for the end. */
  stop(): void;
}

/**
 * A stream as its client has it: to be read with `for await`, which ends when the stream has, and
 * rejects when the connection is lost or the question was refused. What is not asked for is not read
 * from the connection, so that the losses of a slow reader are counted where they happen.
 */
export class ControlStream<K extends keyof Streams> implements AsyncIterable<Heard<K>> {
  /** Known when all has been read. */
  ended: Done<K> | null = null;
  readonly #wire: Wire;
  readonly #patience: number;
  readonly #heard: Heard<K>[] = [];
  #stopping = false;
  #over = false;
  #error: Error | null = null;
  #impatience: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  /** @param patience ms until the first item, and from {@link stop} to the end */
  constructor(wire: Wire, patience: number) {
    this.#wire = wire;
    this.#patience = patience;
    this.#hurry();
  }

  /** Asks for the end; what was sent by then can still be read. Idempotent. */
  stop(): void {
    if (this.#over || this.#stopping) return;
    this.#stopping = true;
    this.#wire.stop();
    this.#hurry();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Heard<K>> {
    for (;;) {
      for (let heard = this.#heard.shift(); heard !== undefined; heard = this.#heard.shift()) {
        yield heard;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#over) return;
      if (this.#stopping) this.#hurry();
      this.#wire.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** @internal */
  hears(heard: Heard<K>): void {
    clearTimeout(this.#impatience);
    this.#heard.push(heard);
    this.#wire.pause();
    this.#wake();
  }

  /** @internal */
  ends(ended: Done<K> | Error): void {
    if (this.#over) return;
    clearTimeout(this.#impatience);
    this.#over = true;
    if (ended instanceof Error) this.#error = ended;
    else this.ended = ended;
    this.#wake();
  }

  #hurry(): void {
    clearTimeout(this.#impatience);
    const late = () => this.ends(new Error('the stack does not answer'));
    this.#impatience = setTimeout(late, this.#patience);
  }
}
