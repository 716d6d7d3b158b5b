import type { RxBatch } from '../../../src/base/batch.js';
import { TxBatch } from '../../../src/base/batch.js';
import type { LinkReceiver } from '../../../src/link/link.js';

/** What a link has said to its host. */
export class Receiver implements LinkReceiver {
  readonly packets: Buffer[] = [];
  readonly flags: number[] = [];
  readonly segmentSizes: number[] = [];
  /** Packets in each batch. */
  readonly batches: number[] = [];
  writables = 0;
  ends: (Error | undefined)[] = [];
  /** Called with each batch before it is copied. */
  onBatch: (batch: RxBatch) => void = () => {};

  get texts(): string[] {
    return this.packets.map(String);
  }

  receive(batch: RxBatch): void {
    this.onBatch(batch);
    this.batches.push(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const offset = batch.offset[i]!;
      this.packets.push(Buffer.from(batch.bytes.slice(offset, offset + batch.length[i]!)));
      this.flags.push(batch.flags[i]!);
      this.segmentSizes.push(batch.segmentSize[i]!);
    }
  }

  writable(): void {
    this.writables++;
  }

  closed(error?: Error): void {
    this.ends.push(error);
  }
}

/** A batch of one packet per text, each with `headroom` bytes in front. */
export function batchOf(packets: readonly (string | Uint8Array)[], headroom = 0): TxBatch {
  const batch = new TxBatch();
  for (const packet of packets) {
    const bytes = typeof packet === 'string' ? Buffer.from(packet) : packet;
    const offset = batch.begin(headroom + bytes.length);
    batch.bytes.set(bytes, offset + headroom);
  }
  return batch;
}
