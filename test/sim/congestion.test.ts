import { describe, expect, test } from 'vitest';
import { Bottleneck, type Flow, jain } from '../support/bottleneck.js';

/** Mbit/s of each flow over the next `ms`. */
function goodput(net: Bottleneck, flows: readonly Flow[], ms: number): number[] {
  const before = flows.map((flow) => flow.received);
  net.run(ms);
  return flows.map((flow, i) => ((flow.received - before[i]!) * 8) / ms / 1000);
}

const PATH = { rate: 10_000, rtt: 40 };

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

describe('on 10 Mbit/s and 40 ms with half of its product as queue', () => {
  for (const [control, least, mostQueued] of [
    ['newreno', 8.5, 15_000],
    ['cubic', 9.4, 17_000],
    ['bbr', 9.1, 6_000],
  ] as const) {
    test(`${control} fills the path`, () => {
      const net = new Bottleneck({ ...PATH, queue: 25_000 });
      const flow = net.flow(control);
      net.run(3_000);
      net.queuedSum = net.packets = 0;
      const [rate] = goodput(net, [flow], 15_000);
      expect(rate).toBeGreaterThan(least);
      expect(net.queuedSum / net.packets).toBeLessThan(mostQueued);
      expect(net.sender.counters.tcpTimeouts).toBe(0);
      expect(flow.info().retransmits).toBe(net.lost);
    });
  }

  for (const pair of [
    ['cubic', 'cubic'],
    ['cubic', 'newreno'],
    ['bbr', 'bbr'],
    ['bbr', 'cubic'],
  ]) {
    test(`${pair.join(' and ')} share it`, () => {
      const net = new Bottleneck({ ...PATH, queue: 50_000 });
      const first = net.flow(pair[0]);
      net.run(2_000);
      const flows = [first, net.flow(pair[1])];
      net.run(15_000);
      const rates = goodput(net, flows, 20_000);
      expect(rates[0]! + rates[1]!).toBeGreaterThan(9);
      expect(jain(rates)).toBeGreaterThan(0.9);
    });
  }
});

describe('BBR with loss that is not congestion', () => {
  test('1 % at random leaves it three quarters of 100 Mbit/s at 50 ms, and CUBIC little', () => {
    const [cubic, bbr] = ['cubic', 'bbr'].map((control) => {
      const net = new Bottleneck({ rate: 100_000, rtt: 50, queue: 300_000, loss: 0.01 });
      const flow = net.flow(control);
      net.run(1_500);
      return goodput(net, [flow], 2_000)[0]!;
    });
    expect(cubic).toBeLessThan(10);
    expect(bbr).toBeGreaterThan(75);
  });
});

describe('ECN (RFC 3168)', () => {
  for (const control of ['newreno', 'cubic', 'bbr']) {
    test(`${control} keeps the path busy by marks alone`, () => {
      const net = new Bottleneck({ ...PATH, queue: 100_000, markAt: 20_000, tcp: { ecn: 'on' } });
      const flow = net.flow(control);
      net.run(5_000);
      net.lost = net.marked = 0;
      const [rate] = goodput(net, [flow], 10_000);
      expect(rate).toBeGreaterThan(7);
      expect(net.lost).toBe(0);
      expect(net.marked).toBeGreaterThan(0);
    });
  }
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
