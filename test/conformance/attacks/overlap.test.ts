import { describe, expect } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { ADDRESS_A, ADDRESS_B } from '../../support/conversation.js';
import { dropsOf } from '../../support/drops.js';
import { writeIpPacket, writeSegment } from '../../support/packet.js';
import { type Peer, scripted } from '../../support/peer.js';
import { SEED } from '../../support/seed.js';

const TCP = 6;
const MORE = 0x2000;

describe('segments that overlap with other content: what came first stays', () => {
  for (const [what, first, second, expected] of [
    ['over all of it', [5, 'BBBB'], [1, 'aaaabbbbcccc'], 'aaaaBBBBcccc'],
    ['over its front', [5, 'BBBB'], [1, 'aaaabb'], 'aaaaBBBB'],
    ['over two', [3, 'B', 6, 'C'], [1, 'xxxxxxxx'], 'xxBxxCxx'],
    ['exactly', [5, 'BBBB', 5, 'bbbb'], [1, 'aaaa'], 'aaaaBBBB'],
    ['before and behind', [5, 'BB', 3, 'xxxxxx'], [1, 'aa'], 'aaxxBBxx'],
    ['after the user has it', [1, 'AAAA'], [1, 'aaaabbbb'], 'AAAAbbbb'],
  ] as const) {
    scripted(what, {}, (p) => {
      p.accept();
      for (let i = 0; i < first.length; i += 2) {
        p.send('.', { seq: first[i] as number, data: first[i + 1] as string });
      }
      p.send('.', { seq: second[0], data: second[1] });
      expect(p.user.received.toString()).toBe(expected);
    });
  }

  // RFC 2883 §4: and the sender is told what came twice.
  scripted('what was written over is reported as received twice', {}, (p) => {
    p.accept({ sackOk: true });
    p.send('.', { seq: 5, data: 'BBBB' });
    p.expect('.', { ack: 1, sack: [[5, 9]] });
    p.send('.', { seq: 1, data: 'aaaabbbbcccc' });
    p.expect('.', { ack: 13, sack: [[5, 9]] });
  });

  scripted('any segments in any order', {}, (p) => {
    const random = new Random(SEED);
    const LENGTH = 3_000;
    p.accept();
    const expected = Buffer.alloc(LENGTH);
    const have = new Uint8Array(LENGTH);
    for (let fill = 1; fill < 256; fill++) {
      const from = random.int(LENGTH);
      const to = Math.min(LENGTH, from + 1 + random.int(fill < 200 ? 200 : 1_400));
      p.send('.', { seq: 1 + from, data: Buffer.alloc(to - from, fill) });
      for (let at = from; at < to; at++) if (have[at]!++ === 0) expected[at] = fill;
    }
    p.send('.', { seq: 1, data: Buffer.alloc(1_500) });
    p.send('.', { seq: 1_501, data: Buffer.alloc(1_500) });
    expect(p.user.received.equals(expected)).toBe(true);
  });
});

/** A segment with text, without its IPv4 header. */
function whole(p: Peer, text: string): Uint8Array {
  return writeSegment({
    srcAddr: ADDRESS_A,
    dstAddr: ADDRESS_B,
    srcPort: p.peerPort,
    dstPort: p.hostPort,
    flags: '.',
    seq: p.iss + p.seq,
    ack: p.hostIss + p.ack,
    data: Buffer.from(text),
  }).subarray(20);
}

/** Sends octets `from` to `to` of a datagram as a fragment; `to` beyond the end is the last. */
function fragment(p: Peer, id: number, bytes: Uint8Array, from: number, to: number): void {
  const flags = (from >> 3) | (to < bytes.length ? MORE : 0);
  p.sendRaw(writeIpPacket(TCP, ADDRESS_A, ADDRESS_B, bytes.subarray(from, to), id, flags));
}

describe('fragments of an attacker (RFC 1858, RFC 3128, RFC 5722)', () => {
  scripted('that overlap lose the whole datagram, in any order', {}, (p) => {
    p.accept();
    const good = whole(p, 'good text that is long enough to be cut');
    const evil = whole(p, 'evil text that is long enough to be cut');
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ];
    for (const [id, order] of orders.entries()) {
      for (const which of order) {
        if (which === 0) fragment(p, id, good, 0, 32);
        if (which === 1) fragment(p, id, evil, 24, 48);
        if (which === 2) fragment(p, id, good, 32, good.length);
      }
    }
    expect(p.user.received.length).toBe(0);
    // All three of each, those included that came before and after the overlap.
    expect(dropsOf(p.host).fragmentOverlap).toBe(3 * orders.length);
    expect(p.host.counters.ipReasmFails).toBe(orders.length);
  });

  scripted('that repeat another exactly do no harm', {}, (p) => {
    p.accept();
    const good = whole(p, 'good text that is long enough');
    for (let i = 0; i < 3; i++) fragment(p, 1, good, 0, 24);
    fragment(p, 1, good, 24, good.length);
    expect(p.user.received.toString()).toBe('good text that is long enough');
  });

  // RFC 3128: the flags in a second fragment, written over by a third.
  scripted('a header in tiny fragments is judged when it is whole', {}, (p) => {
    p.listen();
    const syn = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: p.peerPort,
      dstPort: p.hostPort,
      flags: 'S',
      seq: p.iss,
    }).subarray(20);
    const other = Uint8Array.from(syn);
    other[13] = 0x10;
    fragment(p, 1, other, 8, 16);
    fragment(p, 1, syn, 8, 16);
    fragment(p, 1, syn, 0, 8);
    fragment(p, 1, syn, 16, 20);
    p.expectNothing(0);
    expect(dropsOf(p.host).fragmentOverlap).toBe(4);
    for (const [from, to] of [
      [16, 20],
      [8, 16],
      [0, 8],
    ] as const) {
      fragment(p, 2, syn, from, to);
    }
    p.expect('S.');
  });

  scripted('that make more than 65,535 octets are dropped', {}, (p) => {
    const big = Buffer.alloc(1_000);
    p.sendRaw(writeIpPacket(TCP, ADDRESS_A, ADDRESS_B, big, 1, 65_000 >> 3));
    p.sendRaw(writeIpPacket(TCP, ADDRESS_A, ADDRESS_B, big, 2, (65_528 >> 3) | MORE));
    expect(dropsOf(p.host).fragmentTooLong).toBe(2);
  });

  scripted('that are many do not keep a later datagram out', {}, (p) => {
    p.accept();
    const random = new Random(SEED);
    for (let i = 0; i < 5_000; i++) {
      const flags = (random.int(100) * 125) | MORE;
      const octets = Buffer.alloc(1_000);
      p.sendRaw(writeIpPacket(TCP, ADDRESS_A, ADDRESS_B, octets, 100 + random.int(60_000), flags));
    }
    const good = whole(p, 'good text that is long enough');
    fragment(p, 1, good, 0, 24);
    fragment(p, 1, good, 24, good.length);
    expect(p.user.received.toString()).toBe('good text that is long enough');
    p.run(31_000);
    const { ipReasmReqds, ipReasmOKs } = p.host.counters;
    expect(ipReasmOKs).toBe(1);
    expect(ipReasmReqds).toBe(5_002);
  });
});
