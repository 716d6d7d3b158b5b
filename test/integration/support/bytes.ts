import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

export const MiB = 1024 * 1024;
export const GiB = 1024 * MiB;

/**
 * `length` bytes of which no two MiB are the same, so that a piece that is lost, repeated or out of
 * place shows in their hash. The same each time.
 */
export function* blocks(length: number): Generator<Uint8Array> {
  const pattern = new Uint8Array(MiB);
  let x = 0x2545f491;
  for (let i = 0; i < MiB; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    pattern[i] = x;
  }
  for (let at = 0, index = 0; at < length; at += MiB, index++) {
    const block = Buffer.from(pattern.subarray(0, Math.min(MiB, length - at)));
    if (block.length >= 4) block.writeUInt32BE(index, 0);
    yield block;
  }
}

/** {@link blocks} as a stream. */
export function source(length: number): Readable {
  return Readable.from(blocks(length), { objectMode: false, highWaterMark: 4 * MiB });
}

/** SHA-256 in hex of {@link blocks}. */
export function sha256Of(length: number): string {
  const hash = createHash('sha256');
  for (const block of blocks(length)) hash.update(block);
  return hash.digest('hex');
}
