import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { chosenCells, grid, pathOf, queueBytes, quickGrid } from '../../../scripts/versus/cells.js';
import { compare, jain, median } from '../../../scripts/versus/statistics.js';
import { type Trial, TrialLog } from '../../../scripts/versus/trial-log.js';

describe('the grid of versus-linux', () => {
  it('has each cell once, the quick one a part of them', () => {
    const ids = grid().map(({ id }) => id);
    // 5 round trips; no loss, and 3 losses at random or in bursts; with and without reordering.
    expect(new Set(ids).size).toBe(5 * (1 + 3 * 2) * 2);
    const quick = quickGrid().map(({ id }) => id);
    expect(quick.length).toBe(9);
    for (const id of quick) expect(ids).toContain(id);
  });

  it('is chosen from by parts of the names', () => {
    const ids = (list: string): string[] => chosenCells(list).map(({ id }) => id);
    expect(ids('10ms-0%')).toEqual(['10ms-0%-inorder', '10ms-0%-reorder']);
    expect(ids('burst-50ms-3%-inorder,1ms-0%-inorder')).toEqual([
      '1ms-0%-inorder',
      '50ms-3%-burst-inorder',
    ]);
    expect(() => chosenCells('10ms,7ms')).toThrow("no cell is '7ms'");
  });

  it('loses the same share in bursts as at random', () => {
    const [cell] = chosenCells('50ms-3%-burst-reorder');
    const { burstLoss, loss, delay, reorder, queue } = pathOf(cell!, 100e6);
    const { toBad, toGood } = burstLoss!;
    expect(toBad / (toBad + toGood)).toBeCloseTo(0.03);
    expect(loss).toBeUndefined();
    expect(delay).toBe(25);
    expect(reorder).toEqual({ probability: 0.01, delay: 6.25 });
    expect(queue!.bytes).toBe(queueBytes(50, 100e6));
  });
});

describe('verdicts', () => {
  it.each([
    ['at least Linux', [110, 112, 111, 113]],
    // Less than 1 % below is the same.
    ['at least Linux', [99.8, 99.9, 99.7, 99.8]],
    ['below', [70, 75, 72, 71]],
    ['noise', [60, 140, 90, 120]],
    // One run shows no spread.
    ['noise', [200]],
  ])('%s for %j against 100', (verdict, ours) => {
    expect(compare(ours, Array(ours.length).fill(100))!.verdict).toBe(verdict);
  });

  it('compare run by run, since each pair has met the same losses', () => {
    const comparison = compare([11, 110, 55, 22], [10, 100, 50, 20])!;
    expect(comparison.ratio).toBeCloseTo(1.1);
    expect(comparison.verdict).toBe('at least Linux');
    expect(compare([], [])).toBeNull();
  });

  it('reckon with the usual formulas', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(jain([5, 5])).toBe(1);
    expect(jain([10, 0])).toBe(0.5);
  });
});

describe('what several calls have measured', () => {
  const trial: Trial = {
    cell: '10ms-0%-inorder',
    rate: 100e6,
    combination: 'linux',
    run: 1,
    seed: 7,
    goodput: 90,
    late: 0.5,
    drops: 0,
    queueLosses: 0,
    losses: 0,
  };

  it('adds up in a file', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-'));
    const file = path.join(folder, 'trials.jsonl');
    try {
      new TrialLog(file, { seconds: 5 }).add([trial, { ...trial, combination: 'sending' }]);
      new TrialLog(file, { seconds: 5 }).add([{ ...trial, run: 2 }]);
      const log = new TrialLog(file, { seconds: 5 });
      expect(log.of(trial.cell, trial.rate).map(({ run }) => run)).toEqual([1, 1, 2]);
      expect(log.of(trial.cell, 1e9)).toEqual([]);
      expect(() => new TrialLog(file, { seconds: 6 })).toThrow(/another setup.*"seconds":5/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});
