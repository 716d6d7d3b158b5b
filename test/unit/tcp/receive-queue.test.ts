import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReceiveQueue } from '../../../src/tcp/receive-queue.js';
import { runs } from '../../support/seed.js';

const LARGE = 16 * 1024;

describe('ReceiveQueue', () => {
  test('gives back what was put in, in order, whatever the sizes', () => {
    const operation = fc.oneof(
      fc.record({ push: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.constant(LARGE)) }),
      fc.record({ own: fc.integer({ min: 1, max: 2_000 }) }),
      fc.constant({ shift: true }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const queue = new ReceiveQueue();
        const sent: number[] = [];
        const got: number[] = [];
        let next = 0;
        const fresh = (length: number): Uint8Array =>
          Uint8Array.from({ length }, () => {
            const byte = (next++ * 7) & 0xff;
            sent.push(byte);
            return byte;
          });
        for (const each of operations) {
          if ('push' in each) {
            const bytes = fresh(each.push);
            const kept = queue.push(bytes, 0, bytes.length);
            expect(kept).toBe(bytes.length >= LARGE);
            // What is not kept is the caller's to reuse.
            if (!kept) bytes.fill(0xee);
          } else if ('own' in each) queue.pushOwned(fresh(each.own));
          else got.push(...(queue.shift() ?? []));
          expect(queue.length).toBe(sent.length - got.length);
        }
        for (let chunk = queue.shift(); chunk !== null; chunk = queue.shift()) got.push(...chunk);
        expect(Buffer.from(got).equals(Buffer.from(sent))).toBe(true);
        expect(queue.length).toBe(0);
        expect(queue.shift()).toBe(null);
      }),
      runs(150),
    );
  });

  test('holds no arena for what is not read, once it was told to own it', () => {
    const queue = new ReceiveQueue();
    const arena = new Uint8Array(1 << 20).fill(1);
    for (const at of [0, 1, 2]) queue.push(arena, at * LARGE, LARGE);
    queue.push(arena, 0, 10);
    queue.shift();
    queue.own();
    arena.fill(2);
    for (const length of [LARGE, LARGE, 10]) {
      const chunk = queue.shift()!;
      expect(chunk).toHaveLength(length);
      expect(chunk.every((byte) => byte === 1)).toBe(true);
      expect(chunk.buffer.byteLength).toBeLessThan(arena.length);
    }
    queue.push(arena, 0, LARGE);
    expect(queue.shift()!.buffer).toBe(arena.buffer);
  });

  test('a chunk that was given out is not written to again', () => {
    const queue = new ReceiveQueue();
    queue.push(Buffer.from('first'), 0, 5);
    queue.push(Buffer.from('second'), 0, 6);
    const first = queue.shift()!;
    const before = Buffer.from(first);
    queue.push(Buffer.from('third'), 0, 5);
    expect(Buffer.from(first).equals(before)).toBe(true);
    const second = queue.shift()!;
    const copy = Buffer.from(second);
    queue.push(Buffer.from('fourth'), 0, 6);
    expect(Buffer.from(second).equals(copy)).toBe(true);
  });

  test('many small segments become few chunks', () => {
    const queue = new ReceiveQueue();
    for (let i = 0; i < 10_000; i++) queue.push(new Uint8Array([i]), 0, 1);
    let chunks = 0;
    while (queue.shift() !== null) chunks++;
    expect(chunks).toBeLessThan(20);
  });

  test('clear drops all', () => {
    const queue = new ReceiveQueue();
    queue.push(Buffer.from('a'), 0, 1);
    queue.push(Buffer.from('b'), 0, 1);
    queue.clear();
    expect(queue.length).toBe(0);
    expect(queue.shift()).toBe(null);
  });
});
