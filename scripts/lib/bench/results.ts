import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Kind } from './kinds.js';
import { ROOT } from './peers.js';
import type { Sample, Settings } from './suite.js';

/** All measurements of one metric on one stack. */
export interface Figure extends Omit<Sample, 'value'> {
  suite: string;
  kind: Kind;
  /** In order of measurement. */
  runs: number[];
}

export interface Machine {
  cpu: string;
  cores: number;
  /** MiB */
  memory: number;
  kernel: string;
  congestion: string;
  node: string;
  /** Followed by + when files were changed. */
  commit: string;
  /** ISO 8601 */
  date: string;
}

export interface Results {
  machine: Machine;
  settings: Settings;
  figures: Figure[];
  /** What could not be measured, and why. */
  failures: string[];
  /** Seconds of all of it. */
  took: number;
}

/** Collects samples as figures, in the order in which their metrics first come. */
export class Collection {
  readonly figures: Figure[] = [];
  readonly failures: string[] = [];

  add(suite: string, kind: Kind, samples: readonly Sample[]): void {
    for (const { metric, unit, better, value } of samples) {
      const known = this.figures.find(
        (each) => each.suite === suite && each.kind === kind && each.metric === metric,
      );
      if (known !== undefined) known.runs.push(value);
      else this.figures.push({ suite, kind, metric, unit, better, runs: [value] });
    }
  }
}

export function machine(congestion: string): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memory: Math.round(os.totalmem() / 2 ** 20),
    kernel: os.release(),
    congestion,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** Writes the results to `bench/results/`, or to `file`; the path. */
export function store(results: Results, file: string | undefined): string {
  const { date, commit } = results.machine;
  const name = `${date.slice(0, 19).replace(/[-:]/g, '').replace('T', '-')}-${commit}.json`;
  const target = file ?? path.join(ROOT, 'bench/results', name);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, `${JSON.stringify(results, null, 2)}\n`);
  return path.relative(process.cwd(), target);
}

/** @throws Error that names the file when it holds no results */
export function load(file: string): Results {
  try {
    const results = JSON.parse(fs.readFileSync(file, 'utf8')) as Results;
    if (Array.isArray(results.figures)) return results;
    throw new Error('it holds no figures');
  } catch (error) {
    throw new Error(`--against ${file}: ${(error as Error).message}`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
