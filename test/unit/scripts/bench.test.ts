import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kindsOf } from '../../../scripts/lib/bench/kinds.js';
import type { Results } from '../../../scripts/lib/bench/results.js';
import { Collection, load, median, store } from '../../../scripts/lib/bench/results.js';
import { stolen, ticksOf } from '../../../scripts/lib/bench/steal.js';
import { less, more, type Suite } from '../../../scripts/lib/bench/suite.js';
import { amount, changeOf, table } from '../../../scripts/lib/bench/table.js';

const folder = mkdtempSync(join(tmpdir(), 'tuntcp-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SUITE: Suite = {
  name: 'one',
  letter: 'z',
  title: 'the only suite',
  kinds: (kinds) => kinds,
  run: async () => [],
};

/** Two runs of two kinds; ours gets `factor` times as much as node:net. */
function results(factor: number): Results {
  const collection = new Collection();
  for (const run of [1, 3]) {
    collection.add('one', 'ours', [more('speed', 'Gbit/s', 10 * factor * run)]);
    collection.add('one', 'node', [more('speed', 'Gbit/s', 10 * run), less('pain', 'ms', run)]);
  }
  return {
    machine: {
      cpu: 'CPU',
      cores: 2,
      memory: 1024,
      kernel: '6.18',
      congestion: 'reno',
      node: 'v20.20.2',
      commit: 'abc1234',
      date: '2026-11-21T17:00:00.000Z',
    },
    settings: { pairs: 2, seconds: 1, quick: false },
    figures: collection.figures,
    failures: [],
    took: 7,
  };
}

describe('results of a benchmark', () => {
  it('are medians with their spread, and a ratio to node:net', () => {
    expect(table(results(1.5), [SUITE], null).split('\n').slice(2)).toEqual([
      '',
      'the only suite',
      '  speed (Gbit/s)',
      '    tuntcp, offload              30.0  (15.0 to 45.0)            1.50 x',
      '    node:net                     20.0  (10.0 to 30.0)            1.00 x',
      '  pain (ms, less is better)',
      '    node:net                     2.00  (1.00 to 3.00)            1.00 x',
    ]);
  });

  it('tell what neighbours took, and compare nobody in it', () => {
    const stat = (idle: number, steal: number) =>
      `cpu  10 0 10 ${idle} 0 0 5 ${steal} 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n`;
    const collection = new Collection();
    collection.add('one', 'ours', [stolen(ticksOf(stat(100, 1)), ticksOf(stat(175, 26)))]);
    collection.add('one', 'node', [stolen(ticksOf(stat(100, 1)), ticksOf(stat(200, 1)))]);
    const lines = table({ ...results(1), figures: collection.figures }, [SUITE], results(1));
    expect(lines.split('\n').slice(5)).toEqual([
      '  taken by neighbours (% of all processors)',
      '    tuntcp, offload              25.0  (25.0 to 25.0)',
      '    node:net                     0.00  (0.00 to 0.00)',
    ]);
  });

  it('tell the change against a stored run', () => {
    const file = join(folder, 'deep/run.json');
    store(results(1), file);
    const before = load(file);
    const text = table(results(1.1), [SUITE], before);
    expect(text).toMatch(/^change: against .*abc1234/m);
    expect(text).toMatch(/tuntcp, offload .* {2}\+10\.0 %$/m);
    expect(text).toMatch(/node:net .* {2}\+0\.0 %$/m);
    const unknown = { ...before.figures[0]!, metric: 'other' };
    expect(changeOf(unknown, before)).toBe('new');
  });

  it('are refused when a file holds none', () => {
    const file = join(folder, 'other.json');
    writeFileSync(file, '{}');
    expect(() => load(file)).toThrow(/--against .*other\.json: it holds no figures/);
    expect(() => load(join(folder, 'none.json'))).toThrow(/--against .*none\.json: ENOENT/);
  });

  it('have a median of an even number of runs too', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('are written with three digits that count', () => {
    expect([0.123, 9.994, 9.996, 99.94, 99.96, 12345.6].map(amount)).toEqual([
      '0.12',
      '9.99',
      '10.0',
      '99.9',
      '100',
      '12,346',
    ]);
  });

  it('are of stacks that exist', () => {
    expect(kindsOf('node,ours')).toEqual(['node', 'ours']);
    expect(() => kindsOf('ours,theirs')).toThrow(/--kinds takes .* not 'theirs'/);
  });
});
