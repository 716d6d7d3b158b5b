/** The two sockets of a connection; addresses and ports as int32. */
export interface FourTuple {
  readonly localAddr: number;
  readonly localPort: number;
  readonly remoteAddr: number;
  readonly remotePort: number;
}

const MIN_CAPACITY = 64;

/**
 * Finds connections by their four-tuple: open addressing with linear probing at half load at most,
 * hashed with a secret so that no peer can choose ports that collide.
 */
export class ConnectionTable<T extends FourTuple> {
  #entries: (T | null)[] = new Array<T | null>(MIN_CAPACITY).fill(null);
  #hashes = new Int32Array(MIN_CAPACITY);
  #mask = MIN_CAPACITY - 1;
  #size = 0;
  readonly #secret: Int32Array;

  /** @param secret four unpredictable words */
  constructor(secret: Int32Array) {
    this.#secret = secret;
  }

  get size(): number {
    return this.#size;
  }

  find(localAddr: number, localPort: number, remoteAddr: number, remotePort: number): T | null {
    let i = this.#hash(localAddr, localPort, remoteAddr, remotePort) & this.#mask;
    for (let entry = this.#entries[i]!; entry !== null; entry = this.#entries[i]!) {
      if (
        entry.remotePort === remotePort &&
        entry.remoteAddr === remoteAddr &&
        entry.localPort === localPort &&
        entry.localAddr === localAddr
      ) {
        return entry;
      }
      i = (i + 1) & this.#mask;
    }
    return null;
  }

  /** Adds an entry whose four-tuple is not in the table. */
  add(entry: T): void {
    if (2 * (this.#size + 1) > this.#entries.length) this.#resize(this.#entries.length * 2);
    this.#size++;
    this.#place(
      entry,
      this.#hash(entry.localAddr, entry.localPort, entry.remoteAddr, entry.remotePort),
    );
  }

  /** Removes this very entry, if it is here. */
  remove(entry: T): void {
    const i = this.#indexOf(entry);
    if (i < 0) return;
    this.#size--;
    this.#closeGap(i);
  }

  /** Puts `replacement`, of the same four-tuple, in the place of `entry`. */
  replace(entry: T, replacement: T): void {
    const i = this.#indexOf(entry);
    if (i >= 0) this.#entries[i] = replacement;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const entry of [...this.#entries]) if (entry !== null) yield entry;
  }

  #indexOf(entry: T): number {
    let i =
      this.#hash(entry.localAddr, entry.localPort, entry.remoteAddr, entry.remotePort) & this.#mask;
    for (let found = this.#entries[i]!; found !== null; found = this.#entries[i]!) {
      if (found === entry) return i;
      i = (i + 1) & this.#mask;
    }
    return -1;
  }

  /** Moves later entries of the same run forward, so that no tombstone is needed. */
  #closeGap(gap: number): void {
    let hole = gap;
    let i = (gap + 1) & this.#mask;
    for (let entry = this.#entries[i]!; entry !== null; entry = this.#entries[i]!) {
      const home = this.#hashes[i]! & this.#mask;
      if (((i - home) & this.#mask) >= ((i - hole) & this.#mask)) {
        this.#entries[hole] = entry;
        this.#hashes[hole] = this.#hashes[i]!;
        hole = i;
      }
      i = (i + 1) & this.#mask;
    }
    this.#entries[hole] = null;
  }

  #place(entry: T, hash: number): void {
    let i = hash & this.#mask;
    while (this.#entries[i] !== null) i = (i + 1) & this.#mask;
    this.#entries[i] = entry;
    this.#hashes[i] = hash;
  }

  #resize(capacity: number): void {
    const entries = this.#entries;
    const hashes = this.#hashes;
    this.#entries = new Array<T | null>(capacity).fill(null);
    this.#hashes = new Int32Array(capacity);
    this.#mask = capacity - 1;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (entry !== null) this.#place(entry, hashes[i]!);
    }
  }

  #hash(localAddr: number, localPort: number, remoteAddr: number, remotePort: number): number {
    const secret = this.#secret;
    let h = Math.imul(remoteAddr ^ secret[0]!, 0x9e3779b1);
    h = Math.imul((h ^ (h >>> 15)) + ((remotePort << 16) | localPort) + secret[1]!, 0x85ebca77);
    h = Math.imul((h ^ (h >>> 13)) + localAddr + secret[2]!, 0xc2b2ae3d);
    return h ^ (h >>> 16) ^ secret[3]!;
  }
}
