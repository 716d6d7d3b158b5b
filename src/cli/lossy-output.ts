import type { Terminal } from './io.js';
import { endLive, liveOutput } from './terminal-output.js';

/** Bytes that may wait for the reader; what comes then is lost. */
const WAITING = 1024 * 1024;

/**
 * What a command prints beside its work, which must neither wait for a slow reader nor keep everything
 * for it: lines are lost instead, and in their place stands how many.
 */
export class LossyOutput {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly #to: Terminal;
  readonly #tell: (lost: number) => string;
  #lost = 0;

  /** @param tell puts into a line that so many were lost */
  constructor(stdout: Terminal, tell: (lost: number) => string) {
    this.#to = liveOutput(stdout);
    this.#tell = tell;
    this.isTTY = stdout.isTTY === true;
    this.columns = stdout.columns;
  }

  /** Writes one line or more; each call counts as one when it is lost. */
  write(text: string): void {
    if (this.#to.writableLength > WAITING) {
      this.#lost++;
      return;
    }
    this.#to.write(this.#missing() + text);
  }

  /** Settles when all is written, or when the reader has not taken it for a while. */
  async end(): Promise<void> {
    const missing = this.#missing();
    if (missing !== '') this.#to.write(missing);
    await endLive(this.#to);
  }

  #missing(): string {
    const lost = this.#lost;
    this.#lost = 0;
    return lost === 0 ? '' : `${this.#tell(lost)}\n`;
  }
}
