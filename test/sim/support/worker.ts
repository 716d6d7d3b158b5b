import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { problemOf, SchedulePlay } from './play-schedule.js';
import { anySchedule, ONCE, type Schedule, scheduleOf } from './schedule.js';

/** What `scripts/simulate` asks for: seeds to try, or one to make small. */
export type Request = { from: number; count: number } | { shrink: number; limit: number };

/** A schedule that fails, with what helps to understand it. */
export interface Failure {
  seed: number;
  problem: string;
  schedule: Schedule;
  ladders: string;
  /** Path of a pcapng file. */
  capture: string;
}

export type Answer =
  /** Each before it is tried, so that one that never returns is known. */
  | { trying: number }
  | { tried: number; failed: { seed: number; problem: string }[] }
  | { failure: Failure };

function attempt({ from, count }: { from: number; count: number }): Answer {
  const failed: { seed: number; problem: string }[] = [];
  for (let seed = from; seed < from + count; seed++) {
    say({ trying: seed });
    const problem = problemOf(scheduleOf(seed));
    if (problem !== null) failed.push({ seed, problem });
  }
  return { tried: count, failed };
}

/** Two problems that differ in numbers only are the same. */
function kindOf(problem: string): string {
  return problem.replace(/\d+(\.\d+)?/g, 'N');
}

/** Makes the schedule of `seed` as small as can be in `limit` ms while it fails in the same way. */
function shrink(seed: number, limit: number): Failure {
  const deadline = performance.now() + limit;
  const kind = kindOf(problemOf(scheduleOf(seed)) ?? '');
  const fails = (schedule: Schedule): boolean =>
    performance.now() < deadline && kindOf(problemOf(schedule) ?? '') === kind;
  const property = fc.property(anySchedule, (schedule) => !fails(schedule));
  const { counterexample } = fc.check(property, { seed, ...ONCE });
  return describe(seed, counterexample?.[0] ?? scheduleOf(seed));
}

function describe(seed: number, schedule: Schedule): Failure {
  const play = new SchedulePlay(schedule, true);
  const problem = play.run() ?? 'nothing is wrong with it';
  const directory = join(tmpdir(), 'tuntcp-simulate');
  mkdirSync(directory, { recursive: true });
  const capture = join(directory, `${seed}.pcapng`);
  writeFileSync(capture, play.capture());
  return { seed, problem, schedule, ladders: play.ladders(), capture };
}

function say(answer: Answer): void {
  process.send?.(answer);
}

process.on('message', (request: Request) => {
  if ('shrink' in request) say({ failure: shrink(request.shrink, request.limit) });
  else say(attempt(request));
});
process.on('disconnect', () => process.exit());
