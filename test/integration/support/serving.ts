import type { Ended, Running } from './running.js';

/** Where `tuntcp serve` answers unless it is told otherwise, and the host's end of that link. */
export const SERVER = '10.7.0.2';
export const HOST = '10.7.0.1';

/** `tuntcp serve` in a namespace. */
export class Serving {
  readonly process: Running;

  private constructor(process: Running) {
    this.process = process;
  }

  /** Waits for the line with which the command says that it is ready. */
  static async start(process: Running): Promise<Serving> {
    await process.says(/ is up: .+/);
    return new Serving(process);
  }

  /** Ctrl-C; resolves when the command has ended. */
  async interrupt(timeout = 15_000): Promise<Ended> {
    this.process.signal('SIGINT');
    return this.process.end(timeout);
  }
}
