import { progress } from './progress.js';
import { jain, median } from './statistics.js';
import type { Bench, FlowPlan, TrialResult } from './trial.js';

export interface FairnessPlan {
  seconds: number;
  runs: number;
}

interface Sharing extends TrialResult {
  run: number;
  jain: number;
}

interface Pairing {
  rtt: number;
  flows: string;
  runs: Sharing[];
}

export interface FairnessFigures {
  pairings: Pairing[];
  failures: string[];
}

const RATE = 100e6;
const RTTS = [20, 50];
/** Time in s for the flows to find their shares. */
const WARMUP = 5;
/** All to Linux; the two rates of a run are in this order. */
const TWO: Record<string, readonly FlowPlan[]> = {
  'ours, Linux': [
    { from: 'ours', to: 'linux' },
    { from: 'linux', to: 'linux' },
  ],
  'ours, ours': [
    { from: 'ours', to: 'linux' },
    { from: 'ours', to: 'linux' },
  ],
  'Linux, Linux': [
    { from: 'linux', to: 'linux' },
    { from: 'linux', to: 'linux' },
  ],
};

export async function measureFairness(
  bench: Bench,
  { seconds, runs }: FairnessPlan,
): Promise<FairnessFigures> {
  const failures: string[] = [];
  const pairings = RTTS.flatMap((rtt) =>
    Object.keys(TWO).map((flows): Pairing => ({ rtt, flows, runs: [] })),
  );
  const total = pairings.length * runs;
  let done = 0;
  for (let run = 1; run <= runs; run++) {
    for (const { rtt, flows, runs: results } of pairings) {
      const left = Math.ceil(((total - done++) * (WARMUP + seconds + 1)) / 60);
      progress(`run ${run} of ${runs}, ${flows}, ${rtt} ms, about ${left} min left`);
      const queue = { packets: Infinity, bytes: (RATE * rtt) / 8000 };
      const path = { rate: RATE, delay: rtt / 2, queue };
      const plan = { path, seed: run, flows: TWO[flows]!, warmup: WARMUP, seconds };
      try {
        const result = await bench.run(plan);
        results.push({ ...result, run, jain: jain(result.rates) });
      } catch (error) {
        failures.push(`${flows}, ${rtt} ms, run ${run}: ${(error as Error).message}`);
      }
    }
  }
  return { pairings, failures };
}

export function printFairness({ pairings, failures }: FairnessFigures): void {
  console.log("two flows, Mbit/s of each (median of the runs) and Jain's index: median (lowest)\n");
  for (const { rtt, flows, runs } of pairings.filter((each) => each.runs.length > 0)) {
    const rates = [0, 1].map((i) => median(runs.map((run) => run.rates[i]!)).toFixed(1));
    const indices = runs.map((run) => run.jain);
    const index = `${median(indices).toFixed(3)} (${Math.min(...indices).toFixed(3)})`;
    const shares = rates.map((rate) => rate.padStart(6)).join(' ');
    console.log(`  ${`${rtt} ms`.padStart(6)}  ${flows.padEnd(14)}${shares}   ${index}`);
  }
  for (const failure of failures) console.log(`failed: ${failure}`);
}
