import type { Coverage } from './coverage.js';
import { runCase } from './run-case.js';
import { type Case, isPacket, type Step } from './step.js';

/** Two problems that differ in numbers only are the same. */
export function kindOf(problem: string): string {
  return problem.replace(/-?\d+(\.\d+)?/g, 'N');
}

/**
 * Makes a case as small as can be while `holds`: fewer steps first, then plainer ones. Deterministic
 * but for `deadline` (ms of `performance.now()`).
 */
export function shrink(whole: Case, holds: (one: Case) => boolean, deadline: number): Case {
  let best = whole;
  const attempt = (steps: Step[], setup = best.setup): boolean => {
    if (performance.now() > deadline) return false;
    const candidate = { setup, steps };
    if (!holds(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let before = -1; before !== best.steps.length; ) {
    before = best.steps.length;
    for (let size = best.steps.length >> 1; size >= 1; size >>= 1) {
      for (let at = best.steps.length - size; at >= 0; at -= size) {
        if (at >= best.steps.length) continue;
        attempt([...best.steps.slice(0, at), ...best.steps.slice(at + size)]);
      }
    }
  }
  for (const key of Object.keys(best.setup.tcp)) {
    const tcp = { ...best.setup.tcp } as Record<string, unknown>;
    delete tcp[key];
    attempt(best.steps, { ...best.setup, tcp });
  }
  attempt(best.steps, { ...best.setup, offload: false });
  attempt(best.steps, { ...best.setup, mtu: 1_500 });
  attempt(best.steps, { ...best.setup, seed: 1 });
  for (let at = 0; at < best.steps.length; at++) {
    for (const plainer of plainerThan(best.steps[at]!)) {
      attempt([...best.steps.slice(0, at), plainer, ...best.steps.slice(at + 1)]);
    }
  }
  return best;
}

/** The same step with one thing less about it, as often as there are things. */
function plainerThan(step: Step): Step[] {
  if (!isPacket(step)) return [];
  const all: Step[] = [];
  if (step.join) all.push({ ...step, join: false });
  for (let i = step.changes.length - 1; i >= 0; i--) {
    all.push({ ...step, changes: step.changes.filter((_, at) => at !== i) });
  }
  if (step.op !== 'tcp') return all;
  for (let i = step.options.length - 1; i >= 0; i--) {
    all.push({ ...step, options: step.options.filter((_, at) => at !== i) });
  }
  if (step.len > 0) all.push({ ...step, len: 0 }, { ...step, len: 1 }, { ...step, len: 100 });
  if (step.urg !== 0) all.push({ ...step, urg: 0 });
  if (step.tos !== 0) all.push({ ...step, tos: 0 });
  if (step.win !== 65_535) all.push({ ...step, win: 65_535 });
  if (step.seq !== 0) all.push({ ...step, seq: 0 });
  if (step.ack !== 0) all.push({ ...step, ack: 0 });
  return all;
}

/** A case that fails in the same way as `whole`, which fails with `problem`. */
export function shrinkFailure(whole: Case, problem: string, deadline: number): Case {
  const kind = kindOf(problem);
  return shrink(whole, (one) => kindOf(runCase(one).problem ?? '') === kind, deadline);
}

/** A case that does all of `keys` as well, without a problem. */
export function shrinkCovering(
  whole: Case,
  keys: readonly string[],
  fresh: () => Coverage,
  deadline: number,
): Case {
  return shrink(
    whole,
    (one) => {
      const coverage = fresh();
      return runCase(one, coverage).problem === null && keys.every((key) => coverage.keys.has(key));
    },
    deadline,
  );
}
