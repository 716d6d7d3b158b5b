import { describe, expect } from 'vitest';
import { diff, type Seq, seq } from '../../../src/base/seq.js';
import { ADDRESS_A, ADDRESS_B } from '../../support/conversation.js';
import { icmp, icmpErrorFor } from '../../support/icmp.js';
import { type Packet, writeIcmpPacket, writeIpPacket, writeSegment } from '../../support/packet.js';
import { type Peer, scripted } from '../../support/peer.js';
import { User } from '../../support/user.js';

const UDP = 17;
const COUNT = 4_096;
/** Chi-square with 255 degrees of freedom stays below this but once in 10,000 times. */
const CHI_SQUARE_255 = 347;

/** The SYN,ACKs that SYNs from so many sockets get, all at one time. */
function synAcks(p: Peer, count: number): Packet[] {
  p.listen(count);
  p.together(() => {
    for (let i = 0; i < count; i++) {
      p.sendRaw(
        writeSegment({
          srcAddr: ADDRESS_A,
          dstAddr: ADDRESS_B,
          srcPort: 1_024 + i,
          dstPort: 80,
          flags: 'S',
          seq: 1,
          ts: [1, 0],
        }),
      );
    }
  });
  return p.inbox.splice(0);
}

/** How far the counts of 256 values are from even: Pearson's test. */
function chiSquare(values: readonly number[]): number {
  const counts = new Array<number>(256).fill(0);
  for (const value of values) counts[value & 255]!++;
  const expected = values.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** Each octet of the numbers, and of the differences of neighbours, must look even. */
function looksRandom(numbers: readonly Seq[]): void {
  const steps = numbers.slice(1).map((number, i) => diff(number, numbers[i]!));
  for (const series of [numbers, steps] as readonly (readonly number[])[]) {
    for (const shift of [0, 8, 16, 24]) {
      expect(chiSquare(series.map((number) => number >>> shift))).toBeLessThan(CHI_SQUARE_255);
    }
  }
  expect(new Set(numbers).size).toBeGreaterThan(numbers.length - 8);
}

describe('initial sequence numbers (RFC 6528)', () => {
  // MUST-8, MUST-9, SHLD-1
  scripted('of neighbouring ports have nothing in common', {}, (p) => {
    looksRandom(synAcks(p, COUNT).map((packet) => packet.rawSeq));
  });

  // RFC7323-7-a
  scripted('nor have the timestamps, which do not tell the clock (RFC 7323 §7.1)', {}, (p) => {
    const packets = synAcks(p, COUNT);
    looksRandom(packets.map((packet) => seq(packet.ts![0])));
    // Nor does one tell the other.
    looksRandom(packets.map((packet) => seq(packet.rawSeq ^ packet.ts![0])));
  });

  scripted('one bit of the port changes half of the bits', {}, (p) => {
    const packets = synAcks(p, 1_024);
    const flips = new Array<number>(32).fill(0);
    for (let i = 0; i < packets.length; i += 2) {
      const change = packets[i]!.rawSeq ^ packets[i + 1]!.rawSeq;
      for (let bit = 0; bit < 32; bit++) flips[bit]! += (change >>> bit) & 1;
    }
    // Of 512 fair coins: five standard deviations are 57.
    for (const count of flips) expect(Math.abs(count - 256)).toBeLessThan(57);
  });

  // RFC 6528 §3: of one pair of sockets they grow, so that TIME_WAIT stays safe.
  scripted('of one pair of sockets follow the clock', {}, (p) => {
    p.listen();
    const seen: Packet[] = [];
    for (let i = 0; i < 3; i++) {
      p.send('S', { seq: 0 });
      seen.push(p.expect('S.'));
      p.send('R', { seq: 1 });
      p.run(1_000);
    }
    for (let i = 1; i < 3; i++) expect(diff(seen[i]!.rawSeq, seen[i - 1]!.rawSeq)).toBe(250_000);
  });
});

describe('ephemeral ports (RFC 6056 §3.3.4)', () => {
  scripted('to one peer do not tell those to another', {}, (p) => {
    for (let i = 0; i < COUNT; i++) {
      p.host.connect({ remoteAddress: '10.0.0.1', remotePort: 1 + i }, new User());
    }
    p.run(0);
    const ports = p.inbox.splice(0).map((packet) => packet.srcPort);
    expect(ports.length).toBe(COUNT);
    expect(chiSquare(ports)).toBeLessThan(CHI_SQUARE_255);
    const steps = ports.slice(1).map((port, i) => port - ports[i]!);
    expect(steps.filter((step) => Math.abs(step) < 4).length).toBeLessThan(COUNT / 256);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(32_768);
    expect(Math.max(...ports)).toBeLessThan(61_000);
  });
});

describe('identification of packets (RFC 6864)', () => {
  // RFC1191-3-g
  scripted('a packet that is never cut has none that counts', {}, (p) => {
    p.accept();
    p.user.write(Buffer.alloc(5_000));
    p.run(0);
    p.send('R', { seq: 9 });
    p.peerPort = 1;
    p.send('.', { ack: 7 });
    expect(p.inbox.length).toBeGreaterThan(3);
    for (const packet of p.inbox) {
      expect(packet.dontFragment).toBe(true);
      expect(packet.id).toBe(0);
    }
  });

  /** The identification of the reply to a ping, by which an idle scan would count. */
  function pinged(p: Peer): number {
    p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(8, 0, 1, Buffer.alloc(8))));
    return p.others.at(-1)!.readUInt16BE(4);
  }

  scripted('of a packet that may be cut does not tell how many went before', {}, (p) => {
    const ids: number[] = [];
    for (let i = 0; i < COUNT; i++) ids.push(pinged(p));
    expect(new Set(ids).size).toBe(COUNT);
    expect(chiSquare(ids)).toBeLessThan(CHI_SQUARE_255);
    const steps = ids.slice(1).map((id, i) => (id - ids[i]!) & 0xffff);
    expect(chiSquare(steps)).toBeLessThan(CHI_SQUARE_255);
    expect(steps.filter((step) => step < 16).length).toBeLessThan(COUNT / 256);
  });

  scripted('of segments that a small path MTU lets routers cut are as good', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(4_000));
    p.expect('.');
    icmpErrorFor(p, 3, 4, 1, 300, 1_500);
    p.run(0);
    const cut = p.inbox.filter((packet) => !packet.dontFragment).map((packet) => packet.id);
    expect(cut.length).toBeGreaterThan(3);
    expect(new Set(cut).size).toBe(cut.length);
    for (let i = 1; i < cut.length; i++) expect(Math.abs(cut[i]! - cut[i - 1]!)).toBeGreaterThan(1);
  });
});

describe('the limit of ICMP errors is no side channel (CVE-2020-25705)', () => {
  scripted('it changes from second to second', {}, (p) => {
    const limits = new Set<number>();
    for (let second = 0; second < 20; second++) {
      const before = p.others.length;
      for (let i = 0; i < 120; i++) {
        p.sendRaw(writeIpPacket(UDP, ADDRESS_A, ADDRESS_B, Buffer.alloc(8, i)));
      }
      limits.add(p.others.length - before);
      p.run(1_000);
    }
    expect(limits.size).toBeGreaterThan(8);
    expect(Math.max(...limits)).toBeLessThanOrEqual(100);
    expect(Math.min(...limits)).toBeGreaterThan(36);
  });
});
