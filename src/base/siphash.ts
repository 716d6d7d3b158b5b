/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that nobody without the key can aim, for
 * tables that strangers fill and for initial sequence numbers and ports (RFC 6528, RFC 6056).
 * 64-bit words are pairs of int32, so that a hash allocates nothing.
 */
export class SipHash {
  readonly #k0: number;
  readonly #k1: number;
  readonly #k2: number;
  readonly #k3: number;
  #high = 0;

  /** `key`: 16 unpredictable bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError('a SipHash key has 16 bytes');
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
    this.#k2 = view.getInt32(8, true);
    this.#k3 = view.getInt32(12, true);
  }

  /** The upper 32 bits of the last {@link hash}, as int32. */
  get highWord(): number {
    return this.#high;
  }

  /** Hashes the first `count` words, taken as little-endian int32; the lower 32 bits, as int32. */
  hash(words: Int32Array, count: number): number {
    let a0 = this.#k0 ^ 0x70736575;
    let a1 = this.#k1 ^ 0x736f6d65;
    let b0 = this.#k2 ^ 0x6e646f6d;
    let b1 = this.#k3 ^ 0x646f7261;
    let c0 = this.#k0 ^ 0x6e657261;
    let c1 = this.#k1 ^ 0x6c796765;
    let d0 = this.#k2 ^ 0x79746573;
    let d1 = this.#k3 ^ 0x74656462;
    // The last block carries the length in its top byte; finalization is one more, empty block.
    const blocks = (count >> 1) + 1;
    for (let block = 0; block <= blocks; block++) {
      let m0 = 0;
      let m1 = 0;
      let rounds = 2;
      if (block < blocks - 1) {
        m0 = words[block * 2]!;
        m1 = words[block * 2 + 1]!;
      } else if (block < blocks) {
        if ((count & 1) !== 0) m0 = words[count - 1]!;
        m1 = (count * 4) << 24;
      } else {
        c0 ^= 0xff;
        rounds = 4;
      }
      d0 ^= m0;
      d1 ^= m1;
      for (let i = 0; i < rounds; i++) {
        let low = (a0 + b0) | 0;
        a1 = (a1 + b1 + carry(a0, b0, low)) | 0;
        a0 = low;
        let t = (b0 << 13) | (b1 >>> 19);
        b1 = ((b1 << 13) | (b0 >>> 19)) ^ a1;
        b0 = t ^ a0;
        t = a0;
        a0 = a1;
        a1 = t;

        low = (c0 + d0) | 0;
        c1 = (c1 + d1 + carry(c0, d0, low)) | 0;
        c0 = low;
        t = (d0 << 16) | (d1 >>> 16);
        d1 = ((d1 << 16) | (d0 >>> 16)) ^ c1;
        d0 = t ^ c0;

        low = (a0 + d0) | 0;
        a1 = (a1 + d1 + carry(a0, d0, low)) | 0;
        a0 = low;
        t = (d0 << 21) | (d1 >>> 11);
        d1 = ((d1 << 21) | (d0 >>> 11)) ^ a1;
        d0 = t ^ a0;

        low = (c0 + b0) | 0;
        c1 = (c1 + b1 + carry(c0, b0, low)) | 0;
        c0 = low;
        t = (b0 << 17) | (b1 >>> 15);
        b1 = ((b1 << 17) | (b0 >>> 15)) ^ c1;
        b0 = t ^ c0;
        t = c0;
        c0 = c1;
        c1 = t;
      }
      a0 ^= m0;
      a1 ^= m1;
    }
    this.#high = a1 ^ b1 ^ c1 ^ d1;
    return a0 ^ b0 ^ c0 ^ d0;
  }
}

/** The carry out of the 32-bit sum of `a` and `b`. */
function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}
