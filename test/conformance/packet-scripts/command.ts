import { Turns, withPatience } from './both.js';
import { preamblesOf, readScripts } from './folder.js';
import { type Failure, formatFailure } from './play.js';
import { LinuxRunner } from './run-linux.js';
import { type Outcome, runVirtual } from './run-virtual.js';
import type { Script, System } from './script.js';
import { compileAgent } from './syscall-agent.js';

/** What `scripts/packet-script` tells of a script, for programs. */
export interface Report {
  readonly file: string;
  readonly title: string;
  readonly on: System;
  /** What a header of the script says of Linux. */
  readonly linux: string | null;
  readonly failure: Failure | null;
}

export interface CommandOptions {
  /** Absolute paths. */
  readonly files: readonly string[];
  readonly on: System;
  /** The folder with `preambles/`. */
  readonly scripts: string;
  /** Paths in messages are as seen from here. */
  readonly from: string;
  /** Of `syscall-agent.c`. */
  readonly agent: string;
}

export { formatFailure };

/** Plays scripts one after the other, to Linux side by side; reports in their order. */
export async function playFiles(
  options: CommandOptions,
  report: (report: Report) => void,
): Promise<void> {
  const find = preamblesOf(options.scripts, options.from);
  const scripts = options.files.flatMap((path) => readScripts(path, find, options.from));
  const runner = options.on === 'linux' ? new LinuxRunner(compileAgent(options.agent)) : null;
  const turns = new Turns();
  const run = (script: Script): Promise<Outcome> =>
    runner === null ? runVirtual(script) : turns.take(() => withPatience(runner, script));
  try {
    const outcomes = scripts.map(run);
    // The first that rejects is the one that is told of.
    for (const outcome of outcomes) outcome.catch(() => {});
    for (const [i, script] of scripts.entries()) {
      const { failure } = await outcomes[i]!;
      const { file, title } = script;
      const linux = script.linux === null ? null : `${script.linux.kind}: ${script.linux.reason}`;
      report({ file, title, on: options.on, linux, failure });
    }
  } finally {
    await runner?.close();
  }
}
