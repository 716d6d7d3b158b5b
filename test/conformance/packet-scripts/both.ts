import type { LinuxRunner } from './run-linux.js';
import type { Outcome } from './run-virtual.js';
import { hasAlternatives, type Script } from './script.js';

/** Scripts at a time; they mostly wait. */
const AT_ONCE = 40;
/** A machine that is busy elsewhere can be late; a script that is wrong is so each time. */
const TRIES = 5;

/** How Linux stands to a script. */
export interface LinuxVerdict {
  /** The lines for Linux; null when the script says that Linux differs or is too slow. */
  readonly own: Outcome | null;
  /** The lines for us, which are to fail with Linux; null when there are no others than Linux's. */
  readonly ours: Outcome | null;
}

/**
 * Plays scripts to Linux, side by side, and those lines which are said to differ as well.
 * @returns a promise for each script
 */
export function judgeAll(
  runner: LinuxRunner,
  scripts: readonly Script[],
): Map<Script, Promise<LinuxVerdict>> {
  const turns = new Turns();
  return new Map(
    scripts.map((script) => {
      const verdict = turns.take(() => judge(runner, script));
      // Not everybody waits for each.
      verdict.catch(() => {});
      return [script, verdict];
    }),
  );
}

async function judge(runner: LinuxRunner, script: Script): Promise<LinuxVerdict> {
  if (script.linux?.kind === 'too slow') return { own: null, ours: null };
  if (script.linux !== null) return { own: null, ours: await runner.run(script, 'ours') };
  const [own, ours] = await Promise.all([
    withPatience(runner, script),
    hasAlternatives(script) ? runner.run(script, 'ours') : null,
  ]);
  return { own, ours };
}

/** Plays a script that is expected to come true. */
export async function withPatience(runner: LinuxRunner, script: Script): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await runner.run(script);
    if (outcome.failure === null || tries === TRIES) return outcome;
  }
}

/** Lets so many run at a time. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count = AT_ONCE) {
    this.#free = count;
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
