import { describe, expect, test } from 'vitest';
import { problemOf } from './support/play-schedule.js';
import { scheduleOf } from './support/schedule.js';

/** `scripts/simulate` tries more, and makes a schedule that fails a small one. */
const SEEDS = 200;

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
