import { SipHash } from '../base/siphash.js';

const ROUNDS = 6;

/**
 * Identifications of packets that routers may cut (RFC 791 §3.2, RFC 6864 §4.2): none comes again within
 * 32,768, and none tells how many others were sent, which a counter would tell to whoever asks for a
 * packet now and then. A permutation of 15 bits under a key, another for each round through all of them;
 * the upper bit alternates from round to round.
 */
export class PacketIds {
  readonly #hash: SipHash;
  readonly #words = new Int32Array(3);
  #count = 0;
  #pass = 0;

  /** `key`: 16 unpredictable bytes. */
  constructor(key: Uint8Array) {
    this.#hash = new SipHash(key);
  }

  /** 0 to 65,535. */
  next(): number {
    if (this.#count === 0x8000) {
      this.#count = 0;
      this.#pass = (this.#pass + 1) | 0;
    }
    const count = this.#count++;
    // A Feistel network with halves of 8 and 7 bits.
    let left = count >> 7;
    let right = count & 0x7f;
    for (let round = 0; round < ROUNDS; round += 2) {
      right ^= this.#mix(round, left) & 0x7f;
      left ^= this.#mix(round + 1, right) & 0xff;
    }
    return ((this.#pass & 1) << 15) | (left << 7) | right;
  }

  #mix(round: number, half: number): number {
    const words = this.#words;
    words[0] = this.#pass;
    words[1] = round;
    words[2] = half;
    return this.#hash.hash(words, 3);
  }
}
