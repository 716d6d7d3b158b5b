import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCase } from './case-text.js';
import { Coverage } from './coverage.js';
import { Exhibited } from './exhibited.js';
import { runSeed } from './run-case.js';
import { shrinkCovering, shrinkFailure } from './shrink.js';
import type { Case, Setup } from './step.js';

/** What `scripts/fuzz` asks for: seeds to try, and one that failed or did something new to make small. */
export type Request =
  | { from: number; count: number }
  | { shrink: number; limit: number }
  | { grow: number; keys: string[]; limit: number };

/** A case that fails, with what helps to understand it. */
export interface Failure {
  seed: number;
  problem: string;
  /** Path of the case as text, which `--replay` takes. */
  file: string;
  text: string;
  ladders: string;
  /** Path of a pcapng file. */
  capture: string;
}

export type Answer =
  | { trying: number }
  | {
      tried: number;
      packets: number;
      failed: { seed: number; problem: string }[];
      /** What each seed did that none before it in this process had done. */
      fresh: { seed: number; keys: string[] }[];
    }
  | { failure: Failure }
  | { grown: string | null };

/** All that was seen in this process. */
const seen = new Set<string>();

function attempt(from: number, count: number): Answer {
  const failed: { seed: number; problem: string }[] = [];
  const fresh: { seed: number; keys: string[] }[] = [];
  let packets = 0;
  for (let seed = from; seed < from + count; seed++) {
    say({ trying: seed });
    const coverage = new Coverage();
    const outcome = runSeed(seed, coverage);
    packets += outcome.packets;
    if (outcome.problem !== null) failed.push({ seed, problem: outcome.problem });
    const keys = [...coverage.keys].filter((key) => !seen.has(key));
    if (keys.length === 0) continue;
    for (const key of keys) seen.add(key);
    fresh.push({ seed, keys });
  }
  return { tried: count, packets, failed, fresh };
}

/** Makes the case of `seed` as small as can be in `limit` ms while it fails in the same way. */
function shrunk(seed: number, limit: number): Failure {
  const { setup, steps, problem } = runSeed(seed);
  const deadline = performance.now() + limit;
  const small = shrinkFailure({ setup, steps }, problem ?? '', deadline);
  return failureOf(seed, small);
}

export function failureOf(seed: number, one: Case): Failure {
  const shown = new Exhibited(one);
  const text = `# ${shown.problem}\n${formatCase(one)}`;
  const directory = join(tmpdir(), 'tuntcp-fuzz');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${seed}.txt`);
  const capture = join(directory, `${seed}.pcapng`);
  writeFileSync(file, text);
  writeFileSync(capture, shown.capture());
  const problem = shown.problem ?? 'nothing is wrong with it';
  return { seed, problem, file, text, ladders: shown.ladders().join('\n'), capture };
}

function grown(seed: number, keys: readonly string[], limit: number): string | null {
  const outcome = runSeed(seed);
  if (outcome.problem !== null) return null;
  const one: { setup: Setup; steps: Case['steps'] } = outcome;
  const small = shrinkCovering(one, keys, () => new Coverage(), performance.now() + limit);
  return formatCase(small);
}

function say(answer: Answer): void {
  process.send?.(answer);
}

if (process.send !== undefined) {
  process.on('message', (request: Request) => {
    if ('shrink' in request) say({ failure: shrunk(request.shrink, request.limit) });
    else if ('grow' in request) {
      say({ grown: grown(request.grow, request.keys, request.limit) });
    } else say(attempt(request.from, request.count));
  });
  process.on('disconnect', () => process.exit());
}
