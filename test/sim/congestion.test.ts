import { describe, expect, test } from 'vitest';
import { Bottleneck, type Flow, jain } from '../support/bottleneck.js';

/** Mbit/s of each flow over the next `ms`. */
function goodput(net: Bottleneck, flows: readonly Flow[], ms: number): number[] {
  const before = flows.map((flow) => flow.received);
  net.run(ms);
  return flows.map((flow, i) => ((flow.received - before[i]!) * 8) / ms / 1000);
}

/** The phases that BBR goes through within `ms`, in order. */
function phases(net: Bottleneck, flow: Flow, ms: number): string[] {
  const seen: string[] = [];
  for (let elapsed = 0; elapsed < ms; elapsed += 2) {
    net.run(2);
    const phase = flow.info().congestionInfo?.phase as string;
    if (seen.at(-1) !== phase) seen.push(phase);
  }
  return seen;
}

describe('BBR (draft-ietf-ccwg-bbr) on 10 Mbit/s and 40 ms', () => {
  test('finds the rate, drains its queue, probes, and measures the round trip anew', () => {
    const net = new Bottleneck({
      rate: 10_000,
      rtt: 40,
      queue: 200_000,
      tcp: { congestionControl: 'bbr' },
    });
    const flow = net.flow();
    const seen = phases(net, flow, 12_000);
    expect(seen.slice(0, 2)).toEqual(['startup', 'drain']);
    const text = seen.slice(2).join(' ');
    expect(text).toContain('refill up down cruise');
    expect(text).toContain('probertt cruise');
    const info = flow.info();
    expect(info.congestionInfo!.bw as number).toBeGreaterThan(1_150_000);
    expect(info.congestionInfo!.bw as number).toBeLessThan(1_260_000);
    expect(info.congestionInfo!.mrtt as number).toBeLessThan(44);
    net.queuedSum = net.packets = 0;
    const [rate] = goodput(net, [flow], 10_000);
    expect(rate).toBeGreaterThan(9.2);
    expect(net.queuedSum / net.packets).toBeLessThan(15_000);
    expect(net.lost).toBe(0);
  });
});

describe('DCTCP (RFC 8257)', () => {
  for (const rtt of [1, 10]) {
    test(`keeps the queue at the threshold, and 100 Mbit/s busy, at ${rtt} ms`, () => {
      const net = new Bottleneck({
        rate: 100_000,
        rtt,
        queue: 300_000,
        markAt: 30_000,
        tcp: { congestionControl: 'dctcp' },
      });
      const flows = [net.flow(), net.flow()];
      net.run(1_000);
      net.mostQueued = net.queuedSum = net.packets = 0;
      const rates = goodput(net, flows, 1_000);
      expect(rates[0]! + rates[1]!).toBeGreaterThan(95);
      expect(jain(rates)).toBeGreaterThan(0.9);
      expect(net.queuedSum / net.packets).toBeLessThan(32_000);
      expect(net.mostQueued).toBeLessThan(45_000);
      expect(net.lost).toBe(0);
    });
  }
});
