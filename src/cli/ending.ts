import type { Io } from './io.js';

/** Waits for Ctrl-C and the like; with `keys` also for q, and the terminal is in raw mode until `release`. */
export class Ending {
  #over = false;
  #wake: () => void = () => {};
  readonly #undo: (() => void)[];

  constructor(io: Io, keys: boolean) {
    const end = () => {
      this.#over = true;
      this.#wake();
    };
    this.#undo = [io.onStop(end)];
    const { stdin } = io;
    if (!keys || !stdin.isTTY) return;
    const onKey = (chunk: Buffer) => {
      // Ctrl-C is a key in raw mode.
      if (chunk.includes('q') || chunk.includes('Q') || chunk.includes('\x03')) end();
    };
    stdin.setRawMode?.(true);
    stdin.on('data', onKey);
    this.#undo.push(() => {
      stdin.off('data', onKey);
      stdin.pause();
      stdin.setRawMode?.(false);
    });
  }

  /** True when it is over; else false after `ms`. */
  async wait(ms: number): Promise<boolean> {
    if (this.#over) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    return this.#over;
  }

  /** Settles with `task`, or when it is over. */
  async unless(task: Promise<void> | undefined): Promise<void> {
    if (task === undefined || this.#over) return;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      task.then(resolve, reject);
    });
  }

  /**
   * Calls `look` after every `ms` until it is over, and then does not wait for one that is under way:
   * what is asked may have stopped answering. Rejects when `look` does.
   */
  async every(ms: number, look: () => Promise<void>): Promise<void> {
    while (!(await this.wait(ms))) await this.unless(look());
  }

  release(): void {
    for (const undo of this.#undo) undo();
  }
}
