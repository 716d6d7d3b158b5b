import { describe, expect } from 'vitest';
import { type Peer, scripted } from '../../support/peer.js';

const MSS = 1_000;

/** An accepted connection, and so many segments of it outstanding. */
function outstanding(p: Peer, segments: number, syn = {}): void {
  p.accept({ mss: MSS, ...syn });
  p.user.write(Buffer.alloc(segments * MSS, 'x'));
  p.run(0);
  if (p.inbox.splice(0).length !== segments) throw new Error('not all is outstanding');
}

/** Octets of text that the host has sent since the last call. */
function octets(p: Peer): number {
  p.run(0);
  return p.inbox.splice(0).reduce((sum, packet) => sum + packet.data.length, 0);
}

describe('SACK of a peer that lies (RFC 2018)', () => {
  for (const [what, blocks] of [
    ['data never sent', [[20_001, 30_001]]],
    ['some sent and some not', [[5_001, 30_001]]],
    ['what is acknowledged, and far before', [[-90_000, -80_000]]],
    ['nothing', [[5_001, 5_001]]],
    ['from right to left', [[8_001, 5_001]]],
    ['half of the number space', [[2_001, 0x7fff_ffff]]],
  ] as const) {
    scripted(`a block of ${what} is ignored and counted`, {}, (p) => {
      outstanding(p, 10, { sackOk: true });
      const { cwnd } = p.tcb;
      for (let i = 0; i < 50; i++) p.send('.', { ack: 1, sack: blocks });
      expect(octets(p)).toBe(0);
      expect(p.tcb.cwnd).toBe(cwnd);
      expect(p.tcb.sent.sacked).toBe(0);
      expect(p.host.counters.tcpSackDiscards).toBe(50);
    });
  }

  scripted('what it has SACKed and then forgets is still there to be sent again', {}, (p) => {
    outstanding(p, 10, { sackOk: true });
    p.send('.', { ack: 1, sack: [[1_001, 10_001]] });
    p.run(0);
    p.inbox.length = 0;
    // RFC 2018 §8: it takes the first, and has lost all the rest.
    const have = new Set<number>();
    let next = 1;
    for (let i = 0; i < 100 && next <= 10_000; i++) {
      p.run(1_000);
      for (const packet of p.inbox.splice(0)) have.add(packet.rawSeq - p.hostIss);
      while (have.has(next)) next += MSS;
      p.send('.', { ack: next });
    }
    expect(next).toBe(10_001);
    expect(p.tcb.flight).toBe(0);
  });

  scripted('thousands of blocks that cut everything up cost a bounded number of rows', {}, (p) => {
    outstanding(p, 10, { sackOk: true });
    for (let at = 1; at < 10_000; at += 2) p.send('.', { ack: 1, sack: [[at, at + 1]] });
    // Only whole segments are believed (CVE-2019-11479).
    expect(p.tcb.sent.length).toBeLessThanOrEqual(10);
    p.inbox.length = 0;
  });

  scripted('D-SACKs of what was never sent again open no window and hide no loss', {}, (p) => {
    outstanding(p, 10, { sackOk: true });
    const { cwnd, ssthresh } = p.tcb;
    const { reoWndMult } = p.tcb.rack;
    for (let i = 0; i < 1_000; i++) p.send('.', { ack: 1, sack: [[-999, 1]] });
    expect([p.tcb.cwnd, p.tcb.ssthresh, p.tcb.rack.reoWndMult]).toEqual([
      cwnd,
      ssthresh,
      reoWndMult,
    ]);
    expect(octets(p)).toBe(0);
    expect(p.host.counters.tcpFullUndo + p.host.counters.tcpDsackUndo).toBe(0);
  });
});

describe('ACKs that make the sender go faster (Savage et al., 1999)', () => {
  for (const congestionControl of ['newreno', 'cubic']) {
    // RFC5681-3.1-d
    scripted(
      `division: cwnd counts octets, ${congestionControl}`,
      { tcp: { congestionControl } },
      (p) => {
        outstanding(p, 10);
        const { cwnd } = p.tcb;
        for (let ack = 2; ack <= 1_001; ack++) p.send('.', { ack });
        expect(p.tcb.cwnd - cwnd).toBeLessThanOrEqual(MSS);
      },
    );
  }

  // RFC5681-3.2-h
  scripted('spoofed duplicates let out no more than a flight, without SACK', {}, (p) => {
    outstanding(p, 10);
    p.user.write(Buffer.alloc(200 * MSS));
    for (let i = 0; i < 1_000; i++) p.send('.', { ack: 1 });
    // Two by limited transmit, the rest in fast recovery.
    expect(octets(p)).toBeLessThanOrEqual(15 * MSS);
    p.send('.', { ack: 12_001 });
    expect(p.tcb.cwnd).toBeLessThanOrEqual(10 * MSS);
    p.inbox.length = 0;
  });

  scripted(
    'with SACK a duplicate that SACKs nothing lets out nothing but a probe or two',
    {},
    (p) => {
      outstanding(p, 10, { sackOk: true });
      p.user.write(Buffer.alloc(200 * MSS));
      for (let i = 0; i < 1_000; i++) p.send('.', { ack: 1 });
      expect(octets(p)).toBeLessThanOrEqual(3 * MSS);
    },
  );

  // MAY-12
  scripted('of what was not sent yet nothing is taken', {}, (p) => {
    outstanding(p, 10);
    p.user.write(Buffer.alloc(200 * MSS));
    for (const ack of [10_002, 20_001, 200_001]) {
      p.send('.', { ack });
      p.expect('.', { ack: 1, len: 0 });
    }
    expect(p.tcb.sndUna - p.hostIss).toBe(1);
  });

  scripted('optimistic: what is sent is at most what the send buffer holds', {}, (p) => {
    p.accept({ mss: MSS, wscale: 14 });
    p.user.write(Buffer.alloc(20 * 1024 * 1024));
    // Acknowledges at once whatever is sent: the fastest that a peer can be.
    for (let round = 0; round < 40; round++) {
      p.run(1);
      const last = p.inbox.splice(0).at(-1);
      if (last === undefined) break;
      p.send('.', { ack: last.rawSeq + last.data.length - p.hostIss });
      expect(p.tcb.flight).toBeLessThanOrEqual(p.host.config.sendBufferMax);
    }
    p.inbox.length = 0;
  });
});

describe('ACKs that make the sender go slower', () => {
  const tcp = { ecn: 'on' } as const;

  scripted('forged ECE: once per flight, and never to a standstill', { tcp }, (p) => {
    p.connect();
    p.expect('SEW');
    p.send('SE.', { ack: 1, mss: MSS });
    p.expect('.');
    p.user.write(Buffer.alloc(100 * MSS));
    let rounds = 0;
    for (; rounds < 500 && p.tcb.sndUna - p.hostIss <= 100 * MSS; rounds++) {
      p.run(20);
      const last = p.inbox.splice(0).at(-1);
      if (last !== undefined) p.ack = last.rawSeq + last.data.length - p.hostIss;
      p.send('E.');
      expect(p.tcb.cwnd).toBeGreaterThanOrEqual(MSS);
    }
    expect(p.tcb.flight).toBe(0);
    expect(p.host.counters.tcpEcnReductions).toBeLessThanOrEqual(rounds);
  });

  for (const [what, tsEcr] of [
    ['zero', 0],
    ['half of the number space ago', -0x7fff_ffff],
    ['from the future', 1_000_000],
  ] as const) {
    scripted(`an echoed timestamp that is ${what} keeps the RTO within its bounds`, {}, (p) => {
      p.accept({ mss: MSS, ts: 1 });
      for (let i = 0; i < 5; i++) {
        p.user.write(Buffer.alloc(100));
        p.run(10);
        p.inbox.length = 0;
        p.ack += 100;
        const echo = tsEcr === 0 ? 0 : p.lastTsVal + tsEcr;
        p.send('.', { ts: [2 + i, echo] });
      }
      expect(p.tcb.rto).toBeGreaterThanOrEqual(p.host.config.rtoMin);
      expect(p.tcb.rto).toBeLessThanOrEqual(p.host.config.rtoMax);
      expect(p.tcb.srtt).toBeLessThan(1_000);
    });
  }
});
