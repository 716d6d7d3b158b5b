import { describe, expect, it } from 'vitest';
import { SipHash } from '../../../src/base/siphash.js';

/** The reference implementation's key, and its messages 00 01 02 ... */
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const MESSAGE = new Int32Array(Uint8Array.from({ length: 64 }, (_, i) => i).buffer);

/** Eight bytes of hash as the reference implementation prints them. */
function hex(hash: SipHash, count: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(hash.hash(MESSAGE, count), 0);
  bytes.writeInt32LE(hash.highWord, 4);
  return bytes.toString('hex');
}

describe('SipHash', () => {
  it.each([
    [0, '310e0edd47db6f72'],
    [1, 'b7877127e09427cf'],
    [2, '6224939a79f5f593'],
    [3, 'fbe50e86bc8f1e75'],
    [4, 'db9bc2577fcc2a3f'],
    [8, 'ce7cf2722f512771'],
    [15, 'e1915f5cb1eca46c'],
  ])('gives the reference vector for %i words', (count, expected) => {
    expect(hex(new SipHash(KEY), count)).toBe(expected);
  });

  it('depends on the key alone, not on what was hashed before', () => {
    const used = new SipHash(KEY);
    used.hash(MESSAGE, 15);
    expect(hex(used, 3)).toBe(hex(new SipHash(KEY), 3));
    expect(hex(new SipHash(KEY.toReversed()), 3)).not.toBe(hex(used, 3));
  });

  it('reads a key that does not start at the beginning of its buffer', () => {
    const buffer = Uint8Array.of(99, 99, 99, ...KEY);
    expect(hex(new SipHash(buffer.subarray(3)), 2)).toBe('6224939a79f5f593');
  });

  it('refuses a key of another length', () => {
    expect(() => new SipHash(KEY.subarray(1))).toThrow(RangeError);
  });
});
