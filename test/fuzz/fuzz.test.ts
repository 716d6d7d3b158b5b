import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { add } from '../../src/base/seq.js';
import type { Tcb } from '../../src/tcp/tcb.js';
import { SYN } from '../../src/wire/segment.js';
import { attempt, showOnFailure } from '../support/show-failure.js';
import { formatCase, parseCase, parseStep } from './support/case-text.js';
import { readCorpus } from './support/corpus.js';
import { Exhibited } from './support/exhibited.js';
import { Play } from './support/play.js';
import { runCase, runSeed } from './support/run-case.js';
import { shrink, shrinkFailure } from './support/shrink.js';
import { type Case, copyOf } from './support/step.js';

/** `scripts/fuzz` goes further. */
const SEEDS = 500;
const SHRINK_MS = 10_000;
const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));

/** Fails with the case made small, when there is something wrong with it. */
function report(one: Case, problem: string | null): void {
  if (problem === null) return;
  const small = shrinkFailure(one, problem, performance.now() + SHRINK_MS);
  const shown = new Exhibited(small);
  showOnFailure(shown);
  attempt(shown, () => expect(problem).toBeNull());
}

describe('the corpus', () => {
  const items = readCorpus(CORPUS);

  test('breaks no invariant', { timeout: 60_000 }, () => {
    expect(items.length).toBeGreaterThan(100);
    for (const item of items) report(item.case, runCase(item.case).problem);
  });

  test('is written as it is read', () => {
    for (const { case: one } of items) {
      expect(parseCase(formatCase(one))).toEqual(one);
    }
  });
});

describe('conversations drawn from a seed', () => {
  test('break no invariant', { timeout: 120_000 }, () => {
    let packets = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = runSeed(seed);
      packets += outcome.packets;
      report(outcome, outcome.problem);
    }
    expect(packets).toBeGreaterThan(SEEDS * 50);
  });

  test('go the same way when their steps are done again', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { setup, steps, packets } = runSeed(seed);
      const again = runCase(parseCase(formatCase({ setup, steps })));
      expect(again.problem).toBeNull();
      expect(again.packets).toBe(packets);
    }
  });
});

describe('what watches them', () => {
  const steps = [
    'tcp 0 S seq=i+0 opt=mss:1460,sok',
    'tcp 0 . len=10',
    'call 0 write 100',
    'tcp 0 . len=10',
  ].map(parseStep);

  /** The conversation up to some step, with its one connection. */
  function begun(count: number): { play: Play; tcb: Tcb } {
    const play = new Play({ seed: 1, mtu: 1_500, offload: false, tcp: {} });
    for (const step of steps.slice(0, count)) play.do(copyOf(step));
    const [tcb] = play.host.tcbs();
    return { play, tcb: tcb! };
  }

  test('has nothing against an ordinary conversation', () => {
    const { play } = begun(4);
    play.finish();
    expect(play.packets).toBe(3);
  });

  test('notices octets that wait without a timer', () => {
    const { play, tcb } = begun(3);
    tcb.retransmitAt = Infinity;
    expect(() => play.check()).toThrow(/retransmission timer/);
  });

  test('notices a window that moves left', () => {
    const { play, tcb } = begun(3);
    tcb.rcvAdv = add(tcb.rcvNxt, 1_000);
    tcb.rcvBufferLimit = 1_000;
    expect(() => play.do(copyOf(steps[3]!))).toThrow(/right edge of the window moved left/);
  });

  test('notices a byte that is given twice', () => {
    const { play, tcb } = begun(3);
    tcb.rcvNxt = add(tcb.rcvNxt, -1);
    expect(() => play.do(copyOf(steps[1]!))).toThrow(/byte \d+ of the stream|less than before/);
  });

  test('notices text that was altered before it was sent', () => {
    const { play, tcb } = begun(2);
    play.link.blocked = true;
    play.do(copyOf(steps[2]!));
    tcb.sendBuffer.bytes[tcb.sendBuffer.position(5)]! ^= 1;
    expect(() => play.do({ op: 'link', on: true })).toThrow(/was sent altered/);
  });

  test('makes a case small that fails', () => {
    const { setup, steps: all } = runSeed(7);
    const hasSyn = (one: Case): boolean =>
      one.steps.some((step) => step.op === 'tcp' && (step.flags & SYN) !== 0);
    const small = shrink({ setup, steps: all }, hasSyn, performance.now() + SHRINK_MS);
    expect(small.steps.length).toBe(1);
    expect(small.setup.tcp).toEqual({});
  });
});
