import { Coverage } from './coverage.js';
import { Generator } from './generate.js';
import { Play, type Witness } from './play.js';
import { type Case, copyOf, type Step } from './step.js';

/** How a case went. */
export interface Outcome {
  /** What was wrong; null: nothing. */
  problem: string | null;
  packets: number;
  /** What was done of the case, up to the step that showed the problem. */
  steps: Step[];
}

/** Does all steps of a case, and ends it. */
export function runCase(
  { setup, steps }: Case,
  coverage = new Coverage(),
  witness: Witness | null = null,
): Outcome {
  const done: Step[] = [];
  let play: Play | null = null;
  try {
    play = new Play(setup, coverage, witness);
    for (const step of steps) {
      done.push(step);
      play.do(copyOf(step));
    }
    play.finish();
    return { problem: null, packets: play.packets, steps: done };
  } catch (error) {
    return { problem: messageOf(error), packets: play?.packets ?? 0, steps: done };
  }
}

const LENGTHS = [20, 60, 60, 150, 150, 400];

/** Draws a case from a seed and does it. */
export function runSeed(
  seed: number,
  coverage = new Coverage(),
): Outcome & { setup: Case['setup'] } {
  const generator = new Generator(seed);
  const { setup, random } = generator;
  const steps: Step[] = [];
  let play: Play | null = null;
  try {
    play = new Play(setup, coverage);
    for (let left = LENGTHS[random.int(LENGTHS.length)]!; left > 0; left--) {
      const step = generator.next(play);
      steps.push(copyOf(step));
      play.do(step);
    }
    play.finish();
    return { problem: null, packets: play.packets, steps, setup };
  } catch (error) {
    return { problem: messageOf(error), packets: play?.packets ?? 0, steps, setup };
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message.startsWith('invariant broken')) return error.message;
  const where = error.stack?.split('\n').find((line) => line.includes('/src/'));
  return `${error.name}: ${error.message}${where === undefined ? '' : ` ${where.trim()}`}`;
}
