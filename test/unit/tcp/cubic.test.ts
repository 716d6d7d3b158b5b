import { describe, expect, test } from 'vitest';
import { Cubic } from '../../../src/tcp/cubic.js';
import { ackSample, FakeState, MSS, round } from '../../support/congestion.js';

const C = 0.4;
const BETA = 0.7;

/** A control with its window at `segments` that has just lost a segment and recovered. */
function afterLoss(segments: number, srtt = 100): { cubic: Cubic; state: FakeState } {
  const cubic = new Cubic();
  const state = new FakeState();
  state.srtt = srtt;
  state.cwnd = segments * MSS;
  cubic.onLoss(state, state.cwnd);
  state.cwnd = state.ssthresh;
  return { cubic, state };
}

function grow(cubic: Cubic, state: FakeState, from: number, until: number): void {
  for (let now = from; now < until; ) now = round(cubic, state, now);
}

describe('CUBIC (RFC 9438)', () => {
  test('§4.6: 0.7 of what was in flight is left, 2 segments at least', () => {
    const { state } = afterLoss(100);
    expect(state.ssthresh).toBe(70 * MSS);
    // The window was not in use.
    state.cwndLimited = false;
    new Cubic().onLoss(state, 10 * MSS);
    expect(state.ssthresh).toBe(7 * MSS);
    new Cubic().onLoss(state, 1_500);
    expect(state.ssthresh).toBe(2 * MSS);
  });

  test('§4.2: at K the window is W_max again, and it follows W_cubic(t) on the way', () => {
    const { cubic, state } = afterLoss(1_000, 20);
    const k = Math.cbrt((1_000 - 700) / C);
    round(cubic, state, 0);
    for (const part of [0.25, 0.5, 0.75, 1, 1.25]) {
      grow(cubic, state, 20 + (part - 0.25) * k * 1000, part * k * 1000);
      const expected = C * (part * k - k) ** 3 + 1_000;
      expect(state.cwnd / MSS).toBeGreaterThan(expected * 0.98);
      expect(state.cwnd / MSS).toBeLessThan(expected * 1.02);
    }
  });

  test('§4.2: a window of segments brings it to the target, by however many ACKs', () => {
    const target = C * (0.1 + 0.2 - Math.cbrt(30 / C)) ** 3 + 100;
    for (const perAck of [71 * MSS, 10 * MSS, MSS]) {
      const { cubic, state } = afterLoss(100, 200);
      cubic.onAck(state, ackSample({ ackedSacked: 1 }), 0);
      for (let acked = 0; acked < 71 * MSS; acked += perAck) {
        cubic.onAck(state, ackSample({ ackedSacked: perAck }), 100);
      }
      expect(state.cwnd / MSS).toBeCloseTo(target, 2);
    }
  });

  test('§4.2: it grows by no more than half in a round trip', () => {
    const { cubic, state } = afterLoss(10, 10_000);
    round(cubic, state, 0);
    const before = state.cwnd;
    // 100 s later the function is far above.
    round(cubic, state, 100_000);
    expect(state.cwnd / before).toBeGreaterThan(1.4);
    expect(state.cwnd / before).toBeLessThan(1.501);
  });

  test('§4.3: on a short path it grows as Reno does: alpha segments a round trip, then 1', () => {
    const { cubic, state } = afterLoss(20, 1);
    const alpha = (3 * (1 - BETA)) / (1 + BETA);
    let now = 0;
    for (let i = 0; i < 10; i++) now = round(cubic, state, now);
    expect(state.cwnd / MSS).toBeCloseTo(14 + 10 * alpha, 0);
    while (state.cwnd < 20 * MSS) now = round(cubic, state, now);
    const before = state.cwnd;
    for (let i = 0; i < 10; i++) now = round(cubic, state, now);
    expect((state.cwnd - before) / MSS).toBeCloseTo(10, 0);
  });

  test('§4.7 fast convergence: W_max falls further when the window did not come back', () => {
    const { cubic, state } = afterLoss(100);
    state.cwnd = 80 * MSS;
    cubic.onLoss(state, state.cwnd);
    expect(cubic.info(state).wMax).toBe((80 * MSS * (1 + BETA)) / 2);
    state.cwnd = 90 * MSS;
    cubic.onLoss(state, state.cwnd);
    expect(cubic.info(state).wMax).toBe(90 * MSS);
  });

  test('§4.7: there is nobody to give way to where losses meet no queue', () => {
    for (const [queue, wMax] of [
      [6, 80],
      [7, (80 * (1 + BETA)) / 2],
    ] as const) {
      const { cubic, state } = afterLoss(100);
      round(cubic, state, 0);
      round(cubic, state, 200, { rtt: 100 + queue });
      round(cubic, state, 400, { rtt: 100 + queue });
      state.cwnd = 80 * MSS;
      cubic.onLoss(state, state.cwnd);
      expect(cubic.info(state).wMax).toBe(wMax * MSS);
    }
  });

  test('§4.8: after a timeout K is 0 and the plateau where avoidance begins', () => {
    const cubic = new Cubic();
    const state = new FakeState();
    state.cwnd = 100 * MSS;
    cubic.onTimeout(state, state.cwnd);
    expect(state.ssthresh).toBe(70 * MSS);
    state.cwnd = 70 * MSS;
    cubic.onAck(state, ackSample({ ackedSacked: MSS }), 0);
    expect(cubic.info(state)).toMatchObject({ k: 0, wMax: 70 * MSS });
  });

  test('§4.9: a loss that was none is forgotten', () => {
    const { cubic, state } = afterLoss(100);
    grow(cubic, state, 0, 1_000);
    const before = cubic.info(state);
    cubic.onLoss(state, state.cwnd);
    cubic.onUndo();
    expect(cubic.info(state)).toMatchObject({ wMax: before.wMax, k: before.k, wEst: before.wEst });
  });

  test('§4.2, §5.8: time in which the application set the pace is left out', () => {
    const busy = afterLoss(1_000, 20);
    const lazy = afterLoss(1_000, 20);
    for (const { cubic, state } of [busy, lazy]) round(cubic, state, 0);
    lazy.state.cwndLimited = false;
    for (let now = 40; now <= 60_000; now += 20) {
      lazy.cubic.onSample(lazy.state, ackSample({ acked: MSS, ackedSacked: MSS, rtt: 20 }), now);
    }
    lazy.state.cwndLimited = true;
    lazy.cubic.onIdleRestart();
    round(busy.cubic, busy.state, 20);
    round(lazy.cubic, lazy.state, 120_000);
    expect(Math.abs(lazy.state.cwnd - busy.state.cwnd)).toBeLessThan(5 * MSS);
  });

  test('growth too small for a byte adds up', () => {
    const { cubic, state } = afterLoss(1_000, 20);
    round(cubic, state, 0);
    const whole = state.cwnd;
    // Near the plateau, an octet at a time.
    const k = Math.cbrt(300 / C) * 1000;
    state.cwnd = 1_000 * MSS - 100;
    const before = state.cwnd;
    for (let i = 0; i < 20_000; i++) {
      cubic.onAck(state, ackSample({ ackedSacked: 10 }), k * 1.3);
    }
    expect(whole).toBeGreaterThan(0);
    expect(state.cwnd).toBeGreaterThan(before + 100);
    expect(Number.isInteger(state.cwnd)).toBe(true);
  });
});
