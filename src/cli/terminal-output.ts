import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import type { Terminal } from './io.js';

/** Ms between two attempts at a terminal that takes nothing, and until it is given up at the end. */
const RETRY = 10;
const PATIENCE = 500;

/**
 * Where a command writes that goes on until it is ended: `stdout`, or the same terminal opened once
 * more. Node waits for a terminal when it writes; one that nobody reads (a hung ssh, Ctrl-S) would
 * hold the process in write(2), deaf to every signal.
 */
export function liveOutput(stdout: Terminal & { readonly fd?: number }): Terminal {
  if (!stdout.isTTY || stdout.fd === undefined) return stdout;
  try {
    const { O_WRONLY, O_NOCTTY, O_NONBLOCK } = constants;
    const fd = openSync(`/dev/fd/${stdout.fd}`, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    return new TerminalOutput(stdout, fd);
  } catch {
    // It belongs to another user, as after su.
    return stdout;
  }
}

/** Settles when everything is written, or when a terminal has not taken it for a while. */
export async function endLive(output: Terminal): Promise<void> {
  if (!(output instanceof TerminalOutput)) return;
  let late: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    late = setTimeout(resolve, PATIENCE);
    output.end(resolve);
  });
  clearTimeout(late);
  output.destroy();
}

class TerminalOutput extends Writable implements Terminal {
  readonly isTTY = true;
  readonly #terminal: Terminal;
  readonly #fd: number;
  #retry: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal, fd: number) {
    super();
    this.#terminal = terminal;
    this.#fd = fd;
  }

  get columns(): number | undefined {
    return this.#terminal.columns;
  }

  get rows(): number | undefined {
    return this.#terminal.rows;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const rest = this.#take(chunk);
    if (rest.length === 0) done();
    else this.#retry = setTimeout(() => this._write(rest, 'utf8', done), RETRY);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#retry);
    closeSync(this.#fd);
    done(error);
  }

  /** What the terminal did not take. */
  #take(chunk: Buffer): Buffer {
    try {
      return chunk.subarray(writeSync(this.#fd, chunk));
    } catch (error) {
      // A terminal that is gone takes anything; SIGHUP says so.
      return (error as NodeJS.ErrnoException).code === 'EAGAIN'
        ? chunk
        : chunk.subarray(chunk.length);
    }
  }
}
