import { copyBytes } from '../base/copy-bytes.js';

/** From this size on a payload is kept where it arrived; below it is copied. Bytes. */
export const KEEP_IN_PLACE = 16 * 1024;
/** What a chunk costs besides its bytes, about. */
const CRUMB = 256;
const MERGE_MIN = 4 * 1024;
const MERGE_MAX = 64 * 1024;

/**
 * Received bytes in order that wait for the user, in chunks. Large payloads stay in the arena where
 * they arrived. Small ones are copied, and merged when several wait, so that neither a kept 1-byte
 * chunk holds an arena nor a thousand small segments become a thousand objects.
 */
export class ReceiveQueue {
  /** Bytes in the queue, and all that ever were. */
  length = 0;
  total = -0;
  /** Views of what belongs to others were kept since the last {@link own}: so many. */
  inPlace = 0;
  #chunks: Uint8Array[] = [];
  #head = 0;
  /** The last chunk, while it has room for more: its storage and how much of it is in use. */
  #open: Buffer | null = null;
  #openUsed = 0;

  /** Appends; returns true when a view of `bytes` was kept, which must then not be reused. */
  push(bytes: Uint8Array, offset: number, length: number): boolean {
    this.length += length;
    this.total += length;
    if (length >= KEEP_IN_PLACE) {
      this.#seal();
      this.#chunks.push(bytes.subarray(offset, offset + length));
      this.inPlace++;
      return true;
    }
    const open = this.#open;
    if (open !== null && this.#openUsed + length <= open.length) {
      copyBytes(bytes, offset, length, open, this.#openUsed);
      this.#openUsed += length;
      return false;
    }
    this.#seal();
    if (this.#head === this.#chunks.length) {
      const copy = Buffer.allocUnsafe(length);
      copyBytes(bytes, offset, length, copy, 0);
      this.#chunks.push(copy);
    } else {
      const storage = Buffer.allocUnsafeSlow(
        Math.max(length, Math.min(MERGE_MAX, Math.max(MERGE_MIN, 2 * this.length))),
      );
      copyBytes(bytes, offset, length, storage, 0);
      this.#open = storage;
      this.#openUsed = length;
    }
    return false;
  }

  /** Takes a chunk that is already the queue's to keep; crumbs are merged. */
  pushOwned(chunk: Uint8Array): void {
    if (chunk.length < CRUMB) {
      this.push(chunk, 0, chunk.length);
      return;
    }
    this.#seal();
    this.length += chunk.length;
    this.total += chunk.length;
    this.#chunks.push(chunk);
    if (liesElsewhere(chunk)) this.inPlace++;
  }

  /**
   * Copies what still lies where it arrived, so that a user who does not read holds these bytes, and
   * not the arenas that they came in.
   */
  own(): void {
    for (let i = this.#chunks.length - 1; i >= this.#head && this.inPlace > 0; i--) {
      const chunk = this.#chunks[i]!;
      if (!liesElsewhere(chunk)) continue;
      this.#chunks[i] = Buffer.from(chunk);
      this.inPlace--;
    }
    this.inPlace = 0;
  }

  shift(): Uint8Array | null {
    if (this.#head === this.#chunks.length) {
      this.#seal();
      if (this.#head === this.#chunks.length) return null;
    }
    const chunk = this.#chunks[this.#head]!;
    this.#head++;
    if (this.#head === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
    this.length -= chunk.length;
    return chunk;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#open = null;
    this.length = 0;
    this.inPlace = 0;
  }

  /** Makes a chunk of what was merged, without unused storage in tow. */
  #seal(): void {
    const open = this.#open;
    if (open === null) return;
    const used = open.subarray(0, this.#openUsed);
    this.#chunks.push(2 * this.#openUsed < open.length ? Buffer.from(used) : used);
    this.#open = null;
  }
}

/** Shared by all connections that have received no text; nothing is ever pushed to it. */
export const NOTHING_RECEIVED = new ReceiveQueue();

/** It is a view of an arena, for so small a part of which others' bytes should not be held. */
export function liesElsewhere(chunk: Uint8Array): boolean {
  return chunk.length >= KEEP_IN_PLACE && chunk.buffer.byteLength >= 2 * chunk.length;
}
