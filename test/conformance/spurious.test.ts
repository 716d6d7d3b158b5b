import { describe, expect } from 'vitest';
import { setCongestionControl } from '../../src/tcp/calls.js';
import { type Fields, type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;
const RTT = 100;

/** A connection with NewReno whose first round-trip sample is RTT, and `segments` full ones to send. */
function start(p: Peer, segments: number, syn: Fields): void {
  p.listen();
  p.send('S', { mss: MSS, ...syn });
  p.expect('S.');
  if (syn.ts != null) p.ts = syn.ts as number;
  setCongestionControl(p.tcb, 'newreno', 0);
  p.run(RTT);
  p.send('.');
  p.user.write(Buffer.alloc(segments * p.tcb.sndMss, 'x'));
}

/** Segments of a peer with timestamps are shorter by its option. */
function at(p: Peer, n: number): number {
  return 1 + n * p.tcb.sndMss;
}

function take(p: Peer, from: number, count: number): void {
  for (let i = 0; i < count; i++) p.expect('.', { seq: at(p, from + i), len: p.tcb.sndMss });
  p.expectNothing(0);
}

function sack(p: Peer, acked: number, ...blocks: [number, number][]): void {
  p.send('.', { ack: at(p, acked), sack: blocks.map(([l, r]) => [at(p, l), at(p, r)] as const) });
}

/** Ten segments are out, and the first goes out again after the timeout. */
function timeOut(p: Peer): void {
  take(p, 0, 10);
  p.expect('.', { seq: at(p, 0) }, 4 * RTT);
  p.expectNothing(0);
  expect(p.tcb.cwnd).toBe(p.tcb.sndMss);
}

const NO_SACK: Fields = {};
const SACK: Fields = { sackOk: true };
/** With SACK, but the timeout comes without a probe before it. */
const BY_OCTETS = { lossDetection: 'sack' } as const;

describe('F-RTO without SACK (RFC 5682 §2.1)', () => {
  scripted('2b, 3b: two new segments, and the second ACK proves it spurious', {}, (p) => {
    start(p, 30, NO_SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 1) });
    take(p, 10, 2);
    p.send('.', { ack: at(p, 2) });
    expect(p.host.counters.tcpSpuriousRtos).toBe(1);
    // RFC 4015: cwnd is what is in flight and a little more; ssthresh is back.
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
    expect(p.tcb.recovery).toBe(0);
    p.inbox.length = 0;
    p.send('.', { ack: at(p, 12) });
    expect(p.host.counters.tcpRetransSegs).toBe(1);
  });

  scripted('2a: a duplicate ACK first means the conventional way', {}, (p) => {
    start(p, 30, NO_SACK);
    timeOut(p);
    p.send('.', { ack: 1 });
    p.expectNothing(0);
    p.send('.', { ack: at(p, 1) });
    take(p, 1, 2);
    expect(p.host.counters.tcpSpuriousRtos).toBe(0);
  });

  scripted('2a: so does an ACK of everything', {}, (p) => {
    start(p, 10, NO_SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 10) });
    p.expectNothing(1_000);
    expect(p.host.counters.tcpSpuriousRtos).toBe(0);
    expect(p.tcb.ssthresh).toBe(5 * MSS);
  });

  scripted('3a: a duplicate ACK second: the rest is sent again', {}, (p) => {
    start(p, 30, NO_SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 1) });
    take(p, 10, 2);
    p.send('.', { ack: at(p, 1) });
    p.expect('.', { seq: at(p, 1) });
    expect(p.tcb.cwnd).toBeLessThanOrEqual(3 * MSS);
    expect(p.host.counters.tcpSpuriousRtos).toBe(0);
  });

  scripted('without new data it is not tried', {}, (p) => {
    start(p, 10, NO_SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 1) });
    take(p, 1, 2);
  });

  scripted('step 1: nor after a second timeout', {}, (p) => {
    start(p, 30, NO_SACK);
    timeOut(p);
    p.expect('.', { seq: at(p, 0) }, 10 * RTT);
    p.send('.', { ack: at(p, 1) });
    take(p, 1, 2);
  });
});

describe('F-RTO with SACK (RFC 5682 §3.1)', () => {
  scripted('3b: octets from before the timeout are SACKed', { tcp: BY_OCTETS }, (p) => {
    start(p, 30, SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 1) });
    take(p, 10, 2);
    sack(p, 1, [2, 3]);
    expect(p.host.counters.tcpSpuriousRtos).toBe(1);
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
  });

  scripted('3a: the new segments are SACKed: the others were lost', { tcp: BY_OCTETS }, (p) => {
    start(p, 30, SACK);
    timeOut(p);
    p.send('.', { ack: at(p, 1) });
    take(p, 10, 2);
    sack(p, 1, [10, 11]);
    p.expect('.', { seq: at(p, 1) });
    expect(p.host.counters.tcpSpuriousRtos).toBe(0);
  });

  // RFC2018-5-a, RFC2018-5-b, RFC2018-5-d, RFC2018-5.1-b
  scripted('what was SACKed before the timeout is not sent again', { tcp: BY_OCTETS }, (p) => {
    start(p, 10, SACK);
    take(p, 0, 10);
    sack(p, 0, [4, 6]);
    p.expect('.', { seq: at(p, 0) }, 4 * RTT);
    p.send('.', { ack: at(p, 1), sack: [[at(p, 4), at(p, 6)]] });
    take(p, 1, 2);
    p.send('.', { ack: at(p, 3), sack: [[at(p, 4), at(p, 6)]] });
    p.expect('.', { seq: at(p, 3) });
    p.expect('.', { seq: at(p, 6) });
  });
});

describe('Eifel detection and response (RFC 3522, RFC 4015)', () => {
  scripted('a fast retransmit of what was only late is undone', {}, (p) => {
    start(p, 10, { ...SACK, ts: 1 });
    take(p, 0, 10);
    const original = p.lastTsVal;
    p.run(RTT);
    sack(p, 0, [1, 4]);
    p.expect('.', { seq: at(p, 0) });
    expect(p.tcb.ssthresh).toBeLessThan(100_000);
    p.run(10);
    p.send('.', { ack: at(p, 4), ts: [2, original] });
    expect(p.host.counters.tcpFullUndo).toBe(1);
    expect(p.tcb.recovery).toBe(0);
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
    expect(p.tcb.cwnd).toBeGreaterThanOrEqual(10 * p.tcb.sndMss);
  });

  scripted('the timestamp of the retransmission itself proves nothing', {}, (p) => {
    start(p, 10, { ...SACK, ts: 1 });
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 4]);
    p.expect('.', { seq: at(p, 0) });
    p.run(RTT);
    p.send('.', { ack: at(p, 4), ts: 2 });
    expect(p.host.counters.tcpFullUndo).toBe(0);
    expect(p.tcb.recovery).toBe(1);
  });

  scripted('nor does that of a retransmission of the recovery before', {}, (p) => {
    start(p, 30, { ...SACK, ts: 1 });
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 10]);
    p.expect('.', { seq: at(p, 0) });
    take(p, 10, 4);
    p.run(RTT / 2);
    sack(p, 0, [11, 12], [1, 10]);
    p.expect('.', { seq: at(p, 0) });
    p.expect('.', { seq: at(p, 10) });
    const earlier = p.lastTsVal;
    p.run(10);
    p.inbox.length = 0;
    // This recovery ends, and the next begins with what it has sent and lost.
    sack(p, 10, [13, 14], [11, 12]);
    take(p, 15, 2);
    p.expect('.', { seq: at(p, 12) }, RTT / 4);
    expect(p.host.counters.tcpSackRecovery).toBe(2);
    const { ssthresh } = p.tcb;
    p.run(10);
    p.send('.', { ack: at(p, 12), ts: [2, earlier], sack: [[at(p, 13), at(p, 14)]] });
    expect(p.host.counters.tcpFullUndo).toBe(0);
    expect(p.tcb.recovery).toBe(1);
    expect(p.tcb.ssthresh).toBe(ssthresh);
  });

  scripted('a spurious timeout: what was marked is not sent again', { tcp: BY_OCTETS }, (p) => {
    start(p, 10, { ...SACK, ts: 1 });
    take(p, 0, 10);
    const original = p.lastTsVal;
    p.expect('.', { seq: at(p, 0) }, 4 * RTT);
    p.send('.', { ack: at(p, 2), ts: [2, original] });
    expect(p.host.counters.tcpFullUndo).toBe(1);
    expect(p.host.counters.tcpSpuriousRtos).toBe(1);
    p.expectNothing(0);
    // §3.1 (11): the next sample makes the timer more conservative, not less.
    expect(p.tcb.rto).toBeGreaterThanOrEqual(300);
    expect(p.host.counters.tcpRetransSegs).toBe(1);
  });

  scripted(
    'RFC 3522 step 5: everything at once may be the loss of all ACKs',
    { tcp: BY_OCTETS },
    (p) => {
      start(p, 10, { ...SACK, ts: 1 });
      take(p, 0, 10);
      const original = p.lastTsVal;
      p.expect('.', { seq: at(p, 0) }, 4 * RTT);
      p.send('.', { ack: at(p, 10), ts: [2, original] });
      expect(p.host.counters.tcpFullUndo).toBe(0);
    },
  );
});

describe('undoing by D-SACK (RFC 2883)', () => {
  scripted('when all that was sent again had arrived', {}, (p) => {
    start(p, 10, SACK);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [2, 5]);
    p.expect('.', { seq: at(p, 0) });
    sack(p, 0, [2, 7]);
    p.expect('.', { seq: at(p, 1) });
    sack(p, 7);
    sack(p, 7, [0, 1]);
    expect(p.host.counters.tcpDsackUndo).toBe(0);
    sack(p, 7, [1, 2]);
    expect(p.host.counters.tcpDsackUndo).toBe(1);
    expect(p.tcb.ssthresh).toBeGreaterThan(100_000);
    expect(p.tcb.cwnd).toBeGreaterThanOrEqual(10 * MSS);
  });

  scripted('not when one of the two was needed', {}, (p) => {
    start(p, 10, SACK);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [2, 5]);
    p.expect('.', { seq: at(p, 0) });
    sack(p, 0, [2, 7]);
    p.expect('.', { seq: at(p, 1) });
    sack(p, 7, [0, 1]);
    sack(p, 10);
    p.run(1_000);
    expect(p.host.counters.tcpDsackUndo).toBe(0);
    expect(p.tcb.ssthresh).toBe(5 * MSS);
  });
});

describe('SACK reneging (RFC 2018 §8)', () => {
  // RFC2018-5-b, RFC2018-5-c, RFC2018-8-c
  scripted('what was SACKed and is not acknowledged goes out again', {}, (p) => {
    start(p, 10, SACK);
    take(p, 0, 10);
    p.run(RTT);
    sack(p, 0, [1, 10]);
    p.expect('.', { seq: at(p, 0) });
    // The peer has dropped what it had: its ACK stops at the first of it.
    p.send('.', { ack: at(p, 1) });
    p.expect('.', { seq: at(p, 1), len: MSS }, RTT);
    expect(p.host.counters.tcpSackReneging).toBe(1);
    expect(p.tcb.sent.sacked).toBe(0);
    for (let n = 2; n < 10; n++) {
      p.send('.', { ack: at(p, n) });
      p.run(RTT);
    }
    p.send('.', { ack: at(p, 10) });
    p.inbox.length = 0;
    p.expectNothing(10_000);
  });
});

describe('SACK blocks that cannot be true', () => {
  const CASES: readonly [string, readonly [number, number]][] = [
    ['beyond SND.NXT', [2_001, 20_001]],
    ['turned around', [3_001, 2_001]],
    ['empty', [2_001, 2_001]],
    ['far below SND.UNA', [-900_000, -899_000]],
    ['over SND.UNA', [-500, 1_001]],
  ];
  for (const [name, block] of CASES) {
    scripted(`${name}: ignored and counted`, {}, (p) => {
      start(p, 10, SACK);
      take(p, 0, 10);
      p.send('.', { ack: 1, sack: [block] });
      expect(p.tcb.sent.sacked).toBe(0);
      expect(p.host.counters.tcpSackDiscards).toBe(1);
      p.send('.', { ack: at(p, 10) });
      p.expectNothing(1_000);
    });
  }

  scripted('of octets that are SACKed already, or overlapping: counted once', {}, (p) => {
    start(p, 10, SACK);
    take(p, 0, 10);
    sack(p, 0, [2, 5], [4, 7], [2, 3]);
    expect(p.tcb.sent.sacked).toBe(5 * MSS);
    sack(p, 0, [2, 7]);
    expect(p.tcb.sent.sacked).toBe(5 * MSS);
    sack(p, 4, [4, 7]);
    expect(p.tcb.sent.sacked).toBe(3 * MSS);
  });
});

describe('what we report (RFC 2018 §4, RFC 2883 §4)', () => {
  function gap(p: Peer): void {
    p.accept({ sackOk: true });
    p.send('.', { data: 'x'.repeat(10) });
    p.run(100);
    p.inbox.length = 0;
  }

  scripted('octets below RCV.NXT, first block', {}, (p) => {
    gap(p);
    p.send('.', { seq: 1, data: 'x'.repeat(10) });
    p.expect('.', { ack: 11, sack: [[1, 11]] });
    p.send('.', { seq: 6, data: 'x'.repeat(10) });
    p.expect('.', { ack: 16, sack: [[6, 11]] });
    expect(p.host.counters.tcpDsackSent).toBe(2);
    p.send('.', { seq: 16, data: 'y' });
    p.run(100);
    expect(p.inbox[0]?.sack).toEqual([]);
  });

  scripted('octets that wait for a gap: then the block they lie in', {}, (p) => {
    gap(p);
    p.send('.', { seq: 21, data: 'x'.repeat(10) });
    p.expect('.', { ack: 11, sack: [[21, 31]] });
    p.send('.', { seq: 31, data: 'x'.repeat(10) });
    p.expect('.', { ack: 11, sack: [[21, 41]] });
    p.send('.', { seq: 51, data: 'x'.repeat(10) });
    p.expect('.', {
      ack: 11,
      sack: [
        [51, 61],
        [21, 41],
      ],
    });
    p.send('.', { seq: 26, data: 'x'.repeat(10) });
    p.expect('.', {
      ack: 11,
      sack: [
        [26, 36],
        [21, 41],
        [51, 61],
      ],
    });
    // Each duplicate is reported once.
    p.send('.', { seq: 71, data: 'z' });
    p.expect('.', {
      ack: 11,
      sack: [
        [71, 72],
        [21, 41],
        [51, 61],
      ],
    });
  });

  scripted('ranges of one batch that do not touch: an ACK for each', {}, (p) => {
    p.accept({ sackOk: true });
    p.send('.', { data: 'x'.repeat(30) });
    p.run(100);
    p.inbox.length = 0;
    p.together(() => {
      p.send('.', { seq: 1, data: 'x'.repeat(5) });
      p.send('.', { seq: 6, data: 'x'.repeat(5) });
      p.send('.', { seq: 21, data: 'x'.repeat(10) });
    });
    p.expect('.', { ack: 31, sack: [[21, 31]] });
    p.expect('.', { ack: 31, sack: [[1, 11]] });
    p.expectNothing(100);
  });

  scripted('not to a peer without SACK', {}, (p) => {
    p.accept();
    p.send('.', { data: 'x' });
    p.expect('.', { ack: 2 });
    p.send('.', { seq: 1, data: 'x' });
    p.expect('.', { ack: 2, sack: [] });
  });
});
