import type fc from 'fast-check';

/** The seed of random tests: fixed, or `TUNTCP_SEED` to look further. */
export const SEED = Number(process.env.TUNTCP_SEED ?? 20_240_601) | 0;

/** How often a property is tried; `TUNTCP_RUNS` times as often when that is set. */
export function runs<T>(count: number): fc.Parameters<T> {
  return { seed: SEED, numRuns: count * Number(process.env.TUNTCP_RUNS ?? 1) };
}
