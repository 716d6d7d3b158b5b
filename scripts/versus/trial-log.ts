import * as fs from 'node:fs';
import type { TrialResult } from './trial.js';

/** One transfer: who sends to whom. */
export type Combination = 'linux' | 'sending' | 'receiving';

export interface Trial extends Omit<TrialResult, 'rates'> {
  cell: string;
  /** Bit/s. */
  rate: number;
  combination: Combination;
  run: number;
  seed: number;
  /** Goodput in Mbit/s. */
  goodput: number;
}

/** What transfers have in common whose figures may be put together. */
export type Setup = Readonly<Record<string, string | number>>;

/**
 * What was measured, in memory and, with a file, for further calls: a line of JSON with the setup, and
 * one for each transfer.
 */
export class TrialLog {
  readonly #trials: Trial[] = [];
  readonly #file: string | null;

  /** @throws Error when the file has transfers of another setup, or something else */
  constructor(file: string | null, setup: Setup) {
    this.#file = file;
    if (file === null) return;
    const header = JSON.stringify(setup);
    if (!fs.existsSync(file)) {
      fs.writeFileSync(file, `${header}\n`);
      return;
    }
    const [first, ...lines] = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
    if (first !== header) {
      throw new Error(`${file} is of another setup: take another file, or these options: ${first}`);
    }
    for (const line of lines) this.#trials.push(JSON.parse(line) as Trial);
  }

  of(cell: string, rate: number): Trial[] {
    return this.#trials.filter((trial) => trial.cell === cell && trial.rate === rate);
  }

  add(trials: readonly Trial[]): void {
    this.#trials.push(...trials);
    if (this.#file === null) return;
    fs.appendFileSync(this.#file, trials.map((trial) => `${JSON.stringify(trial)}\n`).join(''));
  }
}
