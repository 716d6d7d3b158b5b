import { type Cell, pathOf } from './cells.js';
import { progress } from './progress.js';
import { type Comparison, compare } from './statistics.js';
import type { Bench, FlowPlan, TrialResult } from './trial.js';
import type { Combination, Trial, TrialLog } from './trial-log.js';

export interface GridPlan {
  cells: readonly Cell[];
  /** Bit/s. */
  rates: readonly number[];
  seconds: number;
  runs: number;
  /** Measure also when this process does not keep up, and count runs in which it was late. */
  anyway: boolean;
  /** Seconds after which no further run begins. */
  limit: number;
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
  /** Runs of cells that are still to be measured. */
  left: number;
}

const FLOW: Record<Combination, FlowPlan> = {
  linux: { from: 'linux', to: 'linux' },
  sending: { from: 'ours', to: 'linux' },
  receiving: { from: 'linux', to: 'ours' },
};
const COMBINATIONS = Object.keys(FLOW) as Combination[];
/** ms by which this process may be late without that a run is left out, and as a share of the round trip. */
const LATE_MAX = 5;
const LATE_SHARE = 0.1;
const CHECK_SECONDS = 2;
const CHECK_TRIES = 3;
/** Share of the possible rate that has to come through, slow start and all. */
const ENOUGH = 0.93;
/** Text of a packet of 1500 bytes with timestamps. */
const TEXT_SHARE = 1448 / 1500;
/** Seconds that a transfer takes beside its time. */
const OVERHEAD = 0.5;
/** Between cells that follow each other in time; shares no factor with the 70 of the grid. */
const STRIDE = 23;

/** Measures what the log does not have yet, on all benches at once, and tells of all that it has. */
export async function measureGrid(
  benches: readonly Bench[],
  plan: GridPlan,
  log: TrialLog,
): Promise<GridFigures> {
  const checks: RateCheck[] = [];
  const end = performance.now() + plan.limit * 1000;
  for (const rate of plan.rates) checks.push(await checkRate(benches[0]!, rate, plan.seconds));
  const rates = checks.filter((c) => c.keepsUp || plan.anyway).map(({ rate }) => rate);
  const work = workOf(plan, rates, log);
  const total = work.length;
  const failures: string[] = [];
  const takeWork = async (bench: Bench): Promise<void> => {
    const each = COMBINATIONS.length * (plan.seconds + OVERHEAD);
    while (work.length > 0 && performance.now() + each * 1000 <= end) {
      const left = Math.ceil((work.length * each) / 60 / benches.length);
      const task = work.shift()!;
      const place = `run ${task.run} of ${task.cell.id}`;
      progress(`${place}, ${total - work.length} of ${total}, about ${left} min left`);
      await measureRun(bench, task, plan, log, failures);
    }
  };
  await Promise.all(benches.map(takeWork));
  return { checks, cells: figuresOf(plan, log), failures, left: work.length };
}

/** What the log tells of the plan. */
export function figuresOf(plan: GridPlan, log: TrialLog): CellFigures[] {
  return plan.rates.flatMap((rate) =>
    plan.cells
      .map((cell) => figuresOfCell(cell, rate, plan, log))
      .filter(({ trials }) => trials.length > 0),
  );
}

/** A run of a cell: one transfer of each combination. */
interface Task {
  cell: Cell;
  rate: number;
  run: number;
}

/**
 * Run by run, so that there is something of every cell early; neighbours in time differ in speed. In
 * place of a run of an earlier call that is not valid there is another.
 */
function workOf(plan: GridPlan, rates: readonly number[], log: TrialLog): Task[] {
  const { cells, runs } = plan;
  const mixed = cells
    .map((cell, i) => ({ cell, place: (i * STRIDE) % cells.length }))
    .sort((a, b) => a.place - b.place)
    .map(({ cell }) => cell);
  const work: Task[] = [];
  for (const rate of rates) {
    for (let i = 1; i <= runs; i++) {
      for (const cell of mixed) {
        const trials = log.of(cell.id, rate);
        const done = validRuns(trials, cell.rtt, plan.anyway);
        if (i > done) work.push({ cell, rate, run: runsIn(trials) + i - done });
      }
    }
  }
  return work;
}

/** Also lets V8 compile what the path needs. Other load on the machine may spoil a try. */
async function checkRate(bench: Bench, rate: number, most: number): Promise<RateCheck> {
  const path = pathOf({ id: '', rtt: 10, loss: 0, bursts: false, reorder: false }, rate);
  const trial = { path, flows: [FLOW.linux], seconds: Math.min(CHECK_SECONDS, most) };
  progress(`whether this process keeps up with ${rate / 1e6} Mbit/s`);
  await bench.run({ ...trial, seed: 1, warmup: 0 });
  const possible = (rate / 1e6) * TEXT_SHARE;
  for (let tries = 1; ; tries++) {
    const result = await bench.run({ ...trial, seed: 1, warmup: 0.5 });
    const keepsUp = result.rates[0]! >= ENOUGH * possible && result.drops === 0;
    if (keepsUp || tries === CHECK_TRIES) return { ...result, rate, possible, keepsUp };
  }
}

async function measureRun(
  bench: Bench,
  { cell, rate, run }: Task,
  { seconds }: GridPlan,
  log: TrialLog,
  failures: string[],
): Promise<void> {
  const path = pathOf(cell, rate);
  const seed = seedOf(cell, run);
  const trials: Trial[] = [];
  for (const combination of turned(COMBINATIONS, run)) {
    try {
      const plan = { path, seed, flows: [FLOW[combination]], warmup: 0, seconds };
      const { rates, ...rest } = await bench.run(plan);
      trials.push({ cell: cell.id, rate, combination, run, seed, goodput: rates[0]!, ...rest });
    } catch (error) {
      failures.push(`${cell.id}, ${combination}, run ${run}: ${(error as Error).message}`);
    }
  }
  log.add(trials);
}

function figuresOfCell(cell: Cell, rate: number, { anyway }: GridPlan, log: TrialLog): CellFigures {
  const trials = log.of(cell.id, rate);
  const done = runsIn(trials);
  const sending = pairs(trials, 'sending', cell.rtt, anyway);
  const receiving = pairs(trials, 'receiving', cell.rtt, anyway);
  return {
    id: cell.id,
    rate,
    loss: cell.loss,
    trials,
    leftOut: { sending: done - sending.ours.length, receiving: done - receiving.ours.length },
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
  rtt: number,
  anyway: boolean,
): { ours: number[]; linux: number[] } {
  const found = { ours: [] as number[], linux: [] as number[] };
  const counts = (trial: Trial): boolean => trial.goodput > 0 && (anyway || isValid(trial, rtt));
  for (const own of trials) {
    if (own.combination !== combination || !counts(own)) continue;
    const other = trials.find((each) => each.combination === 'linux' && each.run === own.run);
    if (other === undefined || !counts(other)) continue;
    found.ours.push(own.goodput);
    found.linux.push(other.goodput);
  }
  return found;
}

function runsIn(trials: readonly Trial[]): number {
  return trials.reduce((most, { run }) => Math.max(most, run), 0);
}

/** Runs of which both pairs count. */
function validRuns(trials: readonly Trial[], rtt: number, anyway: boolean): number {
  const ways = ['sending', 'receiving'] as const;
  return Math.min(...ways.map((way) => pairs(trials, way, rtt, anyway).ours.length));
}

/** The process kept up, so that it was the path that was measured. */
function isValid({ drops, late }: Trial, rtt: number): boolean {
  return drops === 0 && late <= Math.max(LATE_MAX, LATE_SHARE * rtt);
}
