import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { addon } from '../../../src/link/native.js';
import {
  checksum,
  fold,
  pseudoHeaderSum,
  sum,
  sumLongRangesWith,
  update,
} from '../../../src/wire/checksum.js';

/** RFC 1071 §4.1, byte by byte. */
function naive(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i++) {
    total += i % 2 === 0 ? bytes[i]! << 8 : bytes[i]!;
    total = (total & 0xffff) + (total >>> 16);
  }
  return total;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const seeded = { seed: 3, numRuns: 500 };

afterEach(() => sumLongRangesWith(null));

describe('checksum', () => {
  it('gives the example of RFC 1071 §3', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(fold(sum(bytes, viewOf(bytes), 0, 8, 0))).toBe(0xddf2);
    expect(checksum(bytes, viewOf(bytes), 0, 8)).toBe(0x220d);
  });

  it('agrees with the plain algorithm at every alignment and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), fc.nat(9), (bytes, skip, cut) => {
        const offset = Math.min(skip, bytes.length);
        const length = Math.max(0, bytes.length - offset - cut);
        const expected = naive(bytes.subarray(offset, offset + length));
        expect(fold(sum(bytes, viewOf(bytes), offset, length, 0))).toBe(expected);
      }),
      seeded,
    );
  });

  it('agrees with the plain algorithm over long ranges, which the addon sums', () => {
    const random = new Random(5);
    const native = vi.fn(addon().sum);
    sumLongRangesWith(native);
    for (let run = 0; run < 100; run++) {
      const bytes = random.bytes(20_000);
      const offset = random.int(100);
      const length = 4_096 + random.int(15_000);
      const initial = random.int(2 ** 31);
      const folded = fold(naive(bytes.subarray(offset, offset + length)) + initial);
      expect(fold(sum(bytes, viewOf(bytes), offset, length, initial))).toBe(folded);
    }
    expect(native).toHaveBeenCalledTimes(100);
  });

  it('loses no carry over the longest packet of all ones', () => {
    const bytes = new Uint8Array(65535).fill(0xff);
    expect(fold(sum(bytes, viewOf(bytes), 0, 65535, 0))).toBe(naive(bytes));
    expect(fold(sum(bytes, viewOf(bytes), 0, 65535, 2 ** 52))).toBe(fold(2 ** 52 + naive(bytes)));
  });

  it('folds any sum to its remainder', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (total) => {
        expect(fold(total) % 0xffff).toBe(total % 0xffff);
        expect(fold(total) === 0).toBe(total === 0);
      }),
      seeded,
    );
  });

  it('verifies to 0 with its own value in place', () => {
    const bytes = new Random(4).bytes(77);
    bytes.set([0, 0], 10);
    viewOf(bytes).setUint16(10, checksum(bytes, viewOf(bytes), 0, 77, 1234));
    expect(checksum(bytes, viewOf(bytes), 0, 77, 1234)).toBe(0);
  });

  // MUST-2
  it('sums the pseudo-header as if it stood in memory', () => {
    const header = Uint8Array.of(10, 7, 0, 1, 192, 168, 255, 254, 0, 6, 0xab, 0xcd);
    expect(fold(pseudoHeaderSum(0x0a070001, 0xc0a8fffe | 0, 6, 0xabcd))).toBe(naive(header));
  });

  it('updates for a changed word as a fresh computation would', () => {
    // RFC 1624 §4: equation 3 gives 0x0000 here, where RFC 1141 gave 0xffff.
    expect(update(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
    const word = fc.nat(0xffff);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        word,
        fc.nat(9),
        (bytes, w, i) => {
          bytes[19] = 1;
          const view = viewOf(bytes);
          const before = checksum(bytes, view, 0, 20);
          const old = view.getUint16(i * 2);
          view.setUint16(i * 2, i === 9 ? w | 1 : w);
          const after = update(before, old, view.getUint16(i * 2));
          expect(after).toBe(checksum(bytes, view, 0, 20));
        },
      ),
      seeded,
    );
  });
});
