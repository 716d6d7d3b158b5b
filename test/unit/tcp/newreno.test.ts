import { describe, expect, test } from 'vitest';
import { NewReno } from '../../../src/tcp/newreno.js';
import { ackSample, FakeState, MSS, round } from '../../support/congestion.js';

describe('NewReno (RFC 5681, RFC 3465)', () => {
  test('slow start doubles the window in a round trip, however few the ACKs', () => {
    for (const perAck of [MSS, 10 * MSS]) {
      const state = new FakeState();
      round(new NewReno(), state, 0, { perAck });
      expect(state.cwnd).toBe(20 * MSS);
    }
  });

  test('congestion avoidance adds a segment in a round trip', () => {
    const control = new NewReno();
    const state = new FakeState();
    state.ssthresh = 10 * MSS;
    let now = round(control, state, 0);
    expect(state.cwnd).toBe(11 * MSS);
    now = round(control, state, now, { perAck: 500 });
    expect(state.cwnd).toBe(12 * MSS);
    control.onAck(state, ackSample({ ackedSacked: 12 * MSS }));
    expect(state.cwnd).toBe(13 * MSS);
  });

  test('loss and timeout leave half of what was in flight, 2 segments at least', () => {
    const state = new FakeState();
    const control = new NewReno();
    control.onLoss(state, 9 * MSS);
    expect(state.ssthresh).toBe(4_500);
    control.onTimeout(state, MSS);
    expect(state.ssthresh).toBe(2 * MSS);
  });
});
