import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { LinePrinter } from '../../../src/wire/print.js';
import { laddersOfCapture } from '../../support/ladders.js';
import type { Exhibit } from '../../support/show-failure.js';
import type { Running } from './running.js';

/** ms that a program on our stack has to end in, and to write the rest of its capture. */
const PATIENCE = 3_000;

/**
 * Which packets a test of bulk transfer keeps, as `tuntcp serve --pcap-filter` has it; none by default,
 * since a capture of gigabytes would cost more than the test.
 */
export const BULK_FILTER = process.env.TUNTCP_TEST_PCAP_FILTER;

/** A program on our own stack that writes a capture. */
export class CapturedProgram implements Exhibit {
  /** Where the program is to write its packets. */
  readonly path: string;
  readonly #folder: string;
  readonly #name: string;
  #process: Running | null = null;
  #ended = '';

  constructor(name: string) {
    this.#name = name;
    this.#folder = mkdtempSync(join(tmpdir(), 'tuntcp-captured-'));
    this.path = join(this.#folder, 'link.pcapng');
  }

  get title(): string {
    return `${this.#name}${this.#ended}`;
  }

  set process(running: Running) {
    this.#process = running;
  }

  async settle(): Promise<void> {
    const running = this.#process;
    if (running === null || running.over) return;
    this.#ended = ' (told to end after the failure, of which the last segments come)';
    running.signal('SIGINT');
    await running.end(PATIENCE).catch(() => {});
  }

  ladders(): string[] {
    const file = this.capture();
    return file === null ? [] : laddersOfCapture(file);
  }

  get lines(): string[] {
    const file = this.capture();
    return file === null ? ['it has written no capture'] : linesOf(file);
  }

  capture(): Uint8Array | null {
    return existsSync(this.path) ? readFileSync(this.path) : null;
  }

  release(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The commands that a test has run. */
export class Commands implements Exhibit {
  readonly title = 'commands in the network namespace';
  readonly #all: { readonly story: string }[] = [];

  add(command: { readonly story: string }): void {
    this.#all.push(command);
  }

  ladders(): string[] {
    return [];
  }

  get lines(): string[] {
    return this.#all.flatMap(({ story }) => story.split('\n'));
  }

  capture(): null {
    return null;
  }
}

/** The packets of a capture in the manner of `tcpdump -n`; times of the day are those of UTC. */
function linesOf(file: Uint8Array): string[] {
  const printer = new LinePrinter();
  const lines: string[] = [];
  try {
    for (const { time, bytes, comment } of readCapture(file)) {
      const clock = new Date(Number(time / 1_000_000n)).toISOString().slice(11, 23);
      const text = `${clock} ${printer.line(bytes)}`;
      lines.push(comment === null ? text : `${text} (${comment})`);
    }
  } catch (error) {
    lines.push(String(error));
  }
  return lines;
}
