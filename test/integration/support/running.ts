import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';

/** How a command ended, and what it said. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** stdout; empty when it was digested. */
  text: string;
  stderr: string;
  /** Bytes on stdout. */
  bytes: number;
  /** SHA-256 of stdout in hex, when it was asked for. */
  sha256: string | null;
}

/** A command that runs in a namespace. */
export class Running {
  readonly stdin: Writable;
  /** Resolves when the command has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  #stdout = '';
  #stderr = '';
  #over = false;
  #how = 'still runs';
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcessWithoutNullStreams, command: string, digest: boolean) {
    this.#child = child;
    this.#command = command;
    this.stdin = child.stdin;
    // A command that does not read to the end of its input is no failure of the harness.
    child.stdin.on('error', () => {});
    const hash = createHash('sha256');
    const decoder = new TextDecoder();
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (digest) hash.update(chunk);
      else this.#stdout += decoder.decode(chunk, { stream: true });
      this.#wake();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk;
      this.#wake();
    });
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.#over = true;
        this.#how = signal === null ? `exit ${code}` : `ended by ${signal}`;
        this.#wake();
        const sha256 = digest ? hash.digest('hex') : null;
        resolve({ code, signal, text: this.#stdout, stderr: this.#stderr, bytes, sha256 });
      });
    });
  }

  /** Of the command itself, which what enters the namespace becomes. */
  get pid(): number {
    return this.#child.pid!;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The command, how it ended, and the last that it said. */
  get story(): string {
    const said = `${this.#stdout.slice(-500)}${this.#stderr.slice(-500)}`.trimEnd();
    const rest = said === '' ? '' : `\n${said.replace(/^/gm, '    ')}`;
    return `$ ${this.#command}  (${this.#how})${rest}`;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until stdout or stderr matches; rejects after `timeout` ms or when the command ends first. */
  async says(pattern: RegExp, timeout = 15_000): Promise<RegExpExecArray> {
    return this.#within(timeout, `to say ${pattern}`, async () => {
      for (;;) {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (match) return match;
        if (this.#over) throw new Error(this.#describe(`ended before it said ${pattern}`));
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    });
  }

  /** Waits for the end; after `timeout` ms the command is killed and this rejects. */
  async end(timeout = 15_000): Promise<Ended> {
    return this.#within(timeout, 'to end', () => this.ended);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL');
    await this.ended.catch(() => {});
  }

  async #within<T>(timeout: number, what: string, wait: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(this.#describe(`took longer than ${timeout} ms ${what}`)));
        this.#child.kill('SIGKILL');
      }, timeout);
    });
    try {
      return await Promise.race([wait(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #describe(what: string): string {
    return `${this.#command} ${what}\nstdout: ${this.#stdout.slice(-2000)}\nstderr: ${this.#stderr.slice(-2000)}`;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
