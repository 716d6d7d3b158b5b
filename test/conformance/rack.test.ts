import { describe, expect } from 'vitest';
import { setCongestionControl } from '../../src/tcp/calls.js';
import { type Fields, type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;
/** Round trip of the handshake, and so SRTT and RACK.min_RTT. ms. */
const RTT = 100;

/** Of a peer with timestamps whose segments carry MSS octets all the same. */
const TIMESTAMPS: Fields = { ts: 1, mss: MSS + 12 };

/** A connection with SACK and NewReno whose first round-trip sample is RTT, and `segments` full ones to send. */
function start(p: Peer, segments: number, syn: Fields = {}): void {
  p.listen();
  p.send('S', { mss: MSS, sackOk: true, ...syn });
  p.expect('S.');
  if (syn.ts != null) p.ts = syn.ts as number;
  setCongestionControl(p.tcb, 'newreno', 0);
  p.run(RTT);
  p.send('.');
  p.user.write(Buffer.alloc(segments * MSS, 'x'));
}

/** Where segment `n` begins, counted from 0. */
function at(n: number): number {
  return 1 + n * MSS;
}

function take(p: Peer, from: number, count: number): void {
  for (let i = 0; i < count; i++) p.expect('.', { seq: at(from + i), len: MSS });
  p.expectNothing(0);
}

/** An ACK up to segment `acked`, with SACK blocks from segment to segment. */
function sack(p: Peer, acked: number, ...blocks: [number, number][]): void {
  p.send('.', { ack: at(acked), sack: blocks.map(([l, r]) => [at(l), at(r)] as const) });
}

describe('RACK (RFC 8985 §6)', () => {
  scripted('§6.2 step 5: what was sent before an arrival is lost min_RTT/4 later', {}, (p) => {
    start(p, 5);
    take(p, 0, 5);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    p.expectNothing(RTT / 4 - 1);
    p.expect('.', { seq: at(0), len: MSS }, 2);
    p.expectNothing(0);
    expect(p.tcb.recovery).toBe(1);
    expect(p.host.counters.tcpSackRecovery).toBe(1);
  });

  scripted('§6.2 step 4: DupThresh SACKed segments, and no wait', {}, (p) => {
    start(p, 5);
    take(p, 0, 5);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    sack(p, 0, [1, 3]);
    p.expectNothing(0);
    sack(p, 0, [1, 4]);
    take(p, 0, 1);
  });

  scripted('§6.2 step 3: once reordering was seen, DupThresh does not hurry it', {}, (p) => {
    start(p, 5);
    take(p, 0, 5);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    p.run(5);
    sack(p, 2);
    expect(p.tcb.rack.reorderings).toBe(1);
    sack(p, 2, [3, 5]);
    p.user.write(Buffer.alloc(5 * MSS));
    take(p, 5, 5);
    p.expectNothing(RTT / 4 - 1);
    p.expect('.', { seq: at(2) }, 5);
  });

  scripted('§6.2 step 3: reordering is seen also where a retransmission was in vain', {}, (p) => {
    start(p, 5, TIMESTAMPS);
    take(p, 0, 5);
    const echo = p.lastTsVal;
    p.run(RTT);
    p.send('.', { ack: at(0), sack: [[at(1), at(4)]], ts: [2, echo] });
    p.expect('.', { seq: at(0), len: MSS });
    p.run(5);
    // For the original: the echo is from before the retransmission.
    p.send('.', { ack: at(4), ts: [3, echo] });
    expect(p.tcb.rack.reorderings).toBe(1);
  });

  scripted('a late segment within the window is not retransmitted', {}, (p) => {
    start(p, 5);
    take(p, 0, 5);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    p.run(20);
    sack(p, 5);
    p.expectNothing(1_000);
    expect(p.host.counters.tcpRetransSegs).toBe(0);
  });

  // RFC5681-4.3-d
  scripted('§6.2: a lost retransmission is found by what was sent after it', {}, (p) => {
    start(p, 12);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 4]);
    p.expect('.', { seq: at(0) });
    p.inbox.length = 0;
    p.run(20);
    sack(p, 0, [1, 10]);
    p.expect('.', { seq: at(10) });
    p.expect('.', { seq: at(11) });
    p.expectNothing(RTT - 1);
    // Segment 10 went out 20 ms after the retransmission of 0, which therefore is lost too.
    sack(p, 0, [1, 11]);
    p.expect('.', { seq: at(0), len: MSS });
    expect(p.host.counters.tcpLostRetransmits).toBe(1);
    expect(p.host.counters.tcpTimeouts).toBe(0);
  });

  scripted('§6.2 step 4: a D-SACK makes the reordering window larger', {}, (p) => {
    start(p, 5);
    take(p, 0, 5);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    p.expect('.', { seq: at(0) }, RTT / 4 + 1);
    sack(p, 5);
    p.send('.', { ack: at(5), sack: [[at(0), at(1)]] });
    expect(p.tcb.rack.reoWndMult).toBe(2);
    p.user.write(Buffer.alloc(4 * MSS));
    take(p, 5, 4);
    p.run(RTT);
    sack(p, 5, [6, 7]);
    p.expectNothing(RTT / 4 + 1);
    p.expect('.', { seq: at(5) }, RTT / 2);
  });

  scripted('§6.3: a timeout takes only what is old enough for lost', {}, (p) => {
    start(p, 2);
    take(p, 0, 2);
    // Until the probe, and the timeout after it.
    p.expect('.', { seq: at(1) }, 3 * RTT);
    p.user.write(Buffer.alloc(MSS));
    p.run(295);
    p.user.write(Buffer.alloc(2 * MSS));
    p.run(0);
    p.inbox.length = 0;
    p.expect('.', { seq: at(0), len: MSS }, RTT);
    expect(p.host.counters.tcpTimeouts).toBe(1);
    expect(p.tcb.sent.lost).toBe(2 * MSS);
    expect(p.tcb.flight).toBe(5 * MSS);
  });
});

describe('tail loss probes (RFC 8985 §7)', () => {
  scripted('§7.2, §7.3: after 2 SRTT the last segment again, then the RTO', {}, (p) => {
    start(p, 4);
    take(p, 0, 4);
    p.expectNothing(2 * RTT + 1);
    p.expect('.', { seq: at(3), len: MSS }, 2);
    expect(p.host.counters.tcpLossProbes).toBe(1);
    // RTO = 100 + 4 * 50, from the probe on; at most one probe.
    p.expectNothing(299);
    p.expect('.', { seq: at(0) }, 2);
    expect(p.host.counters.tcpTimeouts).toBe(1);
  });

  scripted('§7.3: new data rather than old', {}, (p) => {
    start(p, 12);
    take(p, 0, 10);
    p.expect('.', { seq: at(10), len: MSS }, 2 * RTT + 2);
    expect(p.host.counters.tcpRetransSegs).toBe(0);
    p.expectNothing(50);
  });

  scripted('§7.2: a single segment is given time for a delayed ACK', {}, (p) => {
    start(p, 1);
    take(p, 0, 1);
    p.expectNothing(299);
    p.expect('.', { seq: at(0) }, 2);
    expect(p.host.counters.tcpLossProbes).toBe(1);
  });

  scripted('§7.4.1: the SACK of the probe shows what else was lost', {}, (p) => {
    start(p, 10);
    take(p, 0, 10);
    p.expect('.', { seq: at(9) }, 2 * RTT + 2);
    p.run(RTT);
    sack(p, 6, [9, 10]);
    p.expect('.', { seq: at(6) });
    expect(p.tcb.recovery).toBe(1);
    expect(p.host.counters.tcpTimeouts).toBe(0);
  });

  scripted('§7.4.1: so it does with timestamps, whose echo in a SACK is older', {}, (p) => {
    start(p, 10, TIMESTAMPS);
    take(p, 0, 10);
    const echo = p.lastTsVal;
    p.expect('.', { seq: at(9) }, 2 * RTT + 2);
    p.run(RTT);
    // RFC 7323 §4.3: a segment behind a hole does not change what the peer echoes.
    p.send('.', { ack: at(6), sack: [[at(9), at(10)]], ts: [2, echo] });
    p.expect('.', { seq: at(6) });
    expect(p.host.counters.tcpTimeouts).toBe(0);
  });

  scripted('§7.4.2: a loss that the probe repaired costs what a loss costs', {}, (p) => {
    start(p, 10);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 9);
    p.expect('.', { seq: at(9) }, 4 * RTT);
    p.run(RTT);
    sack(p, 10);
    p.user.write(Buffer.alloc(2 * MSS));
    take(p, 10, 2);
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
    sack(p, 12);
    expect(p.host.counters.tcpLossProbeRecovery).toBe(1);
    // Half of the 9 segments that arrived within a round trip of late (RFC 7661 §4.4.1).
    expect(p.tcb.ssthresh).toBe(4_500);
  });

  scripted('§7.4.2 case 1: a D-SACK says that nothing was lost', {}, (p) => {
    start(p, 10);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 9);
    p.expect('.', { seq: at(9) }, 4 * RTT);
    sack(p, 10);
    p.send('.', { ack: at(10), sack: [[at(9), at(10)]] });
    p.user.write(Buffer.alloc(2 * MSS));
    take(p, 10, 2);
    sack(p, 12);
    expect(p.host.counters.tcpLossProbeRecovery).toBe(0);
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
  });

  scripted('§7.3: no second probe without a new round-trip sample', {}, (p) => {
    start(p, 1);
    take(p, 0, 1);
    p.expect('.', { seq: at(0) }, 4 * RTT);
    p.send('.', { ack: at(1) });
    p.user.write(Buffer.alloc(MSS));
    take(p, 1, 1);
    p.expect('.', { seq: at(1) }, 4 * RTT);
    expect(p.host.counters.tcpLossProbes).toBe(1);
    expect(p.host.counters.tcpTimeouts).toBe(1);
  });
});

describe('proportional rate reduction (RFC 6937 §3.1)', () => {
  const tcp = { initialWindow: 20 };

  // RFC2018-5.1-a, RFC5681-4.3-b, RFC5681-4.3-c
  scripted('one loss of twenty segments: every second ACK lets one out', { tcp }, (p) => {
    start(p, 60);
    take(p, 0, 20);
    p.run(RTT);
    const sent: string[] = [];
    let next = 20;
    for (let n = 1; n < 20; n++) {
      sack(p, 0, [1, n + 1]);
      const packets = p.inbox.splice(0);
      sent.push(packets.length === 0 ? '' : packets.map(() => (n === 3 ? 'R' : 'N')).join(''));
      if (n !== 3) next += packets.length;
    }
    expect(sent.slice(0, 3)).toEqual(['N', 'N', 'R']);
    expect(sent.slice(3).join('')).toMatch(/^N{6,8}$/);
    expect(sent.every((word) => word.length <= 1)).toBe(true);
    expect(p.tcb.ssthresh).toBe(10 * MSS);
    expect(p.tcb.inFlight).toBe(10 * MSS);
    sack(p, next);
    expect(p.tcb.cwnd).toBeGreaterThanOrEqual(10 * MSS);
    expect(p.tcb.cwnd).toBeLessThanOrEqual(11 * MSS);
  });

  scripted(
    'of a batch, what ACKs before the loss have let out waits for its turn',
    { tcp },
    (p) => {
      start(p, 60);
      take(p, 0, 20);
      p.run(RTT);
      p.together(() => {
        for (let n = 1; n <= 8; n++) sack(p, 0, [1, n + 1]);
      });
      // Half of the eight that have arrived, the first two among them.
      for (const n of [0, 20, 21, 22]) p.expect('.', { seq: at(n), len: MSS });
      p.expectNothing(0);
      expect(p.tcb.ssthresh).toBe(10 * MSS);
    },
  );

  // RFC5681-4.3-b
  scripted('fifteen losses: packets are conserved while nothing moves on', { tcp }, (p) => {
    start(p, 60);
    take(p, 0, 20);
    p.run(RTT);
    const sent: number[] = [];
    for (let n = 16; n <= 20; n++) {
      sack(p, 0, [15, n]);
      sent.push(p.inbox.splice(0).length);
    }
    expect(sent).toEqual([1, 1, 1, 1, 1]);
    expect(p.tcb.inFlight).toBe(5 * MSS);
    // Progress without further loss: slow start back to ssthresh.
    p.run(RTT);
    sack(p, 1, [15, 20]);
    expect(p.inbox.splice(0).length).toBe(2);
  });
});

describe('RFC 6675, by configuration', () => {
  const tcp = { lossDetection: 'sack' } as const;

  scripted('§4 IsLost: more than two segments SACKed above', { tcp }, (p) => {
    start(p, 6);
    take(p, 0, 6);
    p.run(RTT);
    sack(p, 0, [1, 3]);
    p.expectNothing(RTT);
    sack(p, 0, [1, 4]);
    take(p, 0, 1);
    expect(p.host.counters.tcpLossProbes).toBe(0);
  });

  scripted('§4 IsLost: or three ranges, however short', { tcp: { ...tcp, noDelay: true } }, (p) => {
    start(p, 0);
    for (let n = 0; n < 6; n++) {
      p.user.write('ten octets');
      p.expect('.', { seq: 1 + n * 10, len: 10 });
    }
    p.run(RTT);
    p.send('.', { ack: 1, sack: [[11, 21]] });
    p.send('.', {
      ack: 1,
      sack: [
        [31, 41],
        [11, 21],
      ],
    });
    p.expectNothing(0);
    p.send('.', {
      ack: 1,
      sack: [
        [51, 61],
        [31, 41],
        [11, 21],
      ],
    });
    p.expect('.', { seq: 1, len: 10 });
  });

  scripted(
    '§4 NextSeg rule 3: a hole that is perhaps none, with nothing else to send',
    { tcp },
    (p) => {
      start(p, 10);
      take(p, 0, 10);
      p.run(RTT);
      sack(p, 0, [1, 4], [8, 9]);
      p.expect('.', { seq: at(0), len: MSS });
      p.inbox.length = 0;
      // 4 to 7 have one SACKed above them: not lost by IsLost, but there is room.
      for (let n = 5; n <= 7; n++) sack(p, n, [8, 9]);
      p.run(0);
      expect(p.inbox.map((packet) => (packet.rawSeq - p.hostIss) | 0)).toContain(at(7));
    },
  );

  scripted('§5.1: a lost retransmission waits for the timeout', { tcp }, (p) => {
    start(p, 12);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 4]);
    p.expect('.', { seq: at(0) });
    p.inbox.length = 0;
    sack(p, 0, [1, 10]);
    p.inbox.length = 0;
    p.run(RTT);
    sack(p, 0, [1, 12]);
    p.expectNothing(150);
    p.expect('.', { seq: at(0) }, 300);
    expect(p.host.counters.tcpTimeouts).toBe(1);
  });
});

describe('RFC 3042 with SACK', () => {
  // RFC5681-3.2-f
  scripted('a duplicate ACK that SACKs nothing lets nothing out', {}, (p) => {
    start(p, 20);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0);
    sack(p, 0);
    p.expectNothing(0);
  });

  scripted('what was SACKed makes room for as much new data', {}, (p) => {
    start(p, 20);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 2]);
    take(p, 10, 1);
    sack(p, 0, [1, 3]);
    take(p, 11, 1);
  });
});

describe('RFC 2018 §3', () => {
  scripted('a block covers the FIN that came with its last octets', {}, (p) => {
    start(p, 0);
    p.send('F.', { seq: at(1), data: 'x'.repeat(MSS) });
    p.expect('.', { ack: at(0), sack: [[at(1), at(2) + 1]] });
  });
});
