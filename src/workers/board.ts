/** Where the alive mask lies, then the bytes that wait from shard to shard, then the ports; int32 each. */
const ALIVE = 0;
const WAITING = 1;
const PORTS = 65_536;

/** What all shards see of each other at any time, in memory that they share. */
export class Board {
  readonly #words: Int32Array;
  readonly #count: number;

  /** @param memory of {@link Board.memory} */
  constructor(memory: SharedArrayBuffer, count: number) {
    this.#words = new Int32Array(memory);
    this.#count = count;
  }

  /** Memory for so many shards. */
  static memory(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer((WAITING + count * count + PORTS) * Int32Array.BYTES_PER_ELEMENT);
  }

  /** The shards that take packets, as a mask. */
  get alive(): number {
    return Atomics.load(this.#words, ALIVE);
  }

  /** The shard takes packets from now on, and none wait for it. */
  join(shard: number): void {
    for (let from = 0; from < this.#count; from++) {
      Atomics.store(this.#words, this.#waiting(from, shard), 0);
      Atomics.store(this.#words, this.#waiting(shard, from), 0);
    }
    Atomics.or(this.#words, ALIVE, 1 << shard);
  }

  /** The shard takes no more packets and listens on no port. Idempotent. */
  leave(shard: number): void {
    Atomics.and(this.#words, ALIVE, ~(1 << shard));
    for (let port = 0; port < PORTS; port++) this.setListening(port, shard, false);
  }

  listeners(port: number): number {
    return Atomics.load(this.#words, this.#port(port));
  }

  setListening(port: number, shard: number, listens: boolean): void {
    if (listens) Atomics.or(this.#words, this.#port(port), 1 << shard);
    else Atomics.and(this.#words, this.#port(port), ~(1 << shard));
  }

  /** Bytes on their way from one shard to another. */
  waiting(from: number, to: number): number {
    return Atomics.load(this.#words, this.#waiting(from, to));
  }

  /** `bytes` more of them; less, when negative. */
  addWaiting(from: number, to: number, bytes: number): void {
    Atomics.add(this.#words, this.#waiting(from, to), bytes);
  }

  #waiting(from: number, to: number): number {
    return WAITING + from * this.#count + to;
  }

  #port(port: number): number {
    return WAITING + this.#count * this.#count + port;
  }
}
