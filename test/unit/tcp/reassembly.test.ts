import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { add, diff, seq } from '../../../src/base/seq.js';
import { Reassembly } from '../../../src/tcp/reassembly.js';
import { Segment } from '../../../src/wire/segment.js';
import { runs } from '../../support/seed.js';

/** The number of a place; the stream starts just before the wrap. */
const BASE = seq(-20);

/** The byte at a place as the `n`th arrival has it, so that one sees which came first. */
function byteAt(place: number, n: number): number {
  return (place * 13 + n * 101) & 0xff;
}

function arrival(start: number, length: number, n: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt(start + i, n));
}

const arrivals = fc.array(
  fc.record({ start: fc.integer({ min: 1, max: 60 }), length: fc.integer({ min: 1, max: 25 }) }),
  { maxLength: 20 },
);

describe('Reassembly', () => {
  test('hands over in order what came first, and reports ranges latest first', () => {
    fc.assert(
      fc.property(arrivals, (list) => {
        const reassembly = new Reassembly();
        const model = new Map<number, number>();
        list.forEach(({ start, length }, n) => {
          const bytes = arrival(start, length, n);
          expect(reassembly.insert(add(BASE, start), bytes, 0, length)).toBe(false);
          // What was given may be reused at once.
          bytes.fill(0);
          for (let i = start; i < start + length; i++) {
            if (!model.has(i)) model.set(i, byteAt(i, n));
          }
          expectSack(reassembly, model, start);
        });
        let next = 1;
        while (!reassembly.isEmpty) {
          const chunk = reassembly.take(add(BASE, next));
          if (chunk === null) {
            expect(model.has(next)).toBe(false);
            next++;
            continue;
          }
          for (const byte of chunk) expect(byte).toBe(model.get(next++));
        }
        expect(reassembly.cost).toBe(0);
        for (const place of model.keys()) expect(place).toBeLessThan(next);
      }),
      runs(300),
    );
  });

  test('cuts off what lies before the number asked for', () => {
    const reassembly = new Reassembly();
    reassembly.insert(seq(10), arrival(10, 10, 0), 0, 10);
    expect(reassembly.take(seq(9))).toBe(null);
    expect([...reassembly.take(seq(15))!]).toEqual([...arrival(15, 5, 0)]);
    reassembly.insert(seq(30), arrival(30, 5, 0), 0, 5);
    expect(reassembly.take(seq(35))).toBe(null);
    expect(reassembly.isEmpty).toBe(true);
    expect(reassembly.cost).toBe(0);
  });

  test('keeps large chunks in place and says so', () => {
    const reassembly = new Reassembly();
    const large = new Uint8Array(40_000);
    reassembly.insert(seq(20_000), new Uint8Array(10), 0, 10);
    // The first part is kept as a view, the rest behind the hole is too short for that.
    expect(reassembly.insert(seq(0), large, 0, 20_100)).toBe(true);
    const chunk = reassembly.take(seq(0))!;
    expect(chunk.buffer).toBe(large.buffer);
    expect(chunk.length).toBe(20_000);
  });

  test('holds no arena for a chunk, once it was told to own it', () => {
    const reassembly = new Reassembly();
    const arena = new Uint8Array(1 << 20).fill(1);
    reassembly.insert(seq(5), arena, 0, 20_000);
    reassembly.own();
    arena.fill(2);
    const chunk = reassembly.take(seq(5))!;
    expect(chunk.every((byte) => byte === 1)).toBe(true);
    expect(chunk.buffer.byteLength).toBeLessThan(arena.length);
  });

  test('a chunk counts at least 256 bytes against the limit', () => {
    const reassembly = new Reassembly();
    for (let i = 0; i < 10; i++) reassembly.insert(seq(i * 2), new Uint8Array(1), 0, 1);
    expect(reassembly.cost).toBe(2_560);
    reassembly.clear();
    expect(reassembly.cost).toBe(0);
    expect(reassembly.isEmpty).toBe(true);
  });
});

/** RFC 2018 §4: the range with the latest arrival first; all of them ranges, none twice. */
function expectSack(
  reassembly: Reassembly,
  model: ReadonlyMap<number, number>,
  latest: number,
): void {
  const segment = new Segment();
  segment.sackCount = reassembly.writeSack(segment, 0, 4);
  const lefts = new Set<number>();
  for (let i = 0; i < segment.sackCount; i++) {
    const left = diff(seq(segment.sack[i * 2]!), BASE);
    const right = diff(seq(segment.sack[i * 2 + 1]!), BASE);
    if (i === 0) expect(left <= latest && latest < right).toBe(true);
    expect(lefts.has(left)).toBe(false);
    lefts.add(left);
    for (let place = left; place < right; place++) expect(model.has(place)).toBe(true);
    expect(model.has(left - 1)).toBe(false);
    expect(model.has(right)).toBe(false);
  }
  expect(segment.sackCount).toBeGreaterThan(0);
}
