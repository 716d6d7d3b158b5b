import type { Io } from './io.js';

export interface Command {
  readonly help: string;
  /** Returns the exit code. Throws `UsageError` for a mistake in `argv`, other errors for exit code 1. */
  run(argv: string[], io: Io): Promise<number>;
}

/** A mistake on the command line: one line on stderr, exit code 2. */
export class UsageError extends Error {}
