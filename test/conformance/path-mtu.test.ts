import { describe, expect } from 'vitest';
import { EventTrace } from '../../src/stack/event-trace.js';
import { describeEvent, type TraceEvent } from '../../src/stack/trace-event.js';
import { icmpErrorFor } from '../support/icmp.js';
import { type Peer, scripted } from '../support/peer.js';

/** "Fragmentation needed" for a packet of `length` bytes that the next hop takes `mtu` of. */
function tooBig(p: Peer, seq: number, mtu: number, length = 1_500): void {
  icmpErrorFor(p, 3, 4, seq, mtu, length);
}

const mtuOf = (p: Peer): number => p.user.connection.info().pathMtu;

describe('path MTU discovery (RFC 1191)', () => {
  // RFC1191-3-a, RFC1191-3-b, RFC1191-6.4-a, RFC1191-6.4-c, RFC1191-6.4-d, RFC5681-3.1-e
  scripted('"fragmentation needed" lowers the MSS and retransmits at once', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(2_920));
    p.expect('.', { seq: 1, len: 1_460 });
    p.expect('.', { seq: 1_461, len: 1_460 });
    tooBig(p, 1, 1_000);
    p.expect('.', { seq: 1, len: 960 });
    p.expect('.', { seq: 961, len: 960 });
    p.expect('.', { seq: 1_921, len: 960 });
    p.expect('.', { seq: 2_881, len: 40 });
    p.send('.', { ack: 2_921 });
    p.expectNothing(1_000);
    expect(p.user.connection.info().sndMss).toBe(960);
    expect(p.tcb.cwnd).toBeGreaterThanOrEqual(14_600);
  });

  // RFC1191-3-d, RFC1191-3-e
  scripted('a larger MTU, an impossible one and a forged quote change nothing', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write('x');
    p.expect('.');
    tooBig(p, 1, 1_500);
    tooBig(p, 1, 20);
    tooBig(p, 500, 1_000);
    // RFC 5927 §7.1: the next hop would have taken the packet.
    tooBig(p, 1, 1_000, 1_000);
    tooBig(p, 1, 1_000, 41);
    p.expectNothing(100);
    expect(p.user.connection.info().sndMss).toBe(1_460);
  });

  // RFC1191-3-c
  scripted('§7: a router that does not tell its MTU stands for the next plateau', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { len: 1_460 });
    tooBig(p, 1, 0);
    expect(mtuOf(p)).toBe(1_492);
    p.expect('.', { len: 1_452 });
    p.expect('.', { len: 8 });
    tooBig(p, 1, 0, 1_492);
    expect(mtuOf(p)).toBe(1_006);
  });

  // RFC1191-3-d
  scripted('below the least MTU segments may be fragmented', {}, (p) => {
    p.accept({ mss: 1_460, ts: 1 });
    p.user.write(Buffer.alloc(600, 'q'));
    p.expect('.');
    tooBig(p, 1, 68);
    expect(mtuOf(p)).toBe(552);
    p.expect('.', { seq: 1, len: 500 });
    p.expect('.', { seq: 501, len: 100 });
    expect(p.tcb.mayFragment).toBe(true);
  });

  scripted('RFC 5927 §7.2: not at once where larger segments have got through', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { seq: 1, len: 1_460 });
    p.send('.', { ack: 1_461 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { seq: 1_461, len: 1_460 });
    tooBig(p, 1_461, 600);
    p.expectNothing(50);
    expect(mtuOf(p)).toBe(1_500);
    // It has arrived, so that the message was forged.
    p.send('.', { ack: 2_921 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { seq: 2_921, len: 1_460 });
    p.expect('.', { seq: 2_921, len: 1_460 }, 1_000);
    expect(mtuOf(p)).toBe(1_500);
    // Now there is a timer that agrees.
    tooBig(p, 2_921, 1_000);
    p.expect('.', { seq: 2_921, len: 960 }, 2_000);
    expect(mtuOf(p)).toBe(1_000);
  });

  // RFC1191-6.4-b
  scripted('several messages of one flight cause one retransmission', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(2_920));
    p.expect('.', { seq: 1 });
    p.expect('.', { seq: 1_461 });
    tooBig(p, 1, 1_000);
    tooBig(p, 1_461, 1_000);
    for (const seq of [1, 961, 1_921, 2_881]) p.expect('.', { seq });
    p.expectNothing(50);
  });

  // RFC1191-3.1-b
  scripted('a smaller path MTU leaves the MSS that we announce alone', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.');
    tooBig(p, 1, 576);
    p.run(0);
    p.inbox.length = 0;
    p.peerPort = 6_000;
    p.send('S', { seq: 0, mss: 1_460 });
    p.expect('S.', { mss: 1_460 });
  });

  // RFC1191-3-g
  scripted('segments are not to be fragmented', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write('x');
    expect(p.expect('.').dontFragment).toBe(true);
  });

  // RFC1191-3-f, RFC1191-6.3-a
  scripted('§6.3: after ten minutes more is tried, and a new connection knows', {}, (p) => {
    p.accept({ mss: 1_460, sackOk: true });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { len: 1_460 });
    tooBig(p, 1, 1_000);
    p.expect('.', { len: 960 });
    p.expect('.', { len: 500 });
    p.send('.', { ack: 1_461 });
    p.peerPort++;
    p.seq = 0;
    p.ack = 0;
    p.send('S', { mss: 1_460 });
    expect([...p.host.tcbs()].map((tcb) => tcb.pathMss)).toEqual([960, 960]);
    p.run(600_000);
    p.send('R.', { seq: 1, ack: 1 });
    p.peerPort--;
    p.inbox.length = 0;
    p.user.write(Buffer.alloc(20_000));
    p.expect('.', { len: 1_460 });
    p.expect('.', { len: 960 });
  });
});

/** The peer acknowledges what fits into `mtu`, 20 ms later and by SACK, until nothing comes for a while. */
function takeThrough(p: Peer, mtu: number): number[] {
  const sizes: number[] = [];
  const have = new Set<number>();
  let next = p.tcb.sndUna - p.hostIss;
  const take = (at: number, length: number): void => {
    for (let i = at; i < at + length; i++) have.add(i);
    while (have.has(next)) next++;
    let left = next;
    while (!have.has(left) && left < at) left++;
    let right = left;
    while (have.has(right)) right++;
    p.send('.', { ack: next, ...(right > left ? { sack: [[left, right]] } : {}) });
  };
  for (let quiet = 0; quiet < 20_000; quiet++) {
    p.run(1);
    for (const packet of p.inbox.splice(0)) {
      sizes.push(packet.data.length);
      if (packet.data.length + 40 > mtu) continue;
      const at = packet.rawSeq - p.hostIss;
      p.runtime.schedule(p.runtime.now() + 20, () => take(at, packet.data.length));
    }
    if (p.tcb.flight === 0) break;
  }
  return sizes;
}

describe('packetization layer path MTU discovery (RFC 4821)', () => {
  scripted(
    '§7.7: where full segments vanish, smaller ones are tried, then larger ones',
    { tcp: { sendBuffer: 1 << 20 } },
    (p) => {
      p.accept({ mss: 1_460, sackOk: true, wscale: 7 });
      p.user.write(Buffer.alloc(800_000));
      for (let i = 0; mtuOf(p) > 1_000 && i < 10; i++) p.run(1_000);
      expect(mtuOf(p)).toBe(576);
      p.inbox.length = 0;
      const { tcpTimeouts } = p.host.counters;
      const sizes = takeThrough(p, 1_200);
      expect(p.tcb.sndUna).toBe(p.tcb.sndNxt);
      expect(mtuOf(p)).toBeGreaterThan(1_192);
      expect(mtuOf(p)).toBeLessThanOrEqual(1_200);
      // Each probe that was too large was lost once, and that was no sign of congestion.
      expect(p.host.counters.tcpMtupFail).toBe(sizes.filter((size) => size > 1_160).length);
      expect(p.host.counters.tcpMtupSuccess).toBeGreaterThan(1);
      expect(p.host.counters.tcpSackRecovery).toBe(0);
      expect(p.host.counters.tcpTimeouts).toBeLessThanOrEqual(tcpTimeouts + 1);
    },
  );

  scripted(
    'what the peer takes is the end of the search',
    { mtu: 9_000, tcp: { sendBuffer: 1 << 20 } },
    (p) => {
      p.accept({ mss: 1_460, sackOk: true, wscale: 7 });
      p.user.write(Buffer.alloc(300_000));
      for (let i = 0; mtuOf(p) > 1_100 && i < 10; i++) p.run(1_000);
      p.inbox.length = 0;
      const sizes = takeThrough(p, 9_000);
      expect(mtuOf(p)).toBe(1_500);
      expect(Math.max(...sizes)).toBe(1_460);
      expect(p.host.counters.tcpMtupSuccess).toBe(1);
    },
  );

  scripted('§7.4: a router that refuses a probe tells the size of the next', {}, (p) => {
    p.accept({ mss: 1_460, sackOk: true, wscale: 7 });
    const events: TraceEvent[] = [];
    p.host.addTrace(
      new EventTrace({ onEvent: (event) => events.push(event), wants: (type) => type === 'mtu' }),
    );
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { len: 1_460 });
    tooBig(p, 1, 1_000);
    p.expect('.', { len: 960 });
    p.expect('.', { len: 500 });
    p.send('.', { ack: 1_461 });
    p.run(600_000);
    p.user.write(Buffer.alloc(8_000));
    p.expect('.', { seq: 1_461, len: 1_460 });
    for (let i = 0; i < 4; i++) p.expect('.', { len: 960 });
    tooBig(p, 1_461, 1_200);
    for (let i = 1; i < 5; i++) p.send('.', { ack: 1_461, sack: [[2_921, 2_921 + 960 * i]] });
    p.run(100);
    p.send('.', { ack: 9_461 });
    p.inbox.length = 0;
    p.run(10_000);
    p.user.write(Buffer.alloc(8_000));
    p.expect('.', { seq: 9_461, len: 1_160 });
    p.send('.', { ack: 10_621 });
    expect(events.map((event) => describeEvent(event))).toEqual([
      'path MTU 1500 -> 1000 bytes: a router told the MTU of its next hop: RFC 1191 §6',
      'path MTU 1000 -> 1200 bytes: a probe of that size has arrived: RFC 4821 §7.6.1',
    ]);
    p.inbox.length = 0;
  });

  scripted('nothing is tried where it is off', { tcp: { mtuProbing: false } }, (p) => {
    p.accept({ mss: 1_460, sackOk: true });
    p.user.write(Buffer.alloc(200_000));
    p.run(60_000);
    expect(mtuOf(p)).toBe(1_500);
    p.inbox.length = 0;
  });
});
