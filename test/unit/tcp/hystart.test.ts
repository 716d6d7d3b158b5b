import { describe, expect, test } from 'vitest';
import { Cubic } from '../../../src/tcp/cubic.js';
import { HyStart, SlowStart } from '../../../src/tcp/hystart.js';
import { NewReno } from '../../../src/tcp/newreno.js';
import { ackSample, FakeState, MSS, round } from '../../support/congestion.js';

/** Rounds of 10 ACKs with these round-trip times; gives the phase after each. */
function rounds(
  hystart: HyStart,
  state: FakeState,
  rtts: readonly number[],
  acks = 10,
): SlowStart[] {
  return rtts.map((rtt) => {
    state.flight = acks * MSS;
    for (let i = 0; i < acks; i++) {
      hystart.onSample(state, ackSample({ rtt }), 0);
      state.bytesAcked += MSS;
    }
    return hystart.phase;
  });
}

const { STANDARD, CONSERVATIVE, OVER } = {
  STANDARD: SlowStart.STANDARD,
  CONSERVATIVE: SlowStart.CONSERVATIVE,
  OVER: SlowStart.OVER,
};

describe('HyStart++ (RFC 9406)', () => {
  test.each([
    // RttThresh is an eighth of the round trip, within 4 and 16 ms.
    [20, 23.9, STANDARD],
    [20, 24, CONSERVATIVE],
    [80, 89.9, STANDARD],
    [80, 90, CONSERVATIVE],
    [400, 415, STANDARD],
    [400, 416, CONSERVATIVE],
  ])('after rounds of %d ms one of %d ms gives phase %d', (base, raised, phase) => {
    const hystart = new HyStart();
    expect(rounds(hystart, new FakeState(), [base, base, raised]).at(-1)).toBe(phase);
  });

  test('fewer than 8 samples in a round say nothing', () => {
    const hystart = new HyStart();
    expect(rounds(hystart, new FakeState(), [20, 20, 60, 60], 7)).not.toContain(CONSERVATIVE);
  });

  test('a round trip below that which began it resumes slow start', () => {
    const hystart = new HyStart();
    const state = new FakeState();
    expect(rounds(hystart, state, [20, 20, 30, 21])).toEqual([
      STANDARD,
      STANDARD,
      CONSERVATIVE,
      STANDARD,
    ]);
    expect(hystart.growth(MSS)).toBe(MSS);
  });

  test('conservative slow start grows a quarter as fast and ends after 5 rounds', () => {
    const hystart = new HyStart();
    const state = new FakeState();
    rounds(hystart, state, [20, 20, 30]);
    expect(hystart.growth(MSS)).toBe(MSS / 4);
    expect(rounds(hystart, state, [30, 31, 32, 33])).not.toContain(OVER);
    state.cwnd = 77 * MSS;
    expect(rounds(hystart, state, [34, 34]).at(-1)).toBe(OVER);
    expect(state.ssthresh).toBe(77 * MSS);
  });

  test('it is for the first slow start alone', () => {
    const hystart = new HyStart();
    const state = new FakeState();
    hystart.end();
    expect(rounds(hystart, state, [20, 20, 90, 90])).not.toContain(CONSERVATIVE);
  });

  for (const control of [new Cubic(), new NewReno({ hystart: true })]) {
    test(`${control.name} leaves slow start by it without loss`, () => {
      const state = new FakeState();
      let now = 0;
      for (let i = 0; i < 12; i++) now = round(control, state, now, { rtt: i < 3 ? 20 : 30 });
      expect(state.ssthresh).toBeLessThan(0x7fffffff);
      expect(state.cwnd).toBeGreaterThanOrEqual(state.ssthresh);
    });
  }
});
