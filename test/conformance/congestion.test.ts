import { describe, expect } from 'vitest';
import { setCongestionControl } from '../../src/tcp/calls.js';
import { conversation } from '../support/conversation.js';
import { type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;

/** An accepted connection with NewReno, segments of 1000 bytes and so much to send. */
function start(p: Peer, bytes: number): void {
  p.accept({ mss: MSS });
  setCongestionControl(p.tcb, 'newreno', 0);
  p.user.write(Buffer.alloc(bytes, 'x'));
}

/** Takes `count` full segments from `seq` on. */
function take(p: Peer, count: number, seq: number): void {
  for (let i = 0; i < count; i++) p.expect('.', { seq: seq + i * MSS, len: MSS });
  p.expectNothing(0);
}

describe('congestion control (RFC 5681, RFC 6582)', () => {
  // RFC5681-2-a, RFC5681-3.1-b, RFC5681-3.1-c
  scripted('RFC 6928: the initial window is 10 segments', {}, (p) => {
    start(p, 50_000);
    take(p, 10, 1);
  });

  // RFC5681-3.1-d
  scripted('§3.1: after a lost SYN it is one segment', {}, (p) => {
    p.connect();
    p.expect('S');
    p.expect('S', {}, 1_001);
    p.send('S.', { ack: 1, mss: MSS });
    p.expect('.');
    p.user.write(Buffer.alloc(50_000));
    take(p, 1, 1);
  });

  // RFC5681-3.1-f
  scripted('§3.1: ssthresh begins high', {}, (p) => {
    start(p, 0);
    expect(p.tcb.ssthresh).toBeGreaterThanOrEqual(2 ** 30);
  });

  scripted('the initial window of the configuration', { tcp: { initialWindow: 2 } }, (p) => {
    start(p, 50_000);
    take(p, 2, 1);
  });

  // MUST-19, RFC5681-3.1-a
  scripted(
    '§3.1 slow start: cwnd grows by what is acknowledged',
    { tcp: { initialWindow: 2 } },
    (p) => {
      start(p, 50_000);
      take(p, 2, 1);
      p.send('.', { ack: 1_001 });
      take(p, 2, 2_001);
      p.send('.', { ack: 4_001 });
      take(p, 6, 4_001);
      expect(p.tcb.cwnd).toBe(6_000);
    },
  );

  scripted('a window that is not in use does not grow (RFC 7661)', {}, (p) => {
    start(p, 3_000);
    take(p, 3, 1);
    p.send('.', { ack: 3_001 });
    expect(p.tcb.cwnd).toBe(10_000);
  });

  // MUST-19, RFC5681-3.1-a, RFC5681-3.1-h, RFC5681-3.1-i
  scripted(
    '§3.1 congestion avoidance: one segment per window',
    { tcp: { initialWindow: 4 } },
    (p) => {
      start(p, 60_000);
      take(p, 4, 1);
      p.tcb.ssthresh = 4_000;
      p.send('.', { ack: 2_001 });
      take(p, 2, 4_001);
      expect(p.tcb.cwnd).toBe(4_000);
      p.send('.', { ack: 4_001 });
      expect(p.tcb.cwnd).toBe(5_000);
      take(p, 3, 6_001);
    },
  );

  // RFC5681-3.2-c, RFC5681-3.2-d, RFC5681-3.2-e, RFC5681-3.2-g, RFC5681-3.2-h, RFC5681-3.2-i,
  // RFC5681-3.2-j, RFC5681-3.2-k
  scripted(
    'RFC 3042: two duplicate ACKs let out two new segments; §3.2: the third retransmits',
    {},
    (p) => {
      start(p, 60_000);
      take(p, 10, 1);
      p.send('.', { ack: 1 });
      take(p, 1, 10_001);
      p.send('.', { ack: 1 });
      take(p, 1, 11_001);
      p.send('.', { ack: 1 });
      p.expect('.', { seq: 1, len: MSS });
      p.expectNothing(0);
      // Step 2: what limited transmit has sent does not count.
      expect(p.tcb.ssthresh).toBe(5_000);
      expect(p.tcb.cwnd).toBe(8_000);
      expect(p.host.counters.tcpFastRetransmits).toBe(1);
      // §3.2 step 4: each further one inflates cwnd.
      for (let i = 0; i < 4; i++) p.send('.', { ack: 1 });
      p.expectNothing(0);
      expect(p.tcb.cwnd).toBe(12_000);
      p.send('.', { ack: 1 });
      take(p, 1, 12_001);
      // Step 6: a full ACK ends recovery with cwnd at or below ssthresh.
      p.send('.', { ack: 12_001 });
      expect(p.tcb.cwnd).toBeLessThanOrEqual(5_000);
      expect(p.tcb.cwnd).toBeGreaterThanOrEqual(2_000);
      p.expect('.', { seq: 13_001 });
    },
  );

  // RFC5681-4.3-a
  scripted('RFC 6582: each partial ACK retransmits the next hole', {}, (p) => {
    start(p, 10_000);
    take(p, 10, 1);
    for (let i = 0; i < 3; i++) p.send('.', { ack: 1 });
    p.expect('.', { seq: 1, len: MSS });
    p.send('.', { ack: 3_001 });
    p.expect('.', { seq: 3_001, len: MSS });
    p.send('.', { ack: 6_001 });
    p.expect('.', { seq: 6_001, len: MSS });
    p.send('.', { ack: 10_001 });
    p.expectNothing(10_000);
    expect(p.host.counters.tcpTimeouts).toBe(0);
    expect(p.host.counters.tcpRetransSegs).toBe(3);
  });

  scripted('fewer than three duplicates retransmit nothing', {}, (p) => {
    start(p, 3_000);
    take(p, 3, 1);
    p.send('.', { ack: 1 });
    p.send('.', { ack: 1 });
    p.expectNothing(100);
    p.send('.', { ack: 3_001 });
    p.expectNothing(1_000);
  });

  scripted('§2: an ACK with data, or another window, is no duplicate', {}, (p) => {
    start(p, 5_000);
    take(p, 5, 1);
    for (let i = 0; i < 4; i++) {
      p.send('.', { ack: 1, data: 'text' });
      p.expect('.', { len: 0 });
    }
    for (let i = 0; i < 4; i++) p.send('.', { ack: 1, win: 60_000 - i });
    p.expectNothing(50);
    expect(p.host.counters.tcpFastRetransmits).toBe(0);
  });

  // MUST-19, RFC5681-3.1-g, RFC5681-3.1-j, RFC5681-3.1-k, RFC6298-5.4
  scripted('§3.1, RFC 6298 §5: a timeout falls to one segment and slow-starts', {}, (p) => {
    start(p, 10_000);
    take(p, 10, 1);
    p.expect('.', { seq: 1, len: MSS }, 200);
    p.expectNothing(0);
    expect(p.tcb.cwnd).toBe(MSS);
    expect(p.tcb.ssthresh).toBe(5_000);
    p.send('.', { ack: 1_001 });
    take(p, 2, 1_001);
    p.send('.', { ack: 3_001 });
    take(p, 4, 3_001);
    // Everything else had arrived.
    p.send('.', { ack: 10_001 });
    p.expectNothing(1_000);
  });

  // RFC5681-4.3-d
  scripted('ssthresh falls once per loss, not with each back-off', {}, (p) => {
    start(p, 10_000);
    take(p, 10, 1);
    p.run(3_000);
    expect(p.tcb.ssthresh).toBe(5_000);
  });

  scripted(
    'RFC 6582 §3.2 step 2: duplicates of our own retransmissions start no recovery',
    {},
    (p) => {
      start(p, 10_000);
      take(p, 10, 1);
      p.expect('.', { seq: 1 }, 200);
      p.send('.', { ack: 9_001 });
      p.run(0);
      p.inbox.length = 0;
      for (let i = 0; i < 4; i++) p.send('.', { ack: 9_001 });
      p.expectNothing(0);
      expect(p.host.counters.tcpFastRetransmits).toBe(0);
    },
  );

  for (const offload of [false, true]) {
    conversation(
      `a megabyte with every ${offload ? 7 : 37}th packet lost, offload ${offload}`,
      {
        offload,
        delay: 10,
        tcp: { sack: false },
        onPacket: (() => {
          let count = 0;
          return () => (++count % (offload ? 7 : 37) === 0 ? [] : 0);
        })(),
      },
      (c) => {
        const data = Buffer.alloc(1_000_000, '0123456789');
        c.listen();
        c.connect();
        c.userB.endsWithPeer = true;
        c.userA.write(data);
        c.userA.end();
        c.finish();
        expect(c.userB.received.equals(data)).toBe(true);
        expect(c.a.counters.tcpRetransSegs).toBeGreaterThan(0);
      },
    );
  }
});
