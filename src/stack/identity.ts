import { type Seq, seq } from '../base/seq.js';
import { SipHash } from '../base/siphash.js';
import type { FourTuple } from './connection-table.js';

/** Ephemeral ports of RFC 6056, both included. Linux's range, so that tools know it. */
export const EPHEMERAL_FIRST = 32_768;
const EPHEMERAL_LAST = 60_999;
const EPHEMERAL_COUNT = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
/** Counters of the double hash; a power of two (RFC 6056 §3.3.4). */
const PORT_TABLE = 256;

/**
 * The numbers by which an attacker off the path could meet a connection: initial sequence number,
 * ephemeral port, timestamp offset. All are keyed hashes, so that only the two ends can know them.
 */
export class Identity {
  readonly #isn: SipHash;
  readonly #ports: SipHash;
  readonly #words = new Int32Array(4);
  readonly #portCounters = new Uint32Array(PORT_TABLE);

  /**
   * @param secret 32 unpredictable bytes (RFC 9293 MUST-9)
   * @param clockOffset ms to add to the time, so that several hosts with this secret have one clock
   */
  constructor(
    secret: Uint8Array,
    private readonly clockOffset = 0,
  ) {
    this.#isn = new SipHash(secret.subarray(0, 16));
    this.#ports = new SipHash(secret.subarray(16, 32));
  }

  /**
   * ISN = M + F(four-tuple, secret), with M a clock of 4 microseconds (RFC 9293 §3.4.1, MUST-8,
   * SHLD-1; RFC 6528 §3).
   */
  isn(tuple: FourTuple, now: number): Seq {
    return seq(
      this.#hashTuple(tuple) + Math.floor(((now + this.clockOffset) * 250) % 0x1_0000_0000),
    );
  }

  /**
   * The other half of the same hash, unrelated to the ISN for those without the secret:
   * RFC7323-7-a.
   */
  timestampOffset(tuple: FourTuple): number {
    this.#hashTuple(tuple);
    return (this.#isn.highWord + Math.floor(this.clockOffset)) | 0;
  }

  /**
   * A free port for a connection to `remote`, by double hash-based selection (RFC 6056 §3.3.4);
   * null when all are taken.
   */
  ephemeralPort(
    localAddr: number,
    remoteAddr: number,
    remotePort: number,
    isFree: (port: number) => boolean,
  ): number | null {
    const words = this.#words;
    words[0] = localAddr;
    words[1] = remoteAddr;
    words[2] = remotePort;
    const offset = this.#ports.hash(words, 3) >>> 0;
    const index = this.#ports.highWord & (PORT_TABLE - 1);
    for (let tries = 0; tries < EPHEMERAL_COUNT; tries++) {
      const count = this.#portCounters[index]!;
      this.#portCounters[index] = count + 1;
      const port = EPHEMERAL_FIRST + ((offset + count) % EPHEMERAL_COUNT);
      if (isFree(port)) return port;
    }
    return null;
  }

  /** 16 unpredictable bytes for another purpose, named by a number. */
  key(purpose: number): Uint8Array {
    const words = this.#words;
    const key = new DataView(new ArrayBuffer(16));
    for (let half = 0; half < 2; half++) {
      words[0] = purpose;
      words[1] = half;
      // Two words, where a tuple has four: no other hash is of the same length.
      key.setInt32(8 * half, this.#isn.hash(words, 2));
      key.setInt32(8 * half + 4, this.#isn.highWord);
    }
    return new Uint8Array(key.buffer);
  }

  #hashTuple(tuple: FourTuple): number {
    const words = this.#words;
    words[0] = tuple.localAddr;
    words[1] = tuple.remoteAddr;
    words[2] = tuple.localPort;
    words[3] = tuple.remotePort;
    return this.#isn.hash(words, 4);
  }
}
