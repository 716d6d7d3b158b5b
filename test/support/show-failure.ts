import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SEED } from './seed.js';

/** What a test can show of itself when it fails. It is asked for nothing while tests pass. */
export interface Exhibit {
  /** One line, with the seed where there is one. */
  readonly title: string;
  /** Called before the others: what is still under way comes to its end. Does not reject. */
  settle?(): Promise<void>;
  /** Its conversations as diagrams, the most telling ones. */
  ladders(): string[];
  /** What happened, a line each. */
  readonly lines: readonly string[];
  /** What went over the wire, in pcapng; null when there is nothing to keep. */
  capture(): Uint8Array | null | Promise<Uint8Array | null>;
  /** Called when the test is over and the exhibit was shown or not needed. */
  release?(): void;
}

/** The test in question. */
export interface FailedTest {
  /** From the project's root. */
  file: string;
  /** Names of the suites around it and its own. */
  names: readonly string[];
}

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
/** Where the captures go. It is emptied when a run begins. */
export const FOLDER = process.env.TUNTCP_TEST_FAILURES ?? join(PROJECT, 'test-failures');

const LAST_LINES = 30;
/** Exhibits shown of one test: the latest. A test that makes many in turn fails with its last. */
const MOST = 4;

/** What was registered outside of tests, for all tests of a file. */
let shared: Exhibit[] = [];
let testRuns = false;
let latest: Exhibit[] = [];
let guilty: Exhibit | null = null;
let earlier = 0;

/** From now on to the end of the test (in `beforeAll`: of the file) a failure shows `exhibit`. */
export function showOnFailure(exhibit: Exhibit): void {
  if (!testRuns) {
    shared.push(exhibit);
    return;
  }
  latest.push(exhibit);
  if (latest.length <= MOST) return;
  const first = latest.shift();
  earlier++;
  if (first !== guilty) first?.release?.();
}

/**
 * Runs one try out of many. The last that throws is what the failure of the test shows, alone:
 * fast-check shrinks from one failing try to the next, so that one is its counterexample.
 */
export function attempt<T>(exhibit: Exhibit, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (guilty !== exhibit && guilty !== null && !latest.includes(guilty)) guilty.release?.();
    guilty = exhibit;
    throw error;
  }
}

export function beginTest(): void {
  testRuns = true;
}

/** Forgets what the test has registered. */
export function endTest(): void {
  const all = new Set(latest);
  if (guilty !== null) all.add(guilty);
  testRuns = false;
  latest = [];
  guilty = null;
  earlier = 0;
  for (const exhibit of all) exhibit.release?.();
}

/** Forgets everything. */
export function endFile(): void {
  endTest();
  for (const exhibit of shared) exhibit.release?.();
  shared = [];
}

/** Writes the captures and the whole story of a failed test, and returns what people get to read. */
export async function report(test: FailedTest): Promise<string> {
  const exhibits = guilty === null ? [...shared, ...latest] : [guilty];
  const short = [`seed ${SEED}; again: ${commandFor(test)}`];
  const whole = [...short];
  if (guilty === null && earlier > 0) short.push(`(${earlier} earlier ones are not shown)`);
  const wrote: string[] = [];
  const name = freeName(test);
  for (const exhibit of exhibits) {
    await exhibit.settle?.();
    const { title, lines } = exhibit;
    const ladders = drawn(exhibit);
    short.push(title, ...ladders.map((ladder) => lastOf(ladder.split('\n'))), lastOf(lines));
    whole.push(title, ...ladders, lines.join('\n'));
    const number = wrote.length === 0 ? '' : `.${wrote.length + 1}`;
    const line = await keepCapture(exhibit, `${name}${number}.pcapng`);
    if (line !== null) wrote.push(line);
  }
  if (exhibits.length > 0) {
    wrote.push(`wrote ${write(`${name}.txt`, `${whole.join('\n\n')}\n`)}: the above without gaps`);
  }
  return [...short.filter((part) => part !== ''), wrote.join('\n')].join('\n\n').trimEnd();
}

/** Says what it did; null when there is no capture. */
async function keepCapture(exhibit: Exhibit, name: string): Promise<string | null> {
  try {
    const file = await exhibit.capture();
    if (file === null) return null;
    return `wrote ${write(name, file)}: open with wireshark, tshark -r or tuntcp capture -r`;
  } catch (error) {
    return `no capture of ${exhibit.title}: ${error}`;
  }
}

/** What shows a failure must not hide it behind another. */
function drawn(exhibit: Exhibit): string[] {
  try {
    return exhibit.ladders().map((ladder) => ladder.trimEnd());
  } catch (error) {
    return [`could not draw the ladder: ${error}`];
  }
}

function lastOf(lines: readonly string[]): string {
  if (lines.length <= LAST_LINES) return lines.join('\n');
  return [`... ${lines.length - LAST_LINES} lines before ...`, ...lines.slice(-LAST_LINES)].join(
    '\n',
  );
}

function commandFor({ file, names }: FailedTest): string {
  const pattern = `${names.join(' ').replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
  const runs = process.env.TUNTCP_RUNS;
  const more = runs === undefined ? '' : ` TUNTCP_RUNS=${runs}`;
  return `TUNTCP_SEED=${SEED}${more} npx vitest run ${quoted(file)} -t ${quoted(pattern)}`;
}

function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A name for the files of a test that no other has taken, without its ending. */
function freeName({ file, names }: FailedTest): string {
  const words = [file.replace(/^test\/|\.test\.ts$/g, ''), ...names].join(' ');
  const base = words
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 100);
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}.${n}`;
    if (!existsSync(join(FOLDER, `${name}.txt`))) return name;
  }
}

/** Returns the path as people in the project's root would type it. */
function write(name: string, content: Uint8Array | string): string {
  const path = join(FOLDER, name);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path, content);
  const short = relative(PROJECT, path);
  return short.startsWith('..') ? path : short;
}
