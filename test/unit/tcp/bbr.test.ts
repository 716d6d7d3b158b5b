import { describe, expect, test } from 'vitest';
import { Bbr, BbrPhase } from '../../../src/tcp/bbr.js';
import type { AckSample } from '../../../src/tcp/congestion.js';
import { ackSample, FakeState, MSS } from '../../support/congestion.js';

/** Bytes per ms, and ms: a path that holds 50 segments. */
const BW = 1_000;
const RTT = 50;
const BDP = BW * RTT;

/** BBR on a path whose every round trip the test plays. */
class Path {
  readonly bbr: Bbr;
  readonly state = new FakeState();
  now = 0;

  constructor(options: { exactEcn?: boolean } = {}) {
    this.bbr = new Bbr(options);
    this.state.srtt = RTT;
    this.bbr.init(this.state, 0);
  }

  /** A round trip that delivers `bw` x {@link RTT} in 10 ACKs with these further fields. */
  round({
    bw = BW,
    inFlight = bw * RTT,
    rtt = RTT,
    ...fields
  }: Partial<AckSample> & { bw?: number; inFlight?: number } = {}): void {
    const { state } = this;
    const start = state.delivered;
    for (let i = 1; i <= 10; i++) {
      this.now += RTT / 10;
      state.delivered += (bw * RTT) / 10;
      state.bytesAcked = state.delivered;
      state.inFlight = inFlight;
      const sample = ackSample({
        acked: (bw * RTT) / 10,
        ackedSacked: (bw * RTT) / 10,
        delivered: bw * RTT,
        deliveryRate: bw,
        priorDelivered: start - bw * RTT + (i * bw * RTT) / 10,
        txInFlight: inFlight,
        rtt,
        ...fields,
      });
      this.bbr.onSample(state, sample, this.now);
    }
  }

  until(phase: BbrPhase, fields: Parameters<Path['round']>[0] = {}): void {
    for (let i = 0; i < 100 && this.bbr.phase !== phase; i++) this.round(fields);
    expect(this.bbr.phase).toBe(phase);
  }
}

describe('BBR (draft-ietf-ccwg-bbr)', () => {
  test('starts at 2.77 times the initial window per round trip', () => {
    const { state } = new Path();
    expect(state.pacingRate).toBeCloseTo((2.77 * 10 * MSS) / RTT);
  });

  test('Startup lasts while the rate grows by a quarter, and 3 rounds more', () => {
    const path = new Path();
    for (let bw = 100; bw < BW; bw *= 2) {
      path.round({ bw });
      expect(path.bbr.phase).toBe(BbrPhase.STARTUP);
      expect(path.state.pacingRate).toBeGreaterThanOrEqual(2.7 * bw);
    }
    path.round();
    path.round();
    path.round();
    expect(path.bbr.phase).toBe(BbrPhase.STARTUP);
    path.round({ inFlight: 2 * BDP });
    path.round({ inFlight: 2 * BDP });
    expect(path.bbr.phase).toBe(BbrPhase.DRAIN);
    expect(path.state.pacingRate).toBeCloseTo(0.35 * BW * 0.99);
  });

  test('what the application limits does not end Startup, nor lower the rate', () => {
    const path = new Path();
    path.round();
    for (let i = 0; i < 10; i++) path.round({ bw: BW / 10, isAppLimited: true });
    expect(path.bbr.phase).toBe(BbrPhase.STARTUP);
    expect(path.bbr.info().bw).toBe(BW * 1000);
  });

  test('Startup ends by loss, which bounds what is in flight', () => {
    const path = new Path();
    path.bbr.onLoss(path.state);
    for (let i = 0; i < 2; i++) path.round({ inFlight: 2 * BDP, newlyLost: MSS, lost: BDP / 10 });
    expect(path.bbr.phase).not.toBe(BbrPhase.STARTUP);
    expect(path.bbr.info().inflightHi).toBeGreaterThanOrEqual(BDP);
  });

  test('Drain ends when the path alone is full; then it cruises, refills and probes', () => {
    const path = new Path();
    path.until(BbrPhase.DRAIN, { inFlight: 2 * BDP });
    path.round({ inFlight: 2 * BDP });
    expect(path.bbr.phase).toBe(BbrPhase.DRAIN);
    path.until(BbrPhase.CRUISE);
    expect(path.state.pacingRate).toBeCloseTo(BW * 0.99);
    expect(path.state.cwnd).toBeGreaterThanOrEqual(2 * BDP);
    const cruisedAt = path.now;
    path.until(BbrPhase.REFILL);
    expect(path.now - cruisedAt).toBeLessThanOrEqual(3_100);
    path.until(BbrPhase.UP);
    expect(path.state.pacingRate).toBeCloseTo(1.25 * BW * 0.99);
    path.until(BbrPhase.DOWN, { inFlight: 2 * BDP });
    expect(path.state.pacingRate).toBeCloseTo(0.9 * BW * 0.99);
  });

  test('loss above 2 % in the probe sets the upper bound to what was in flight and ends it', () => {
    const path = new Path();
    path.until(BbrPhase.UP);
    const lost = { size: MSS, txInFlight: 60 * MSS, isAppLimited: false };
    path.bbr.onLost(path.state, { ...lost, lost: MSS });
    expect(path.bbr.phase).toBe(BbrPhase.UP);
    path.bbr.onLost(path.state, { ...lost, lost: 2 * MSS });
    expect(path.bbr.phase).toBe(BbrPhase.DOWN);
    // The segment that passed the threshold did so in its first part: 59 segments and 0.18 of it.
    expect(path.bbr.info().inflightHi).toBeCloseTo(59 * MSS + ((0.02 * 59 - 1) / 0.98) * MSS, -2);
    path.round();
    // 15 % of it is left to others.
    path.until(BbrPhase.CRUISE, { inFlight: BDP / 2 });
    path.round();
    expect(path.state.cwnd).toBe(Math.floor((path.bbr.info().inflightHi as number) * 0.85));
  });

  test('loss while cruising lowers the lower bounds to 0.7, until the next probe', () => {
    const path = new Path();
    path.until(BbrPhase.CRUISE);
    const before = path.state.cwnd;
    for (let i = 0; i < 3; i++) path.round({ bw: BW / 2, newlyLost: MSS });
    const info = path.bbr.info();
    expect(info.inflightLo).toBeLessThanOrEqual(before * 0.71);
    expect(info.inflightLo).toBeGreaterThanOrEqual(before * 0.3);
    expect(info.bw).toBeLessThan(BW * 1000);
    path.until(BbrPhase.REFILL);
    expect(path.bbr.info().inflightLo).toBe(0);
  });

  test('a classic mark counts as loss; with exact marks their share does', () => {
    const cuts = [false, true].map((exactEcn) => {
      const path = new Path({ exactEcn });
      path.state.ecnOk = true;
      path.until(BbrPhase.CRUISE);
      const before = path.state.cwnd;
      for (let i = 0; i < 2; i++) path.round({ bw: BW / 2, marked: 500 });
      return (path.bbr.info().inflightLo as number) / before;
    });
    expect(cuts[0]).toBeCloseTo(0.7 ** 2);
    expect(cuts[1]).toBeGreaterThan(cuts[0]!);
  });

  test('ProbeRTT after 5 s without a shorter round trip: half the path for 200 ms and a round', () => {
    const path = new Path();
    path.until(BbrPhase.CRUISE);
    path.until(BbrPhase.PROBE_RTT, { rtt: RTT + 1 });
    expect(path.now).toBeGreaterThan(5_000);
    expect(path.state.cwnd).toBeLessThanOrEqual(BDP / 2 + MSS);
    expect(path.state.appLimited).toBeGreaterThan(0);
    const since = path.now;
    path.until(BbrPhase.CRUISE, { bw: BW / 2, inFlight: BDP / 2 });
    expect(path.now - since).toBeGreaterThanOrEqual(200);
    expect(path.now - since).toBeLessThan(400);
    expect(path.state.cwnd).toBeGreaterThan(BDP);
  });

  test('a timeout leaves one segment; once repaired, or none at all, cwnd is back', () => {
    const path = new Path();
    path.until(BbrPhase.CRUISE);
    const before = path.state.cwnd;
    path.bbr.onTimeout(path.state);
    path.state.cwnd = MSS;
    path.bbr.onRecovered(path.state);
    expect(path.state.cwnd).toBe(before);
    path.bbr.onLoss(path.state);
    path.bbr.onUndo(path.state);
    expect(path.state.cwnd).toBe(before);
  });
});
