import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type { Answer, Failure, Request } from '../test/sim/support/worker.js';
import { runCommand, showOnTerminal, usage } from './lib/command.js';
import { SeedWorker } from './lib/seed-worker.js';

const HELP = `Usage: scripts/simulate [--seeds N] [--from SEED] [--jobs N] [--shrink N] [--json]

Plays random schedules of faults on virtual time, one per seed: two hosts, a path that delays, loses,
reorders, doubles and alters packets, has queues, a smaller MTU, or is dead for a while, and users
that write, pause, half-close, close and abort. Each has to end with every byte or with the error
that RFC 9293 asks for. One that does not is made as small as can be and printed, with the latest
segments of both sides and the path of a capture. The first 200 seeds are a part of scripts/test.

      --seeds N    how many, default 1000
      --from SEED  the first, default 1
      --jobs N     processes, default one per core
      --shrink N   most failures that are made small and printed, default 3
      --json       print one JSON object instead
  -h, --help       print this and exit

Exit status: 0 when all went well, 1 when a schedule failed, 2 wrong usage.`;

const WORKER = path.join(__dirname, '../dist-sim/test/sim/support/worker.js');
/** Seeds that a process is given at a time. */
const CHUNK = 20;
/** A seed takes some 20 ms; one that takes so long never returns. */
const STUCK_MS = 60_000;
const SHRINK_MS = 60_000;
const LADDER_LINES = 60;

interface Failed {
  seed: number;
  problem: string;
}

interface Options {
  seeds: number;
  from: number;
  jobs: number;
  shrink: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(os.availableParallelism()) },
      shrink: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const options: Options = {
    seeds: integer('--seeds', values.seeds, 1),
    from: integer('--from', values.from, 0),
    jobs: integer('--jobs', values.jobs, 1),
    shrink: integer('--shrink', values.shrink, 0),
  };
  const started = Date.now();
  const failed = await tryAll(options);
  const seconds = (Date.now() - started) / 1000;
  const failures: Failure[] = [];
  for (const { seed, problem } of failed.slice(0, options.shrink)) {
    showOnTerminal(`making seed ${seed} small: ${problem}`);
    const failure = await shrunk(seed);
    if (failure !== null) failures.push(failure);
  }
  showOnTerminal('');
  if (values.json) console.log(JSON.stringify({ ...options, seconds, failed, failures }));
  else print(options, seconds, failed, failures);
  return failed.length === 0 ? 0 : 1;
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= 0x7fff_ffff) return value;
  throw usage(`${name} takes an integer from ${least} on, not '${text}'`);
}

/** Tries all seeds in several processes; those that failed, in order. */
async function tryAll({ seeds, from, jobs }: Options): Promise<Failed[]> {
  const failed: Failed[] = [];
  const end = from + seeds;
  let next = from;
  let tried = 0;
  const started = Date.now();
  const work = async (): Promise<void> => {
    let worker = newWorker();
    while (next < end) {
      const first = next;
      const count = Math.min(CHUNK, end - first);
      next += count;
      for (let at = first; at < first + count; ) {
        const answer = await worker.ask({ from: at, count: first + count - at });
        if (answer !== null && 'tried' in answer) {
          failed.push(...answer.failed);
          break;
        }
        failed.push({ seed: worker.trying, problem: 'it never returns, or its process died' });
        at = worker.trying + 1;
        worker = newWorker();
      }
      tried += count;
      const rate = (tried / (Date.now() - started)) * 1000;
      const bad = failed.length === 0 ? '' : `, ${failed.length} failed`;
      showOnTerminal(`${tried} of ${seeds} seeds, ${rate.toFixed(0)} per second${bad}`);
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, Math.ceil(seeds / CHUNK)) }, work));
  return failed.sort((a, b) => a.seed - b.seed);
}

function newWorker(): SeedWorker<Request, Answer> {
  return new SeedWorker(WORKER, STUCK_MS);
}

async function shrunk(seed: number): Promise<Failure | null> {
  const worker = newWorker();
  const answer = await worker.ask({ shrink: seed, limit: SHRINK_MS }, SHRINK_MS);
  worker.stop();
  return answer !== null && 'failure' in answer ? answer.failure : null;
}

function print(options: Options, seconds: number, failed: Failed[], failures: Failure[]): void {
  for (const failure of failures) {
    console.log(`\nseed ${failure.seed}: ${failure.problem}\n`);
    console.log(`${JSON.stringify(failure.schedule, null, 2)}\n`);
    const lines = failure.ladders.trimEnd().split('\n');
    if (lines.length > LADDER_LINES) console.log(`... ${lines.length - LADDER_LINES} lines more`);
    console.log(`${lines.slice(-LADDER_LINES).join('\n')}\n`);
    console.log(`  packets    ${failure.capture}`);
    console.log(`  once more  scripts/simulate --from ${failure.seed} --seeds 1`);
  }
  for (const { seed, problem } of failed) {
    if (!failures.some((failure) => failure.seed === seed)) console.log(`seed ${seed}: ${problem}`);
  }
  const passed = options.seeds - failed.length;
  const rate = (options.seeds / seconds).toFixed(0);
  console.log(
    `${passed} passed, ${failed.length} failed, in ${seconds.toFixed(1)} s (${rate} per second)`,
  );
}

void runCommand('scripts/simulate', main);
