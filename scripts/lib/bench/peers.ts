import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Children } from './children.js';

export const ROOT = path.join(__dirname, '../../..');
const SOURCES = path.join(ROOT, 'test/bench');
/** ms that a program may take longer than it was asked to. */
const PATIENCE = 30_000;

/** The programs of `test/bench/*.c`, compiled for this run. */
export class Peers {
  readonly #directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-bench-'));

  constructor() {
    process.on('exit', () => fs.rmSync(this.#directory, { recursive: true, force: true }));
    for (const file of fs.readdirSync(SOURCES).filter((name) => name.endsWith('.c'))) {
      execFileSync('cc', ['-O2', '-o', this.path(path.parse(file).name), path.join(SOURCES, file)]);
    }
  }

  path(name: string): string {
    return path.join(this.#directory, name);
  }

  /** Runs a peer; what it prints, as numbers. */
  async numbers(
    name: string,
    args: readonly (string | number)[],
    seconds: number,
  ): Promise<number[]> {
    const text = await runCommand(this.path(name), args.map(String), seconds);
    return text.trim().split(/\s+/).map(Number);
  }

  /** Starts a peer that runs until {@link Peer.end}. */
  start(name: string, args: readonly (string | number)[]): Peer {
    return new Peer(this.path(name), args.map(String));
  }
}

/** Standard output of a command that takes `seconds`; it is killed when it takes far longer. */
export function runCommand(
  command: string,
  args: readonly string[],
  seconds: number,
): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  Children.add(child);
  let text = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + PATIENCE);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(text);
      else {
        const why = complaint.trim() || text.trim().slice(-500) || `ended with ${signal ?? code}`;
        reject(new Error(`${path.basename(command)} ${args.join(' ')}: ${why}`));
      }
    });
  });
}

/** A program that tells of its progress in lines. */
export class Peer {
  readonly #stdin: Writable;
  readonly #name: string;
  readonly #ended: Promise<void>;
  #text = '';
  #over = false;
  #wake = (): void => {};

  constructor(command: string, args: readonly string[]) {
    this.#name = [path.basename(command), ...args].join(' ');
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#stdin = child.stdin;
    const stdout: Readable = child.stdout;
    stdout.on('data', (chunk: Buffer) => {
      this.#text += chunk;
      this.#wake();
    });
    Children.add(child);
    this.#ended = new Promise((resolve) => {
      child.on('close', () => {
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Waits for a word on its output. */
  async says(word: string, seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!this.#text.includes(word)) {
      const left = deadline - Date.now();
      if (this.#over || left <= 0) throw new Error(`${this.#name} has not said '${word}'`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends its input, and waits for its end. */
  async end(): Promise<void> {
    this.#stdin.end();
    await this.#ended;
  }
}
