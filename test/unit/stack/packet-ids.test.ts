import { describe, expect, test } from 'vitest';
import { PacketIds } from '../../../src/stack/packet-ids.js';

const KEY = new Uint8Array(16).map((_, i) => i * 11);
const PASS = 0x8000;

describe('PacketIds (RFC 6864)', () => {
  test('none comes again within 32,768', () => {
    const ids = new PacketIds(KEY);
    const lastAt = new Map<number, number>();
    for (let i = 0; i < 5 * PASS; i++) {
      const id = ids.next();
      expect(id >>> 16).toBe(0);
      const last = lastAt.get(id);
      if (last !== undefined && i - last < PASS) throw new Error(`${id} after ${i - last}`);
      lastAt.set(id, i);
    }
    expect(lastAt.size).toBe(65_536);
  });

  test('each pass is in another order, and each key has others', () => {
    const ids = new PacketIds(KEY);
    const passes = [0, 1, 2, 3].map(() => Array.from({ length: PASS }, () => ids.next() & 0x7fff));
    passes.push(Array.from({ length: PASS }, other(KEY)));
    for (let a = 0; a < passes.length; a++) {
      for (let b = 0; b < a; b++) {
        const same = passes[a]!.filter((id, i) => id === passes[b]![i]).length;
        // Of two shufflings one place agrees on average.
        expect(same).toBeLessThan(10);
      }
    }
  });
});

function other(key: Uint8Array): () => number {
  const ids = new PacketIds(key.map((octet) => octet ^ 1));
  return () => ids.next();
}
