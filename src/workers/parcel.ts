import { BATCH_PACKETS, RX_CHECKSUM_VOUCHED, type RxBatch } from '../base/batch.js';

/** Where packets start, so that checksums read aligned words. */
const ALIGNMENT = 16;
const INITIAL_BYTES = 16 * 1024;
/** A parcel this large is sent without waiting for more. */
const MAX_BYTES = 512 * 1024;
/** What a packet counts besides its bytes, so that small ones are bounded too. */
const PACKET_OVERHEAD = 256;

/** Packets on their way from one shard to another, as a message between their threads. */
export interface Parcel {
  from: number;
  /** The shards that know nothing of the packets, as a mask. */
  asked: number;
  bytes: ArrayBuffer;
  /** For each packet offset, length and segment size. */
  packets: Int32Array;
  /** What it counts of the bytes that may wait. */
  weight: number;
}

/** What a packet counts of the bytes that may wait. */
export function weightOf(length: number): number {
  return length + PACKET_OVERHEAD;
}

/** Collects packets for one other shard. */
export class ParcelMaker {
  asked = 0;
  #bytes = new Uint8Array(INITIAL_BYTES);
  #used = 0;
  readonly #packets = new Int32Array(3 * BATCH_PACKETS);
  #count = 0;
  #weight = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get isFull(): boolean {
    return this.#count === BATCH_PACKETS || this.#used >= MAX_BYTES;
  }

  add(bytes: Uint8Array, offset: number, length: number, segmentSize: number): void {
    const at = this.#used;
    this.#reserve(at + length);
    this.#bytes.set(bytes.subarray(offset, offset + length), at);
    const entry = 3 * this.#count++;
    this.#packets[entry] = at;
    this.#packets[entry + 1] = length;
    this.#packets[entry + 2] = segmentSize;
    this.#weight += weightOf(length);
    this.#used = Math.ceil((at + length) / ALIGNMENT) * ALIGNMENT;
  }

  /** What was collected; then there is nothing any more. */
  take(from: number): Parcel {
    const parcel: Parcel = {
      from,
      asked: this.asked,
      bytes: this.#bytes.buffer.slice(0, this.#used),
      packets: this.#packets.slice(0, 3 * this.#count),
      weight: this.#weight,
    };
    this.#used = this.#count = this.#weight = 0;
    return parcel;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}

/** Makes a batch of a parcel. Who sent it has verified the checksums. */
export function unpack(parcel: Parcel, batch: RxBatch): void {
  const { packets } = parcel;
  batch.replaceArena(new Uint8Array(parcel.bytes));
  batch.count = 0;
  for (let i = 0; i < packets.length; i += 3) {
    batch.push(packets[i]!, packets[i + 1]!, RX_CHECKSUM_VOUCHED, packets[i + 2]!);
  }
}
