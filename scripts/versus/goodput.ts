import { type Cell, pathOf } from './cells.js';
import { progress } from './progress.js';
import { type Comparison, compare, median } from './statistics.js';
import type { Bench, FlowPlan, TrialResult } from './trial.js';

export interface GridPlan {
  cells: readonly Cell[];
  /** Bit/s. */
  rates: readonly number[];
  seconds: number;
  runs: number;
  /** Measure also when this process does not keep up, and count runs in which it was late. */
  anyway: boolean;
}

/** One transfer: who sends to whom. */
type Combination = 'linux' | 'sending' | 'receiving';

interface Trial extends Omit<TrialResult, 'rates'> {
  combination: Combination;
  run: number;
  seed: number;
  /** Goodput in Mbit/s. */
  goodput: number;
  /** The process kept up, so that it was the path that was measured. */
  valid: boolean;
}

export interface CellFigures {
  id: string;
  rate: number;
  loss: number;
  trials: Trial[];
  /** Runs in which one of two transfers was not valid, or failed; they are left out. */
  leftOut: { sending: number; receiving: number };
  sending: Comparison | null;
  receiving: Comparison | null;
}

/** What this process carries of a rate, from Linux to Linux without losses. */
export interface RateCheck extends TrialResult {
  rate: number;
  /** Mbit/s that the headers leave. */
  possible: number;
  keepsUp: boolean;
}

export interface GridFigures {
  checks: RateCheck[];
  cells: CellFigures[];
  failures: string[];
}

const FLOW: Record<Combination, FlowPlan> = {
  linux: { from: 'linux', to: 'linux' },
  sending: { from: 'ours', to: 'linux' },
  receiving: { from: 'linux', to: 'ours' },
};
const COMBINATIONS = Object.keys(FLOW) as Combination[];
/** ms by which this process may be late without that a run is left out. */
const LATE_MAX = 5;
const CHECK_SECONDS = 2;
/** Share of the possible rate that has to come through, slow start and all. */
const ENOUGH = 0.93;
/** Text of a packet of 1500 bytes with timestamps. */
const TEXT_SHARE = 1448 / 1500;
/** Seconds that a transfer takes beside its time. */
const OVERHEAD = 0.5;

export async function measureGrid(bench: Bench, plan: GridPlan): Promise<GridFigures> {
  const figures: GridFigures = { checks: [], cells: [], failures: [] };
  for (const rate of plan.rates) figures.checks.push(await checkRate(bench, rate, plan.seconds));
  const rates = figures.checks.filter((c) => c.keepsUp || plan.anyway).map(({ rate }) => rate);
  const total = rates.length * plan.cells.length;
  const each = plan.runs * COMBINATIONS.length * (plan.seconds + OVERHEAD);
  for (const rate of rates) {
    for (const cell of plan.cells) {
      const left = Math.ceil(((total - figures.cells.length) * each) / 60);
      const place = `cell ${figures.cells.length + 1} of ${total}, ${cell.id}`;
      progress(`${place}, about ${left} min left`);
      figures.cells.push(await measureCell(bench, cell, rate, plan, figures.failures));
    }
  }
  return figures;
}

/** Also lets V8 compile what the path needs. */
async function checkRate(bench: Bench, rate: number, most: number): Promise<RateCheck> {
  const path = pathOf({ id: '', rtt: 10, loss: 0, bursts: false, reorder: false }, rate);
  const trial = { path, flows: [FLOW.linux], seconds: Math.min(CHECK_SECONDS, most) };
  progress(`whether this process keeps up with ${rate / 1e6} Mbit/s`);
  await bench.run({ ...trial, seed: 1, warmup: 0 });
  const result = await bench.run({ ...trial, seed: 1, warmup: 0.5 });
  const possible = (rate / 1e6) * TEXT_SHARE;
  const keepsUp = result.rates[0]! >= ENOUGH * possible && result.drops === 0;
  return { ...result, rate, possible, keepsUp };
}

async function measureCell(
  bench: Bench,
  cell: Cell,
  rate: number,
  plan: GridPlan,
  failures: string[],
): Promise<CellFigures> {
  const trials: Trial[] = [];
  const path = pathOf(cell, rate);
  for (let run = 1; run <= plan.runs; run++) {
    const seed = seedOf(cell, run);
    for (const combination of turned(COMBINATIONS, run)) {
      const trial = { path, seed, flows: [FLOW[combination]], warmup: 0, seconds: plan.seconds };
      try {
        const { rates, ...rest } = await bench.run(trial);
        const valid = plan.anyway || (rest.drops === 0 && rest.late <= LATE_MAX);
        trials.push({ combination, run, seed, goodput: rates[0]!, valid, ...rest });
      } catch (error) {
        failures.push(`${cell.id}, ${combination}, run ${run}: ${(error as Error).message}`);
      }
    }
  }
  const sending = pairs(trials, 'sending');
  const receiving = pairs(trials, 'receiving');
  return {
    id: cell.id,
    rate,
    loss: cell.loss,
    trials,
    leftOut: {
      sending: plan.runs - sending.ours.length,
      receiving: plan.runs - receiving.ours.length,
    },
    sending: compare(sending.ours, sending.linux),
    receiving: compare(receiving.ours, receiving.linux),
  };
}

/** The same for all transfers of a run, and another in each run and cell. */
function seedOf(cell: Cell, run: number): number {
  let hash = run;
  for (const letter of cell.id) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return hash;
}

/** Each run begins with another, so that none is always the first. */
function turned<T>(list: readonly T[], by: number): T[] {
  return list.map((_, i) => list[(i + by) % list.length]!);
}

function pairs(
  trials: readonly Trial[],
  combination: Combination,
): { ours: number[]; linux: number[] } {
  const found = { ours: [] as number[], linux: [] as number[] };
  for (const own of trials) {
    if (own.combination !== combination) continue;
    const other = trials.find((each) => each.combination === 'linux' && each.run === own.run);
    if (!own.valid || other?.valid !== true || own.goodput === 0 || other.goodput === 0) continue;
    found.ours.push(own.goodput);
    found.linux.push(other.goodput);
  }
  return found;
}

export function printGrid({ checks, cells, failures }: GridFigures): void {
  for (const check of checks) printCheck(check);
  for (const { rate } of checks) {
    const own = cells.filter((cell) => cell.rate === rate);
    if (own.length === 0) continue;
    console.log(`\n${rate / 1e6} Mbit/s, ours divided by Linux's: median (lowest to highest)\n`);
    console.log(`  ${'cell'.padEnd(26)}${'Linux'.padStart(7)}   ${heading('sending')}receiving`);
    for (const cell of own) console.log(row(cell));
    printSummary(own);
  }
  for (const failure of failures) console.log(`failed: ${failure}`);
}

function printCheck({ rate, rates, possible, late, drops, keepsUp }: RateCheck): void {
  const result = `${rates[0]!.toFixed(1)} of ${possible.toFixed(1)} Mbit/s possible`;
  const how = `late by ${late.toFixed(1)} ms at most 99 % of the time, ${drops} packets dropped`;
  const end = keepsUp ? 'keeps up' : 'does not keep up';
  console.log(`link at ${rate / 1e6} Mbit/s: ${end}: ${result}, ${how}`);
}

const WIDTH = 42;

function heading(text: string): string {
  return text.padEnd(WIDTH);
}

function row(cell: CellFigures): string {
  const linux = cell.trials.filter((t) => t.combination === 'linux').map((t) => t.goodput);
  const base = linux.length === 0 ? '-' : median(linux).toFixed(linux[0]! < 10 ? 2 : 1);
  const sending = words(cell.sending, cell.leftOut.sending);
  const receiving = words(cell.receiving, cell.leftOut.receiving);
  return `  ${cell.id.padEnd(26)}${base.padStart(7)}   ${heading(sending)}${receiving}`;
}

function words(comparison: Comparison | null, leftOut: number): string {
  const out = leftOut > 0 ? ` [${leftOut} left out]` : '';
  if (comparison === null) return `no valid run${out}`;
  const { ratio, lowest, highest, verdict } = comparison;
  return `${ratio.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)}) ${verdict}${out}`;
}

function printSummary(cells: readonly CellFigures[]): void {
  console.log('');
  for (const way of ['sending', 'receiving'] as const) {
    const all = cells.map((cell) => cell[way]).filter((each) => each !== null);
    const lossy = cells.filter(({ loss }) => loss > 0).map((cell) => cell[way]?.ratio);
    const ratios = lossy.filter((ratio) => ratio !== undefined);
    const count = (verdict: Comparison['verdict']): number =>
      all.filter((each) => each.verdict === verdict).length;
    const verdicts = `${count('at least Linux')} cells at least Linux, ${count('below')} below, ${count('noise')} where noise allows no verdict`;
    const middle =
      ratios.length === 0 ? '' : `; median of the lossy cells ${median(ratios).toFixed(2)}`;
    console.log(`${way}: ${verdicts}${middle}`);
  }
}
