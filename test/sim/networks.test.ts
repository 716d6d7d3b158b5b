import { describe, expect, test } from 'vitest';
import { CaptureRing } from '../../src/link/capture-ring.js';
import { readCapture } from '../../src/wire/pcap-reader.js';
import { Flow } from './support/flow.js';
import { dumbbell, Network, pair } from './support/network.js';
import { play, SCENARIOS } from './support/scenario.js';

const MIB = 1024 * 1024;

describe('a simulation depends on its seed alone', () => {
  const names = [
    'loss 3 %',
    'loss 1 % in bursts of 5',
    'Wi-Fi: jitter 30 ms in order',
    'route change from 60 to 30 ms',
    'queue of 10 packets',
    'dumbbell: 4 flows, CoDel',
  ];
  test.each(names)('%s', (name) => {
    const scenario = { ...SCENARIOS.find((s) => s.name === name)!, bytes: 1_000_000 };
    const first = play(scenario, 7, true);
    expect(first.digest).toMatch(/^[0-9a-f]{16}$/);
    expect(play(scenario, 7, true)).toEqual(first);
    expect(play(scenario, 8, true).digest).not.toBe(first.digest);
  });

  test('down to each byte of the captures', () => {
    const capture = (): CaptureRing => {
      const ring = new CaptureRing(16 * MIB);
      const network = new Network({ seed: 3, capture: ring });
      const { left, right } = dumbbell(network, [{ delay: 5 }, { delay: 20, jitter: 3 }], {
        both: { rate: 5e6, delay: 10, loss: 0.02, duplicate: 0.02, corrupt: 0.01 },
      });
      const flows = left.map((from, i) => Flow.bulk(from, right[i]!, 400_000));
      expect(network.runtime.runUntil(() => flows.every((flow) => flow.isOver), 120_000)).toBe(
        true,
      );
      expect(flows.map((flow) => [flow.server.received, flow.server.wrongAt])).toEqual([
        [400_000, -1],
        [400_000, -1],
      ]);
      return ring;
    };
    const [first, second] = [capture(), capture()];
    expect(first.overwritten).toBe(0);
    expect(Buffer.compare(first.file(), second.file())).toBe(0);
    const reasons = new Set([...readCapture(first.file())].map((packet) => packet.comment));
    expect(reasons).toContain('lost: loss');
    expect(reasons).toContain('dropped: tcpChecksum');
  });
});

describe('routers', () => {
  test('take one from the TTL and keep the checksum right', () => {
    const ring = new CaptureRing(MIB);
    const network = new Network({ capture: ring });
    const { left, right } = dumbbell(network, [{}], {});
    const flow = Flow.bulk(left[0]!, right[0]!, 100);
    expect(network.runtime.runUntil(() => flow.isOver, 1000)).toBe(true);
    const ttls = new Set([...readCapture(ring.file())].map((packet) => packet.bytes[8]));
    expect([...ttls].sort()).toEqual([62, 64]);
    expect(right[0]!.host.counters.snapshot().drops.ipChecksum).toBe(0);
  });
});

describe('what a bad path may do to a connection', () => {
  test('30 s without a path cost time and nothing else', () => {
    const network = new Network();
    const { a, b } = pair(network, {
      both: { delay: 20 },
      up: { rate: 10e6 },
      schedule: [
        { at: 1000, both: { dead: true } },
        { at: 31_000, both: { dead: false } },
      ],
    });
    const flow = Flow.bulk(a, b, 3_000_000);
    network.runtime.run(30_999);
    expect(flow.server.received).toBeLessThan(3_000_000);
    expect(network.runtime.runUntil(() => flow.isOver, 120_000)).toBe(true);
    expect([flow.server.received, flow.server.wrongAt]).toEqual([3_000_000, -1]);
  });

  test('a path that stays dead ends in ETIMEDOUT, not before R2', () => {
    const network = new Network();
    const { a, b } = pair(network, {
      both: { delay: 20 },
      schedule: [{ at: 1000, both: { dead: true } }],
    });
    const flow = new Flow(a, b);
    flow.client.writeUpTo(100);
    network.runtime.run(1500);
    flow.client.writeUpTo(200);
    expect(network.runtime.runUntil(() => flow.client.error !== undefined, 3_600_000)).toBe(true);
    expect(flow.client.error).toBe('ETIMEDOUT');
    // RFC 9293 §3.8.3: R2 is 100 s or more.
    expect(flow.client.closedAt - 1500).toBeGreaterThan(100_000);
    expect(flow.server.received).toBe(100);
    expect(flow.server.error).toBeUndefined();
  });

  test('a smaller MTU that ICMP tells of costs little', () => {
    const network = new Network();
    const { a, b, link } = pair(network, {
      both: { delay: 20 },
      up: { rate: 10e6 },
      schedule: [{ at: 500, up: { mtu: 1000 } }],
    });
    const flow = Flow.bulk(a, b, 3_000_000);
    expect(network.runtime.runUntil(() => flow.isOver, 60_000)).toBe(true);
    expect([flow.server.received, flow.server.wrongAt]).toEqual([3_000_000, -1]);
    expect(link.counters('up').icmp).toBeGreaterThan(0);
  });

  test('a smaller MTU that nobody tells of ends well or in ETIMEDOUT', () => {
    const network = new Network();
    const { a, b } = pair(network, {
      both: { delay: 20 },
      up: { rate: 10e6 },
      schedule: [{ at: 500, up: { mtu: 1000, icmp: false } }],
    });
    const flow = Flow.bulk(a, b, 3_000_000);
    const ended = (): boolean => flow.isOver || flow.client.error !== undefined;
    expect(network.runtime.runUntil(ended, 3_600_000)).toBe(true);
    expect(flow.server.wrongAt).toBe(-1);
    if (flow.client.error != null) expect(flow.client.error).toBe('ETIMEDOUT');
    else expect(flow.server.received).toBe(3_000_000);
  });
});
