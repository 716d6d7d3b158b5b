import { describe, expect, test } from 'vitest';
import { PatternEnd } from './support/flow.js';
import { problemOf } from './support/play-schedule.js';
import { type Schedule, scheduleOf } from './support/schedule.js';

/** `scripts/simulate` tries more, and makes a schedule that fails a small one. */
const SEEDS = 200;

const QUIET: Schedule = {
  seed: 1,
  mtu: 1500,
  offload: false,
  up: { delay: 10 },
  down: { delay: 10 },
  changes: [],
  rules: [],
  healsAt: null,
  tcpA: {},
  tcpB: {},
  actions: [{ at: 100, side: 'a', what: 'write', size: 50_000 }],
  endA: 5000,
  endB: 5000,
};

describe('random schedules of faults', () => {
  test('end with every byte or with the error that the RFC asks for', { timeout: 60_000 }, () => {
    const problems: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const problem = problemOf(scheduleOf(seed));
      if (problem !== null) problems.push(`scripts/simulate --from ${seed} --seeds 1: ${problem}`);
    }
    expect(problems).toEqual([]);
  });
});

describe('what watches them', () => {
  const dead = [{ at: 120, direction: 'up' as const, faults: { dead: true } }];

  test('has nothing against a path that is dead, when TCP gives up in time', () => {
    expect(problemOf(QUIET)).toBeNull();
    expect(problemOf({ ...QUIET, changes: dead })).toBeNull();
  });

  test('notices who gives up too early', () => {
    const hasty = { ...QUIET, changes: dead, tcpA: { retransmitR2: 6 } };
    expect(problemOf(hasty)).toMatch(/^a timed out at \d+.* of silence$/);
  });

  test('notices a byte that is wrong, comes twice or is left out', () => {
    const sent = new PatternEnd(() => 0);
    const chunks: Uint8Array[] = [];
    const connection = { write: (bytes: Uint8Array) => chunks.push(bytes.slice()) && bytes.length };
    sent.connection = connection as unknown as PatternEnd['connection'];
    sent.writeUpTo(200_000);
    const stream = Buffer.concat(chunks);
    const wrongAt = (bytes: Uint8Array): number => {
      const end = new PatternEnd(() => 0);
      const waiting = [bytes];
      const from = { read: () => waiting.pop() ?? null, ended: false };
      end.connection = from as unknown as PatternEnd['connection'];
      end.read();
      return end.wrongAt;
    };
    const altered = Buffer.from(stream);
    altered[150_000]! ^= 1;
    expect(wrongAt(stream)).toBe(-1);
    expect(wrongAt(altered)).toBe(150_000);
    for (const segment of [1460, 65_536]) {
      const twice = [stream.subarray(0, 2 * segment), stream.subarray(segment)];
      expect(wrongAt(Buffer.concat(twice))).toBeGreaterThanOrEqual(2 * segment);
      const gap = [stream.subarray(0, segment), stream.subarray(2 * segment)];
      expect(wrongAt(Buffer.concat(gap))).toBeGreaterThanOrEqual(segment);
    }
  });
});
