import type { Connection } from '../stack/connection.js';
import type { Waiter } from './waiter.js';

interface Chunk {
  chunk: Uint8Array;
}

const NOTHING = new Uint8Array(0);

export type WriteCallback = (error?: Error | null) => void;

/** The latest write, of a chunk or of several, that moves into a send buffer as there is room. */
export class Outgoing {
  #bytes: Uint8Array = NOTHING;
  #offset = 0;
  #queue: readonly Chunk[] | null = null;
  /** The next of {@link #queue}. */
  #next = 0;
  /** Of all writes so far. A double from the start, for the reason given in `tcp/sender-variables.ts`. */
  bytesWritten = -0;
  /** Who waits until all is in the send buffer; null: nobody. */
  waiter: Waiter<Error | null> | null = null;

  one(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#offset = 0;
  }

  many(chunks: readonly Chunk[]): void {
    this.#queue = chunks;
    this.#next = 1;
    this.one(chunks[0]!.chunk);
  }

  /** Copies what is left of {@link one}, whose bytes are about to change. */
  own(): void {
    this.one(new Uint8Array(this.#bytes.subarray(this.#offset)));
  }

  /** Bytes that wait for room. */
  get length(): number {
    let length = this.#bytes.length - this.#offset;
    const queue = this.#queue ?? [];
    for (let i = this.#next; i < queue.length; i++) length += queue[i]!.chunk.length;
    return length;
  }

  /** Forgets what has not moved, and who waits for it. */
  drop(): Waiter<Error | null> | null {
    const { waiter } = this;
    this.waiter = null;
    this.#clear();
    return waiter;
  }

  #clear(): void {
    this.#bytes = NOTHING;
    this.#offset = 0;
    this.#queue = null;
  }

  /** Moves what there is room for; true when nothing is left. */
  fill(connection: Connection): boolean {
    for (;;) {
      const left = this.#bytes.length - this.#offset;
      const taken = left > 0 ? connection.write(this.#bytes, this.#offset) : 0;
      if (taken < left) {
        this.#offset += taken;
        return false;
      }
      if (this.#queue === null || this.#next === this.#queue.length) break;
      this.one(this.#queue[this.#next++]!.chunk);
    }
    this.#clear();
    return true;
  }
}
