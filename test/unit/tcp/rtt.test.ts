import { describe, expect, test } from 'vitest';
import { tcpConfig } from '../../../src/tcp/config.js';
import { backOff, rttSample, setRto } from '../../../src/tcp/rtt.js';
import type { Tcb } from '../../../src/tcp/tcb.js';

function fresh(): Tcb {
  const config = tcpConfig({ rtoMin: 50, rtoMax: 5_000 });
  return {
    srtt: 0,
    rttvar: 0,
    rto: 0,
    episode: { lateSrtt: 0 },
    host: { config, trace: null },
  } as unknown as Tcb;
}

describe('round-trip time (RFC 6298 §2)', () => {
  // RFC6298-2.1
  test('§2.1: before a sample the RTO is 1 s', () => {
    const tcb = fresh();
    setRto(tcb);
    expect(tcb.rto).toBe(1_000);
  });

  // RFC6298-2.2
  test('§2.2: the first sample', () => {
    const tcb = fresh();
    rttSample(tcb, 100, 0);
    expect([tcb.srtt, tcb.rttvar, tcb.rto]).toEqual([100, 50, 300]);
  });

  // MUST-18, RFC6298-2.3-a, RFC6298-2.3-b
  test('§2.3: RTTVAR is taken before SRTT moves', () => {
    const tcb = fresh();
    rttSample(tcb, 100, 0);
    rttSample(tcb, 200, 0);
    expect(tcb.rttvar).toBeCloseTo(0.75 * 50 + 0.25 * 100);
    expect(tcb.srtt).toBeCloseTo(112.5);
    expect(tcb.rto).toBeCloseTo(112.5 + 4 * 62.5);
  });

  // RFC6298-4
  test('a steady path: the RTO comes down to SRTT and rtoMin, as on Linux', () => {
    const tcb = fresh();
    for (let i = 0; i < 200; i++) rttSample(tcb, 100, 0);
    expect(tcb.rto).toBeCloseTo(150);
  });

  // RFC6298-2.4, RFC6298-2.5
  test('§2.4, §2.5: within its bounds', () => {
    const tcb = fresh();
    rttSample(tcb, 0, 0);
    expect(tcb.rto).toBe(50);
    expect(tcb.srtt).toBeGreaterThan(0);
    for (let i = 0; i < 200; i++) rttSample(tcb, 60_000, 0);
    expect(tcb.rto).toBe(5_000);
  });

  // RFC6298-5.5
  test('§5.5: back-off doubles up to the bound', () => {
    const tcb = fresh();
    rttSample(tcb, 400, 0);
    const seen = [tcb.rto];
    for (let i = 0; i < 4; i++) {
      backOff(tcb);
      seen.push(tcb.rto);
    }
    expect(seen).toEqual([1_200, 2_400, 4_800, 5_000, 5_000]);
    setRto(tcb);
    expect(tcb.rto).toBe(1_200);
  });
});
