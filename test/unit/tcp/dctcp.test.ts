import { describe, expect, test } from 'vitest';
import { Dctcp } from '../../../src/tcp/dctcp.js';
import { FakeState, MSS, round } from '../../support/congestion.js';

function start(): { dctcp: Dctcp; state: FakeState } {
  const dctcp = new Dctcp();
  const state = new FakeState();
  state.cwnd = 100 * MSS;
  state.ssthresh = 50 * MSS;
  dctcp.init(state);
  return { dctcp, state };
}

describe('DCTCP (RFC 8257)', () => {
  test('§3.3: Alpha starts at 1 and takes a sixteenth of each window', () => {
    const { dctcp, state } = start();
    expect(dctcp.info().alpha).toBe(1);
    let now = round(dctcp, state, 0);
    now = round(dctcp, state, now);
    const first = dctcp.info().alpha!;
    expect(first).toBeLessThan(1);
    expect(first).toBeGreaterThanOrEqual((15 / 16) ** 3);
    for (let i = 0; i < 100; i++) now = round(dctcp, state, now);
    expect(dctcp.info().alpha).toBeLessThan(0.01);
  });

  test('§3.3: Alpha comes to the part of the bytes that is marked', () => {
    const { dctcp, state } = start();
    let now = 0;
    for (let i = 0; i < 200; i++) {
      state.cwnd = 100 * MSS;
      now = round(dctcp, state, now, { marked: 25 * MSS });
    }
    expect(dctcp.info().alpha).toBeCloseTo(0.25, 1);
  });

  test('§3.3, step 9: the window falls by half of Alpha', () => {
    const { dctcp, state } = start();
    dctcp.onEcnEcho(state);
    expect(state.ssthresh).toBe(50 * MSS);
    let now = 0;
    for (let i = 0; i < 20; i++) now = round(dctcp, state, now);
    const { alpha } = dctcp.info();
    dctcp.onEcnEcho(state);
    expect(state.ssthresh).toBe(Math.floor(state.cwnd * (1 - alpha! / 2)));
  });

  test('§3.5: loss halves, as ever', () => {
    const { dctcp, state } = start();
    dctcp.onLoss(state, 60 * MSS);
    expect(state.ssthresh).toBe(30 * MSS);
  });
});
