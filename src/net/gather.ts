import type { Chunk } from './endpoint.js';

/** Memory that each write uses again. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024);

/** Most bytes that a string takes for each of its code units, in any encoding. */
const BYTES_PER_UNIT = 3;

/**
 * What is written, as one piece of bytes, which the next call overwrites: no buffer is made for every string.
 * Null when it may be longer than 16 KiB.
 */
export function gather(chunks: readonly Chunk[]): Buffer | null {
  let end = 0;
  for (let i = 0; i < chunks.length; i++) {
    const { chunk, encoding } = chunks[i]!;
    const isText = typeof chunk === 'string';
    const room = scratch.length - end;
    if (chunk.length * (isText ? BYTES_PER_UNIT : 1) > room) return null;
    if (chunk.length === 0) continue;
    end += isText ? scratch.write(chunk, end, encoding) : chunk.copy(scratch, end);
  }
  return scratch.subarray(0, end);
}

/** Makes bytes of what is text; returns the length in bytes of all chunks. */
export function encodeAll(chunks: readonly Chunk[]): number {
  let length = 0;
  for (let i = 0; i < chunks.length; i++) {
    const each = chunks[i]!;
    if (typeof each.chunk === 'string') each.chunk = Buffer.from(each.chunk, each.encoding);
    length += each.chunk.length;
  }
  return length;
}
