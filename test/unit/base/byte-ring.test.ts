import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteRing } from '../../../src/base/byte-ring.js';
import { Random } from '../../../src/base/random.js';

function contents(ring: ByteRing): number[] {
  return Array.from({ length: ring.length }, (_, i) => ring.bytes[ring.position(i)]!);
}

describe('ByteRing', () => {
  it('takes no more than its limit, which may be raised', () => {
    const ring = new ByteRing(10);
    expect(
      ring.push(
        Uint8Array.from({ length: 20 }, (_, i) => i),
        3,
        17,
      ),
    ).toBe(10);
    expect(ring.free).toBe(0);
    expect(ring.push(Uint8Array.of(1), 0, 1)).toBe(0);
    ring.limit = 12;
    expect(ring.push(Uint8Array.of(91, 92, 93), 0, 3)).toBe(2);
    expect(contents(ring)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 91, 92]);
  });

  it('holds storage only while it holds bytes, a power of two from 4 KiB up', () => {
    const ring = new ByteRing(1_000_000);
    expect(ring.bytes.length).toBe(0);
    ring.push(new Uint8Array(1), 0, 1);
    expect(ring.bytes.length).toBe(4096);
    ring.push(new Uint8Array(4096), 0, 4096);
    expect(ring.bytes.length).toBe(8192);
    ring.push(new Uint8Array(900_000), 0, 900_000);
    expect(ring.bytes.length).toBe(2 ** 20);
    ring.drop(ring.length);
    expect(ring.bytes.length).toBe(0);
    ring.push(new Uint8Array(1), 0, 1);
    ring.clear();
    expect([ring.length, ring.bytes.length]).toEqual([0, 0]);
  });

  it('begins with storage for as much as it held the time before', () => {
    const ring = new ByteRing(1_000_000);
    const sizes = [300_000, 1, 1, 1].map((count) => {
      ring.push(new Uint8Array(count), 0, count);
      const { length } = ring.bytes;
      ring.drop(count);
      ring.drop(0);
      return length;
    });
    expect(sizes).toEqual([2 ** 19, 2 ** 19, 4096, 4096]);
  });

  it('takes storage that was given back instead of more memory', () => {
    const first = new ByteRing(2 ** 16);
    first.push(new Uint8Array(50_000), 0, 50_000);
    const storage = first.bytes;
    first.drop(50_000);
    const second = new ByteRing(2 ** 16);
    second.push(new Uint8Array(60_000), 0, 60_000);
    expect(second.bytes).toBe(storage);
  });

  it('keeps at most 16 MiB of storage that was given back, however often', () => {
    const size = 2 ** 23;
    const fill = (): Set<Uint8Array> => {
      const rings = Array.from({ length: 4 }, () => new ByteRing(size));
      for (const ring of rings) ring.push(new Uint8Array(size), 0, size);
      const storages = new Set(rings.map((ring) => ring.bytes));
      for (const ring of rings) ring.clear();
      return storages;
    };
    let before = fill();
    for (let i = 0; i < 3; i++) {
      const after = fill();
      const reused = [...after].filter((storage) => before.has(storage)).length;
      expect(reused).toBeGreaterThan(0);
      expect(reused).toBeLessThanOrEqual(2);
      before = after;
    }
  });

  it('keeps its storage apart from that of others', () => {
    const [a, b] = [new ByteRing(100), new ByteRing(100)];
    a.push(Uint8Array.of(1, 2, 3), 0, 3);
    b.push(Uint8Array.of(4, 5, 6), 0, 3);
    expect([contents(a), contents(b)]).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('gives the bytes back in order, whatever is pushed and dropped', () => {
    const action = fc.record({
      push: fc.oneof(fc.nat(200), fc.nat(9000)),
      drop: fc.oneof(fc.nat(200), fc.nat(9000)),
      offset: fc.nat(5),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.array(action, { maxLength: 40 }),
        (limit, actions) => {
          const random = new Random(limit);
          const ring = new ByteRing(limit);
          let model = Buffer.alloc(0);
          for (const { push, drop, offset } of actions) {
            const source = random.bytes(push + offset);
            const taken = ring.push(source, offset, push);
            expect(taken).toBe(Math.min(push, limit - model.length));
            model = Buffer.concat([model, source.subarray(offset, offset + taken)]);
            expect(ring.length).toBe(model.length);
            expect(Buffer.compare(Uint8Array.from(contents(ring)), model)).toBe(0);
            const dropped = Math.min(drop, ring.length);
            ring.drop(dropped);
            model = model.subarray(dropped);
          }
          expect(Buffer.compare(Uint8Array.from(contents(ring)), model)).toBe(0);
        },
      ),
      { seed: 2, numRuns: 150 },
    );
  });
});
