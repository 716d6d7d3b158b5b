import { describe, expect } from 'vitest';
import { type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;

/** With a round trip of 100 ms: 40 segments acknowledged at once, and as many more to send. */
function start(p: Peer): number {
  p.listen();
  p.send('S', { mss: MSS });
  p.expect('S.');
  p.run(100);
  p.send('.');
  p.user.write(Buffer.alloc(200 * MSS));
  let acked = 0;
  for (let cwnd = 10; cwnd < 80; cwnd *= 2) {
    p.run(100);
    acked += p.inbox.length;
    p.inbox.length = 0;
    p.send('.', { ack: acked * MSS + 1 });
  }
  expect(p.tcb.cwnd).toBe(80 * MSS);
  return p.runtime.now();
}

/** Segments that have come by so many ms after `from`. */
function sentBy(p: Peer, from: number, ms: number): number {
  return p.inbox.filter((packet) => packet.at <= from + ms).length;
}

describe('pacing', () => {
  scripted('without it, an ACK for many segments lets as many out at once', {}, (p) => {
    start(p);
    expect(p.inbox.length).toBeGreaterThan(60);
  });

  scripted(
    'slow start: twice cwnd per round trip, 1 ms of it at once',
    { tcp: { pacing: true } },
    (p) => {
      const from = start(p);
      const perMs = (2 * p.tcb.cwnd) / p.tcb.srtt / MSS;
      expect(sentBy(p, from, 0)).toBeLessThanOrEqual(2 * perMs + 2);
      p.run(20);
      const after = sentBy(p, from, 20);
      expect(after).toBeGreaterThanOrEqual(20 * perMs - 2);
      expect(after).toBeLessThanOrEqual(22 * perMs + 2);
      expect(p.user.connection.info().pacingRate).toBe(Math.round(perMs * MSS * 1000));
      expect(p.user.connection.info().timers.map(({ name }) => name)).toContain('pacing');
    },
  );

  scripted('congestion avoidance: 1.2 times', { tcp: { pacing: true } }, (p) => {
    start(p);
    p.tcb.ssthresh = 40 * MSS;
    p.run(99);
    const out = p.inbox.length;
    p.inbox.length = 0;
    p.send('.', { ack: p.tcb.bytesAcked + out * MSS + 1 });
    const from = p.runtime.now();
    p.run(50);
    const perMs = (1.2 * p.tcb.cwnd) / p.tcb.srtt / MSS;
    expect(sentBy(p, from, 50) / (50 * perMs)).toBeGreaterThan(0.9);
    expect(sentBy(p, from, 50) / (50 * perMs)).toBeLessThan(1.1);
  });

  scripted('the first 10 segments are not paced', { tcp: { pacing: true } }, (p) => {
    p.listen();
    p.send('S', { mss: MSS });
    p.expect('S.');
    p.run(100);
    p.send('.');
    p.user.write(Buffer.alloc(100 * MSS));
    p.run(0);
    expect(p.inbox.length).toBe(10);
  });
});
