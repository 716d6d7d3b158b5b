import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type { Answer, Failure, Request } from '../test/fuzz/support/worker.js';
import { runCommand, showOnTerminal, usage } from './lib/command.js';
import { SeedWorker } from './lib/seed-worker.js';

const HELP = `Usage: scripts/fuzz [--packets N | --seconds N] [--seed N] [--workers N] [--json]
       scripts/fuzz --replay FILE...
       scripts/fuzz --grow [--seconds N]
       scripts/fuzz --differential N [--seed N] [--json]

Holds conversations with a host on virtual time, one per seed: valid ones, of which a part of the
packets is changed in fields, options, lengths, order, time and number, while users write, read, pause,
close and abort. After every step it verifies the host, each packet that it sent and each byte that its
users read. What breaks an invariant is made as small as can be and printed, with a file to replay, the
latest segments and a capture. docs/fuzzing.md tells what is verified.

      --packets N       how many packets the host is given, default 1000000
      --seconds N       as many as go into so much time instead
      --seed N          the first seed, default 1
      --workers N       processes, default one per core
      --shrink N        most failures of different kinds that are made small, default 3
      --replay FILE     does the case of a file, or of several
      --grow            adds cases to test/fuzz/corpus that do what none there does
      --differential N  gives N conversations to Linux too, through TUN in a namespace of its own, and
                        compares what both answer; needs root or user namespaces
      --json            print one JSON object instead
  -h, --help            print this and exit

Exit status: 0 when all went well, 1 when an invariant was broken or an answer differs, 2 wrong usage.`;

const SUPPORT = path.join(__dirname, '../dist-sim/test/fuzz/support');
const CORPUS = path.join(__dirname, '../test/fuzz/corpus');
/** Seeds that a process is given at a time. */
const CHUNK = 50;
const STUCK_MS = 60_000;
const SHRINK_MS = 30_000;
const GROW_MS = 2_500;
/** What is left then is for the next time. */
const GROW_IN_ALL_MS = 150_000;
const LADDER_LINES = 60;

interface Options {
  /** Infinity: as long as there is time. */
  packets: number;
  seconds: number;
  seed: number;
  workers: number;
  shrink: number;
}

interface Failed {
  seed: number;
  problem: string;
}

interface Run {
  packets: number;
  seeds: number;
  seconds: number;
  /** Different things that the stack did. */
  covered: number;
  failed: Failed[];
  fresh: { seed: number; keys: string[] }[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      packets: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(os.availableParallelism()) },
      shrink: { type: 'string', default: '3' },
      replay: { type: 'string', multiple: true },
      grow: { type: 'boolean', default: false },
      differential: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const seed = integer('--seed', values.seed, 0);
  if (values.replay !== undefined) return replay(values.replay);
  if (values.differential !== undefined) {
    const count = integer('--differential', values.differential, 1);
    const { differential } =
      await load<typeof import('../test/fuzz/support/differential.js')>('differential.js');
    return differential(seed, count, values.json);
  }
  const bySeconds = values.seconds !== undefined && values.packets === undefined;
  const options: Options = {
    packets: bySeconds ? Infinity : integer('--packets', values.packets ?? '1000000', 1),
    seconds: values.seconds === undefined ? Infinity : integer('--seconds', values.seconds, 1),
    seed,
    workers: integer('--workers', values.workers, 1),
    shrink: integer('--shrink', values.shrink, 0),
  };
  const run = await tryAll(options);
  if (values.grow) return grow(run);
  const failures = await shrinkAll(run.failed, options.shrink);
  showOnTerminal('');
  if (values.json) console.log(JSON.stringify({ ...run, fresh: undefined, failures }));
  else print(run, failures);
  return run.failed.length === 0 ? 0 : 1;
}

function load<T>(file: string): Promise<T> {
  return import(path.join(SUPPORT, file));
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= least) return value;
  throw usage(`${name} takes an integer from ${least} on, not '${text}'`);
}

function newWorker(): SeedWorker<Request, Answer> {
  return new SeedWorker(path.join(SUPPORT, 'worker.js'), STUCK_MS);
}

/** Tries seeds in several processes until there were enough packets or it took long enough. */
async function tryAll({ packets, seconds, seed, workers }: Options): Promise<Run> {
  const started = Date.now();
  const run: Run = { packets: 0, seeds: 0, seconds: 0, covered: 0, failed: [], fresh: [] };
  const keys = new Set<string>();
  let next = seed;
  const goesOn = (): boolean =>
    run.packets < packets && Date.now() - started < seconds * 1000 && !interrupted;
  const work = async (): Promise<void> => {
    let worker = newWorker();
    while (goesOn()) {
      const from = next;
      next += CHUNK;
      const answer = await worker.ask({ from, count: CHUNK });
      if (answer === null || !('tried' in answer)) {
        if (interrupted) return;
        run.failed.push({ seed: worker.trying, problem: 'it never returns, or its process died' });
        worker = newWorker();
        continue;
      }
      run.seeds += answer.tried;
      run.packets += answer.packets;
      run.failed.push(...answer.failed);
      for (const one of answer.fresh) {
        const news = one.keys.filter((key) => !keys.has(key));
        for (const key of news) keys.add(key);
        if (news.length > 0) run.fresh.push({ seed: one.seed, keys: news });
      }
      const rate = (run.packets / (Date.now() - started)) * 1000;
      const bad = run.failed.length === 0 ? '' : `, ${run.failed.length} failed`;
      showOnTerminal(
        `${run.packets} packets, ${rate.toFixed(0)} per second, ${keys.size} things${bad}`,
      );
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: workers }, work));
  run.seconds = (Date.now() - started) / 1000;
  run.covered = keys.size;
  run.failed.sort((a, b) => a.seed - b.seed);
  return run;
}

/** Ctrl-C ends a run as if there had been enough packets. */
let interrupted = false;
process.once('SIGINT', () => {
  interrupted = true;
});

/** One of each kind, made small. */
async function shrinkAll(failed: readonly Failed[], most: number): Promise<Failure[]> {
  const kinds = new Map<string, Failed>();
  for (const one of failed) {
    const kind = one.problem.replace(/-?\d+(\.\d+)?/g, 'N');
    if (!kinds.has(kind)) kinds.set(kind, one);
  }
  const failures: Failure[] = [];
  for (const { seed, problem } of [...kinds.values()].slice(0, most)) {
    showOnTerminal(`making seed ${seed} small: ${problem}`);
    const worker = newWorker();
    const answer = await worker.ask({ shrink: seed, limit: SHRINK_MS }, SHRINK_MS);
    worker.stop();
    if (answer !== null && 'failure' in answer) failures.push(answer.failure);
  }
  return failures;
}

async function replay(files: readonly string[]): Promise<number> {
  const { parseCase } =
    await load<typeof import('../test/fuzz/support/case-text.js')>('case-text.js');
  const { failureOf } = await load<typeof import('../test/fuzz/support/worker.js')>('worker.js');
  const { runCase } = await load<typeof import('../test/fuzz/support/run-case.js')>('run-case.js');
  let bad = 0;
  for (const [i, file] of files.entries()) {
    const one = parseCase(fs.readFileSync(file, 'utf8'));
    const { problem, packets } = runCase(one);
    if (problem === null) console.log(`${file}: ${packets} packets, nothing is wrong`);
    else {
      bad++;
      printFailure(failureOf(i, one));
    }
  }
  return bad === 0 ? 0 : 1;
}

/** Writes the cases that do what none in the corpus does, made small. */
async function grow(run: Run): Promise<number> {
  const { coverageOf, nameOf } =
    await load<typeof import('../test/fuzz/support/corpus.js')>('corpus.js');
  const covered = coverageOf(CORPUS);
  fs.mkdirSync(CORPUS, { recursive: true });
  let added = 0;
  const deadline = Date.now() + GROW_IN_ALL_MS;
  for (const { seed, keys } of run.fresh) {
    if (Date.now() > deadline) break;
    const news = keys.filter((key) => !covered.has(key));
    if (news.length === 0 || interrupted) continue;
    showOnTerminal(`making seed ${seed} small, for ${news[0]}`);
    const worker = newWorker();
    const answer = await worker.ask({ grow: seed, keys: news, limit: GROW_MS }, GROW_MS);
    worker.stop();
    if (answer === null || !('grown' in answer) || answer.grown === null) continue;
    const file = path.join(CORPUS, nameOf(answer.grown));
    fs.writeFileSync(file, `# ${news.slice(0, 3).join('\n# ')}\n${answer.grown}`);
    for (const key of coverageOf(CORPUS, [path.basename(file)])) covered.add(key);
    added++;
  }
  showOnTerminal('');
  console.log(`${added} cases added, ${covered.size} things are done by the corpus now`);
  return 0;
}

function print(run: Run, failures: readonly Failure[]): void {
  for (const failure of failures) printFailure(failure);
  for (const { seed, problem } of run.failed.slice(0, 20)) console.log(`seed ${seed}: ${problem}`);
  const rate = (run.packets / run.seconds).toFixed(0);
  console.log(
    `${run.packets} packets in ${run.seeds} conversations did ${run.covered} different things; ` +
      `${run.failed.length} failed, in ${run.seconds.toFixed(1)} s (${rate} packets per second)`,
  );
}

function printFailure(failure: Failure): void {
  console.log(`\nseed ${failure.seed}: ${failure.problem}\n\n${failure.text}`);
  const lines = failure.ladders.trimEnd().split('\n');
  if (lines.length > LADDER_LINES) console.log(`... ${lines.length - LADDER_LINES} lines more`);
  console.log(`${lines.slice(-LADDER_LINES).join('\n')}\n`);
  console.log(`  packets    ${failure.capture}`);
  console.log(`  once more  scripts/fuzz --replay ${failure.file}\n`);
}

void runCommand('scripts/fuzz', main);
