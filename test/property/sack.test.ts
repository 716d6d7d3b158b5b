import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_ROWS } from '../../src/tcp/sent-segments.js';
import { recorded } from '../support/conversation.js';
import { Peer } from '../support/peer.js';
import { runs } from '../support/seed.js';

/** An edge of a SACK block: from SND.UNA, from SND.NXT, or anywhere. */
interface Edge {
  from: 'una' | 'nxt' | 'anywhere';
  by: number;
}

interface Step {
  blocks: [Edge, Edge][];
  /** Of what is outstanding, in 1000ths. */
  ack: number;
  wait: number;
  write: number;
  echo: number;
}

const edge: fc.Arbitrary<Edge> = fc.oneof(
  fc.record({ from: fc.constant('una' as const), by: fc.integer({ min: -300, max: 20_000 }) }),
  // On the border of a segment more often than not.
  fc.record({ from: fc.constant('una' as const), by: fc.nat(150).map((n) => n * 100) }),
  fc.record({ from: fc.constant('nxt' as const), by: fc.integer({ min: -20_000, max: 300 }) }),
  fc.record({ from: fc.constant('anywhere' as const), by: fc.integer() }),
);

const step: fc.Arbitrary<Step> = fc.record({
  blocks: fc.array(fc.tuple(edge, edge), { maxLength: 4 }),
  ack: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(1_000)),
  wait: fc.constantFrom(0, 0, 1, 10, 60, 300, 2_000),
  write: fc.oneof(fc.constant(0), fc.nat(20_000)),
  echo: fc.integer({ min: -500, max: 5 }),
});

/** Plays the steps as a peer whose SACK blocks mean nothing, then as one that takes everything. */
function play(
  steps: readonly Step[],
  lossDetection: 'rack' | 'sack' | 'newreno',
  timestamps: boolean,
): void {
  recorded(new Peer({ tcp: { lossDetection, sendBuffer: 1 << 20 } }), (p) => {
    p.accept({ mss: 100, sackOk: true, wscale: 4, ...(timestamps ? { ts: 1 } : {}) });
    const una = () => (p.tcb.sndUna - p.tcb.iss) | 0;
    const nxt = () => (p.tcb.sndNxt - p.tcb.iss) | 0;
    const place = ({ from, by }: Edge) =>
      from === 'una' ? una() + by : from === 'nxt' ? nxt() + by : by;
    let tsVal = 1;
    for (const { blocks, ack, wait, write, echo } of steps) {
      if (write > 0) p.user.connection.write(Buffer.alloc(write, 'x'));
      p.run(wait);
      if (p.host.connectionCount === 0) return;
      const before = p.inbox.length;
      p.send('.', {
        ack: una() + Math.floor(((nxt() - una()) * ack) / 1_000),
        sack: blocks.slice(0, timestamps ? 3 : 4).map(([l, r]) => [place(l), place(r)] as const),
        ...(timestamps ? { ts: [++tsVal, (p.lastTsVal + echo) | 0] as const } : {}),
      });
      expect(p.tcb.sent.length).toBeLessThanOrEqual(MAX_ROWS);
      // No ACK sets free more than the window, in segments.
      expect(p.inbox.length - before).toBeLessThanOrEqual(p.tcb.cwnd / 36 + 20);
    }
    // Honest from here on: everything that was sent has arrived.
    for (let i = 0; i < 3_000 && p.tcb.sendBuffer.length > 0; i++) {
      p.inbox.length = 0;
      p.send('.', { ack: nxt(), ...(timestamps ? { ts: ++tsVal } : {}) });
      p.run(20);
    }
    expect(p.tcb.sendBuffer.length).toBe(0);
    expect(p.tcb.sent.length).toBe(0);
    p.inbox.length = 0;
    p.expectNothing(100_000);
  });
}

describe('SACK blocks that mean nothing', () => {
  for (const lossDetection of ['rack', 'sack', 'newreno'] as const) {
    test(`${lossDetection}: rows stay bounded and counted, and the rest gets through`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, timestamps) => {
          play(steps, lossDetection, timestamps);
        }),
        runs(150),
      );
    });
  }

  test('the smallest MSS and a SACK of every second segment (CVE-2019-11477 to 11479)', () => {
    recorded(new Peer({ tcp: { initialWindow: 1_000, sendBuffer: 1 << 21 } }), (p) => {
      p.accept({ mss: 1, sackOk: true, wscale: 8 });
      p.user.connection.write(Buffer.alloc(1 << 20));
      p.run(0);
      const { sndMss } = p.tcb;
      expect(sndMss).toBe(48);
      for (let round = 0; round < 300 && p.tcb.flight > 0; round++) {
        const from = 1 + (8 * round + 1) * sndMss;
        p.send('.', {
          ack: 1,
          sack: [0, 2, 4, 6].map((n) => [from + n * sndMss, from + (n + 1) * sndMss] as const),
        });
        p.inbox.length = 0;
        // And within segments: such blocks are not believed.
        p.send('.', { ack: 1, sack: [[from + sndMss + 1, from + sndMss + 2]] });
      }
      expect(p.tcb.sent.length).toBeGreaterThan(100);
      expect(p.tcb.sent.length).toBeLessThanOrEqual(MAX_ROWS);
      for (let row = 0; row < p.tcb.sent.length - 1; row++) {
        expect(p.tcb.sent.size(row)).toBeGreaterThanOrEqual(sndMss);
      }
    });
  });
});
