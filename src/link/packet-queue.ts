import { BATCH_PACKETS, type TxBatch } from '../base/batch.js';

/** Most packets and bytes that wait in a link; a batch of super-segments fits. */
export const MAX_PACKETS = 4096;
export const MAX_BYTES = 32 * 1024 * 1024;
/** Packets that one write takes from the front. */
const FRONT_PACKETS = 64;

/** Copies of packets that a device could not take, in order; bounded in packets and bytes. */
export class PacketQueue {
  /** What {@link front} has set out for writing: one piece per packet. */
  packets: Uint8Array[] = [];
  readonly pieces = new Int32Array(FRONT_PACKETS * 3);
  readonly pieceEnd = new Int32Array(FRONT_PACKETS);
  #waiting: Uint8Array[] = [];
  #head = 0;
  #bytes = 0;

  get count(): number {
    return this.#waiting.length - this.#head;
  }

  /** Takes a copy of packet `i` of `batch`; false when there is no room for it, or no memory. */
  push(batch: TxBatch, i: number): boolean {
    const length = batch.packetLength(i);
    if (this.count >= MAX_PACKETS || this.#bytes + length > MAX_BYTES) return false;
    const copy = allocate(length);
    if (copy === null) return false;
    batch.copyPacket(i, copy, 0);
    this.#waiting.push(copy);
    this.#bytes += length;
    return true;
  }

  /** Sets out the first packets for writing; returns how many. */
  front(): number {
    const end = Math.min(this.#head + FRONT_PACKETS, this.#waiting.length);
    this.packets = this.#waiting.slice(this.#head, end);
    for (let i = 0; i < this.packets.length; i++) {
      this.pieces[i * 3] = i;
      this.pieces[i * 3 + 1] = 0;
      this.pieces[i * 3 + 2] = this.packets[i]!.length;
      this.pieceEnd[i] = i + 1;
    }
    return this.packets.length;
  }

  /** Drops `n` packets from the front. */
  shift(n: number): void {
    for (let i = 0; i < n; i++) this.#bytes -= this.#waiting[this.#head++]!.length;
    if (this.#head >= BATCH_PACKETS || this.count === 0) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#waiting = [];
    this.packets = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

function allocate(bytes: number): Uint8Array | null {
  try {
    return new Uint8Array(bytes);
  } catch {
    return null;
  }
}
