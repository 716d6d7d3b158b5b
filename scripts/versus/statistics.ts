/** What the pairs of a cell say: `noise` that they say nothing. */
export type Verdict = 'at least Linux' | 'below' | 'noise';

/** How ours compares with Linux's in pairs of measurements, each pair with the same losses. */
export interface Comparison {
  /** Ours divided by Linux's: the median of the pairs, the lowest and the highest. */
  ratio: number;
  lowest: number;
  highest: number;
  /** In which the true ratio lies with a confidence of 90 %, by the t-distribution of its logarithm. */
  interval: [number, number];
  verdict: Verdict;
}

/** What differs by less is the same: a queue that is full at the end or not is more. */
const RESOLUTION = 0.01;
/** Quantiles of 95 % of Student's t by degrees of freedom, from 1 on. */
const STUDENT = [6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.9, 1.86, 1.83, 1.81];
const STUDENT_BEYOND = 1.75;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Compares the rates pair by pair; null when there are none. */
export function compare(ours: readonly number[], linux: readonly number[]): Comparison | null {
  if (ours.length === 0) return null;
  const ratios = ours.map((rate, i) => rate / linux[i]!);
  const interval = intervalOf(ratios);
  return {
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
    interval,
    verdict: verdictOf(interval),
  };
}

function intervalOf(ratios: readonly number[]): [number, number] {
  const n = ratios.length;
  if (n < 2) return [0, Infinity];
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, x) => sum + x, 0) / n;
  const variance = logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  const half = (STUDENT[n - 2] ?? STUDENT_BEYOND) * Math.sqrt(variance / n);
  return [Math.exp(mean - half), Math.exp(mean + half)];
}

function verdictOf([low, high]: [number, number]): Verdict {
  if (low >= 1 - RESOLUTION) return 'at least Linux';
  return high < 1 - RESOLUTION ? 'below' : 'noise';
}

/** Jain's index: 1 when all have the same, 1 / n when one has it all. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, x) => total + x, 0);
  const squares = values.reduce((total, x) => total + x * x, 0);
  return squares === 0 ? 1 : sum ** 2 / (values.length * squares);
}
