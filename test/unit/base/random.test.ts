import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';

describe('Random', () => {
  it('repeats itself from a seed and differs between seeds', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 100 }, () => random.next());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(new Set(draw(0)).size).toBe(100);
  });

  it('stays within its ranges and reaches all of them', () => {
    const random = new Random(7);
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      seen.add(random.int(6));
      const f = random.float();
      expect(f >= 0 && f < 1).toBe(true);
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(random.bytes(10_000)).size).toBe(256);
  });
});
