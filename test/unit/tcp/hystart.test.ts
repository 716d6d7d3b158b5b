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

  describe('on long paths, by ACK trains', () => {
    /** A round of ACKs of a segment each, the first at `from`, 1 ms apart. */
    function flight(
      hystart: HyStart,
      state: FakeState,
      from: number,
      acks: number,
      rtt: number,
    ): void {
      state.flight = state.cwnd;
      for (let i = 0; i < acks; i++) {
        state.bytesAcked += MSS;
        hystart.onSample(state, ackSample({ rtt }), from + i);
      }
    }

    function started(rtt: number, cwnd: number): [HyStart, FakeState] {
      const hystart = new HyStart();
      const state = new FakeState();
      state.cwnd = cwnd * MSS;
      flight(hystart, state, 0, rtt / 2 + 2, rtt);
      return [hystart, state];
    }

    test.each([
      // A segment per ms: the path holds as many as the round trip has ms.
      [160, 279, STANDARD],
      [160, 280, CONSERVATIVE],
      [120, 280, STANDARD],
    ])('round trip %d ms, window of %d segments: phase %d', (rtt, cwnd, phase) => {
      expect(started(rtt, cwnd)[0].phase).toBe(phase);
    });

    test('nothing is concluded from ACKs of an application that sends slowly', () => {
      const hystart = new HyStart();
      const state = new FakeState();
      state.cwnd = 280 * MSS;
      state.cwndLimited = false;
      flight(hystart, state, 0, 200, 160);
      expect(hystart.phase).toBe(STANDARD);
    });

    test('slow start is over when a later round has a queue', () => {
      const [hystart, state] = started(160, 280);
      flight(hystart, state, 100, 280, 175);
      expect(hystart.phase).toBe(CONSERVATIVE);
      state.cwnd = 300 * MSS;
      flight(hystart, state, 380, 300, 176);
      expect(hystart.phase).toBe(OVER);
      expect(state.ssthresh).toBe(300 * MSS);
    });

    test('slow start goes on, trains or not, when five rounds have no queue', () => {
      const [hystart, state] = started(160, 280);
      for (let i = 0; i < 7; i++) flight(hystart, state, 100 + 280 * i, 280, 160);
      expect(hystart.phase).toBe(STANDARD);
      expect(hystart.growth(MSS)).toBe(MSS);
    });
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
