import { describe, expect } from 'vitest';
import { type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;
const RENO = { tcp: { congestionControl: 'newreno' } } as const;
const MINUTES = 60_000;

/** An accepted connection with a round trip of 100 ms and a window of 40 segments, all in use. */
function start(p: Peer): void {
  p.listen();
  p.send('S', { mss: MSS });
  p.expect('S.');
  p.run(100);
  p.send('.');
  for (let cwnd = 10; cwnd < 40; cwnd *= 2) flight(p, cwnd);
  expect(p.tcb.cwnd).toBe(40 * MSS);
}

/** Writes so many segments, and acknowledges them all a round trip later, one by one. */
function flight(p: Peer, segments: number): void {
  const from = p.ack;
  p.user.write(Buffer.alloc((segments + 1) * MSS));
  for (let i = 0; i < segments; i++) p.expect('.', { len: MSS }, 100);
  p.run(100);
  for (let i = 1; i <= segments; i++) p.send('.', { ack: from + i * MSS });
  p.expect('.', { len: MSS });
  p.run(100);
  p.send('.', { ack: from + (segments + 1) * MSS });
}

/** Sends so few segments that the window is not in use, and has them acknowledged in time. */
function trickle(p: Peer, segments: number): void {
  p.user.write(Buffer.alloc(segments * MSS));
  p.run(100);
  p.inbox.length = 0;
  p.ack += segments * MSS;
  p.send('.');
}

describe('validation of the congestion window (RFC 7661)', () => {
  scripted('§4.4: it is kept while the application sends less, and does not grow', RENO, (p) => {
    start(p);
    for (let i = 0; i < 30; i++) trickle(p, 2);
    expect(p.tcb.cwnd).toBe(40 * MSS);
  });

  // RFC5681-4.1-a
  scripted('§4.4.2: after a pause it does not go out in one burst', RENO, (p) => {
    start(p);
    for (let i = 0; i < 3; i++) {
      p.run(2_000);
      trickle(p, 2);
    }
    p.user.write(Buffer.alloc(40 * MSS));
    p.run(0);
    const burst = p.inbox.length;
    expect(burst).toBeGreaterThan(0);
    expect(burst).toBeLessThan(6);
    p.run(80);
    expect(p.inbox.length).toBe(40);
  });

  // RFC5681-4.1-a
  scripted('§4.4.3: it halves for every 5 minutes, down to the initial window', RENO, (p) => {
    start(p);
    p.tcb.ssthresh = 20 * MSS;
    p.run(5 * MINUTES);
    p.user.write(Buffer.alloc(MSS));
    p.expect('.', { len: MSS });
    expect(p.tcb.cwnd).toBe(20 * MSS);
    expect(p.tcb.ssthresh).toBe(30 * MSS);
    p.send('.');
    p.run(20 * MINUTES);
    p.user.write(Buffer.alloc(MSS));
    p.expect('.', { len: MSS });
    expect(p.tcb.cwnd).toBe(10 * MSS);
  });

  scripted('§4.4.1: a loss then takes from what was in use, not from cwnd', RENO, (p) => {
    start(p);
    for (let i = 0; i < 3; i++) {
      p.run(2_000);
      trickle(p, 5);
    }
    const from = p.ack;
    p.user.write(Buffer.alloc(6 * MSS));
    p.run(20);
    p.inbox.length = 0;
    for (let i = 0; i < 3; i++) p.send('.', { ack: from });
    p.expect('.', { seq: from });
    expect(p.tcb.ssthresh).toBe(3 * MSS);
  });
});
