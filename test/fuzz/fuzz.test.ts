import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { attempt, showOnFailure } from '../support/show-failure.js';
import { formatCase, parseCase } from './support/case-text.js';
import { readCorpus } from './support/corpus.js';
import { Exhibited } from './support/exhibited.js';
import { runCase, runSeed } from './support/run-case.js';
import { shrinkFailure } from './support/shrink.js';
import type { Case } from './support/step.js';

/** `scripts/fuzz` goes further. */
const SEEDS = 500;
const SHRINK_MS = 10_000;
const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));

/** Fails with the case made small, when there is something wrong with it. */
function report(one: Case, problem: string | null): void {
  if (problem === null) return;
  const small = shrinkFailure(one, problem, performance.now() + SHRINK_MS);
  const shown = new Exhibited(small);
  showOnFailure(shown);
  attempt(shown, () => expect(problem).toBeNull());
}

describe('the corpus', () => {
  const items = readCorpus(CORPUS);

  test('breaks no invariant', { timeout: 60_000 }, () => {
    expect(items.length).toBeGreaterThan(100);
    for (const item of items) report(item.case, runCase(item.case).problem);
  });

  test('is written as it is read', () => {
    for (const { case: one } of items) {
      expect(parseCase(formatCase(one))).toEqual(one);
    }
  });
});

describe('conversations drawn from a seed', () => {
  test('break no invariant', { timeout: 120_000 }, () => {
    let packets = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = runSeed(seed);
      packets += outcome.packets;
      report(outcome, outcome.problem);
    }
    expect(packets).toBeGreaterThan(SEEDS * 50);
  });

  test('go the same way when their steps are done again', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { setup, steps, packets } = runSeed(seed);
      const again = runCase(parseCase(formatCase({ setup, steps })));
      expect(again.problem).toBeNull();
      expect(again.packets).toBe(packets);
    }
  });
});
