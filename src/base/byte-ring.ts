import { copyBytes } from './copy-bytes.js';

const MIN_CLASS = 12;
const POOL_BYTES = 16 * 1024 * 1024;
const EMPTY: Uint8Array = Buffer.alloc(0);

/** Storage given back, by the logarithm of its size; bounded by {@link POOL_BYTES} in all. */
const pool: Uint8Array[][] = Array.from({ length: 31 }, () => []);
let pooled = 0;

function take(sizeClass: number): Uint8Array {
  const storage = pool[sizeClass]!.pop();
  if (storage === undefined) return Buffer.allocUnsafeSlow(2 ** sizeClass);
  pooled -= storage.length;
  return storage;
}

function giveBack(storage: Uint8Array): void {
  if (pooled + storage.length > POOL_BYTES) return;
  pooled += storage.length;
  pool[31 - Math.clz32(storage.length)]!.push(storage);
}

/**
 * A first-in, first-out buffer of bytes, for what a connection has sent and may have to send again.
 * Its storage is a power of two from 4 KiB up, grows as it fills and goes to a pool when it is
 * empty, so that an idle connection holds none. Whoever points into {@link bytes} is done with it
 * before the bytes are dropped: another ring may have the storage next.
 */
export class ByteRing {
  /** Bytes stored. Only the ring writes it. */
  length = 0;
  /** The storage; empty when nothing is stored. {@link position} says where a byte lies in it. */
  bytes: Uint8Array = EMPTY;
  #front = 0;
  /** Most bytes stored since it was last empty. */
  #peak = 0;
  /** The same of the time before: what the first storage has room for, lest it grow step by step each time. */
  #expected = 0;

  /** `limit`: most bytes to store, up to 2^30. May be raised later. */
  constructor(public limit: number) {}

  get free(): number {
    return this.limit > this.length ? this.limit - this.length : 0;
  }

  /** Appends a copy of up to `length` bytes of `source`; returns how many there was room for. */
  push(source: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.free);
    if (count <= 0) return 0;
    const total = this.length + count;
    if (total > this.bytes.length) this.#grow(Math.max(total, this.#expected));
    const bytes = this.bytes;
    const back = (this.#front + this.length) & (bytes.length - 1);
    const first = Math.min(count, bytes.length - back);
    copyBytes(source, offset, first, bytes, back);
    if (first < count) copyBytes(source, offset + first, count - first, bytes, 0);
    this.length = total;
    if (total > this.#peak) this.#peak = total;
    return count;
  }

  /** Index in {@link bytes} of the byte that is `offset` bytes behind the front. */
  position(offset: number): number {
    return (this.#front + offset) & (this.bytes.length - 1);
  }

  /** Removes `count` bytes from the front (0 to `length`). */
  drop(count: number): void {
    if (count >= this.length) {
      this.clear();
      return;
    }
    this.#front = (this.#front + count) & (this.bytes.length - 1);
    this.length -= count;
  }

  /** Removes everything. */
  clear(): void {
    if (this.bytes === EMPTY) return;
    giveBack(this.bytes);
    this.bytes = EMPTY;
    this.length = 0;
    this.#front = 0;
    this.#expected = this.#peak;
    this.#peak = 0;
  }

  #grow(needed: number): void {
    const old = this.bytes;
    const grown = take(Math.max(MIN_CLASS, 32 - Math.clz32(needed - 1)));
    const first = Math.min(this.length, old.length - this.#front);
    if (first > 0) copyBytes(old, this.#front, first, grown, 0);
    if (first < this.length) copyBytes(old, 0, this.length - first, grown, first);
    if (old.length > 0) giveBack(old);
    this.bytes = grown;
    this.#front = 0;
  }
}
