import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/stack/host.js';
import { checksum, pseudoHeaderSum } from '../../src/wire/checksum.js';
import { PROTOCOL_TCP } from '../../src/wire/ipv4.js';
import { ADDRESS_A, ADDRESS_B, Conversation, recorded } from '../support/conversation.js';
import { dropsOf } from '../support/drops.js';
import { checkHost } from '../support/invariants.js';
import { writeIcmpPacket, writeIpPacket, writeSegment } from '../support/packet.js';
import { DELAYED_ACK, HOST_PORT, Peer } from '../support/peer.js';
import { runs } from '../support/seed.js';

/** A change of one byte; both numbers are taken modulo what there is. */
interface Mutation {
  at: number;
  value: number;
}

interface Recipe {
  kind: 'tcp' | 'icmp' | 'fragment' | 'noise';
  flags: number;
  seqFrom: number;
  ackFrom: number;
  win: number;
  urg: number;
  port: number;
  peerPort: number;
  options: Uint8Array;
  data: Uint8Array;
  mutations: Mutation[];
  /** Bytes taken off (or, below 0, put on) at the end. */
  cut: number;
  /** Make the checksums right again after the mutations. */
  repair: boolean;
  wait: number;
}

const near = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.integer(),
);

const recipe: fc.Arbitrary<Recipe> = fc.record({
  kind: fc.constantFrom('tcp', 'tcp', 'tcp', 'icmp', 'fragment', 'noise'),
  flags: fc.nat(255),
  seqFrom: near,
  ackFrom: near,
  win: fc.constantFrom(0, 1, 500, 65_535),
  urg: fc.nat(65_535),
  port: fc.constantFrom(HOST_PORT, HOST_PORT, 81, 0),
  peerPort: fc.constantFrom(5_000, 5_000, 5_001, 5_002, 0),
  options: fc.oneof(
    fc.constant(new Uint8Array(0)),
    fc.uint8Array({ minLength: 4, maxLength: 40 }).map((b) => b.subarray(0, b.length & ~3)),
    // Known kinds, with any length.
    fc
      .array(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 253), fc.nat(12)), { maxLength: 5 })
      .map((pairs) => {
        const bytes = new Uint8Array(40);
        let at = 0;
        for (const [kind, length] of pairs) {
          if (at + 2 > 40) break;
          bytes[at] = kind;
          if (kind > 1) bytes[at + 1] = length;
          at += kind > 1 ? Math.max(2, length) : 1;
        }
        return bytes;
      }),
  ),
  data: fc.uint8Array({ maxLength: 60 }),
  mutations: fc.array(fc.record({ at: fc.nat(100), value: fc.nat(255) }), { maxLength: 3 }),
  cut: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -20, max: 60 })),
  repair: fc.boolean(),
  wait: fc.constantFrom(0, 0, 0, 1, 300, 61_000),
});

const FLAG_LETTERS = 'FSRP.UEW';

function lettersOf(flags: number): string {
  return [...FLAG_LETTERS].filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
}

function build(p: Peer, r: Recipe): Uint8Array {
  switch (r.kind) {
    case 'noise':
      return new Uint8Array([...r.options, ...r.data]);
    case 'fragment':
      return writeIpPacket(
        [PROTOCOL_TCP, 1, 17][r.flags % 3]!,
        ADDRESS_A,
        ADDRESS_B,
        r.data,
        r.flags >> 6,
        (r.seqFrom & 0x1f) | (r.repair ? 0x2000 : 0),
      );
    case 'icmp': {
      const quoted = segment(p, { ...r, kind: 'tcp' }, true);
      const message = new Uint8Array([r.flags % 14, r.win % 16, 0, 0, 0, 0, r.urg >> 8, r.urg]);
      const body = new Uint8Array([...message, ...quoted.subarray(0, 20 + (r.seqFrom & 31))]);
      const view = new DataView(body.buffer);
      view.setUint16(2, checksum(body, view, 0, body.length));
      return writeIcmpPacket(ADDRESS_A, ADDRESS_B, body);
    }
    case 'tcp':
      return segment(p, r, false);
  }
}

function segment(p: Peer, r: Recipe, fromHost: boolean): Uint8Array {
  return writeSegment({
    srcAddr: fromHost ? ADDRESS_B : ADDRESS_A,
    dstAddr: fromHost ? ADDRESS_A : ADDRESS_B,
    srcPort: fromHost ? r.port : r.peerPort,
    dstPort: fromHost ? r.peerPort : r.port,
    flags: lettersOf(r.flags),
    seq: ((fromHost ? p.hostIss : p.iss) + 1 + r.seqFrom) | 0,
    ack: (p.hostIss + 1 + r.ackFrom) | 0,
    win: r.win,
    urg: r.urg,
    data: r.data,
    rawOptions: [...r.options],
  });
}

function mutate(bytes: Uint8Array, r: Recipe): Uint8Array {
  for (const { at, value } of r.mutations) if (bytes.length > 0) bytes[at % bytes.length] = value;
  if (r.repair && r.kind !== 'noise') repair(bytes);
  if (r.cut > 0) return bytes.slice(0, Math.max(0, bytes.length - r.cut));
  return r.cut < 0 ? new Uint8Array([...bytes, ...new Uint8Array(-r.cut)]) : bytes;
}

/** Makes the checksums of IPv4 and TCP right, as far as there is a place for them. */
function repair(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (bytes[0]! & 15) << 2;
  if (header < 20 || bytes.length < header + 20) return;
  view.setUint16(10, 0);
  view.setUint16(10, checksum(bytes, view, 0, header));
  const length = view.getUint16(2) - header;
  if (bytes[9] !== PROTOCOL_TCP || length < 20 || header + length > bytes.length) return;
  view.setUint16(header + 16, 0);
  const pseudo = pseudoHeaderSum(view.getInt32(12), view.getInt32(16), PROTOCOL_TCP, length);
  view.setUint16(header + 16, checksum(bytes, view, header, length, pseudo));
}

/** Every packet that arrived went somewhere, and what was dropped has a reason. */
function expectAccounts(host: Host, packets: number): void {
  const { counters } = host;
  const drops = dropsOf(host);
  const sum = (pattern: RegExp): number =>
    Object.entries(drops).reduce((all, [name, n]) => all + (pattern.test(name) ? n : 0), 0);
  expect(counters.ipInReceives).toBe(packets);
  // A datagram put together is delivered, or dropped, once for all of its fragments.
  expect(counters.ipInReceives).toBe(
    counters.ipInDelivers + sum(/^ip/) - counters.ipReasmOKs + counters.ipReasmReqds,
  );
  expect(counters.ipInDelivers).toBe(counters.tcpInSegs + counters.icmpInMsgs);
  expect(counters.tcpInErrs).toBe(sum(/^tcp(Short|DataOffset|OptionLength)$/));
  expect(counters.tcpInCsumErrors).toBe(sum(/^tcpChecksum$/));
  expect(sum(/^tcp/)).toBeLessThanOrEqual(counters.tcpInSegs);
  expect(sum(/^icmp/) + counters.icmpInEchos).toBeLessThanOrEqual(counters.icmpInMsgs);
  expect(sum(/^fragment/)).toBeLessThanOrEqual(counters.ipReasmReqds);
}

const BACKLOG = 4;

function attack(prepare: (p: Peer) => void, recipes: readonly Recipe[]): void {
  recorded(new Peer({ tcp: { maxTimeWait: 3, retransmitR2: 4, synTimeout: 5_000 } }), (p) => {
    prepare(p);
    const before = p.host.counters.ipInReceives;
    for (const r of recipes) {
      p.sendRaw(mutate(build(p, r), r));
      p.run(r.wait);
      p.inbox.length = 0;
      checkHost(p.host);
    }
    expectAccounts(p.host, before + recipes.length);
    expect(p.host.timeWaitCount).toBeLessThanOrEqual(3);
    // Embryonic connections do not last, and accepted ones close.
    for (const user of p.users) user.connection.close();
    if (p.user.connection !== undefined) p.user.connection.close();
    p.run(400_000);
    expect(p.host.connectionCount).toBe(0);
    p.run(60_000);
    expect(p.runtime.step(), 'a timer is left').toBe(false);
  });
}

const recipes = fc.array(recipe, { minLength: 1, maxLength: 30 });

describe('bad packets never throw, never grow memory and are counted', () => {
  const scenes: readonly (readonly [string, (p: Peer) => void])[] = [
    ['a listener', (p) => p.listen(BACKLOG)],
    ['no listener', () => {}],
    [
      'SYN_SENT',
      (p) => {
        p.hostPort = HOST_PORT;
        p.connect();
        p.expect('S');
        p.inbox.length = 0;
      },
    ],
    [
      'an established connection with data on its way',
      (p) => {
        p.accept({ mss: 100 });
        p.user.write(Buffer.alloc(500));
      },
    ],
    [
      'one with timestamps and SACK that nobody reads',
      (p) => {
        p.user.reads = false;
        p.accept({ mss: 100, ts: 1, sackOk: true, wscale: 7 });
        p.user.write(Buffer.alloc(500));
      },
    ],
    [
      'FIN_WAIT_1',
      (p) => {
        p.accept();
        p.user.end();
        p.expect('F.');
      },
    ],
    [
      'CLOSE_WAIT',
      (p) => {
        p.accept();
        p.send('F.');
        p.expect('.', {}, DELAYED_ACK);
      },
    ],
    [
      'TIME_WAIT',
      (p) => {
        p.accept();
        p.user.end();
        p.expect('F.');
        p.send('F.');
        p.expect('.');
      },
    ],
  ];
  for (const [name, prepare] of scenes) {
    test(`${name}`, { timeout: 60_000 }, () => {
      fc.assert(
        fc.property(recipes, (r) => attack(prepare, r)),
        runs(150),
      );
    });
  }

  test('any IPv4 datagram cut at any place', () => {
    const whole = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: 'S',
      seq: 1,
      mss: 1_460,
      ts: [1, 0],
      sackOk: true,
      wscale: 7,
    });
    const p = new Peer();
    for (let length = 0; length < whole.length; length++) {
      const bytes = whole.slice(0, length);
      p.sendRaw(bytes);
      // The same, with a total length that tells the truth.
      if (length < 20) continue;
      new DataView(bytes.buffer).setUint16(2, length);
      repair(bytes);
      const view = new DataView(bytes.buffer);
      view.setUint16(10, 0);
      view.setUint16(10, checksum(bytes, view, 0, 20));
      p.sendRaw(bytes);
    }
    expectAccounts(p.host, whole.length * 2 - 20);
    expect(p.host.counters.drops[0]).toBe(0);
    expect(p.host.connectionCount).toBe(0);
  });
});

describe('a network that changes packets and mends their checksums', () => {
  test('throws nothing and leaves nothing', { timeout: 60_000 }, () => {
    const change = fc.record({ nth: fc.integer({ min: 1, max: 60 }), mutation: recipe });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let count = 0;
        const c = new Conversation({
          forged: true,
          tcp: { retransmitR2: 5, synTimeout: 10_000, rtoMax: 5_000 },
          onPacket: (packet) => {
            count++;
            for (const { nth, mutation } of changes) {
              if (nth !== count) continue;
              for (const { at, value } of mutation.mutations) packet[at % packet.length] = value;
              repair(packet);
            }
            return 0;
          },
        });
        recorded(c, () => {
          c.listen();
          c.connect();
          c.userA.write(Buffer.alloc(30_000));
          c.userA.end();
          c.run(100_000);
          c.userA.connection.close();
          if (c.accepted > 0) c.userB.connection.close();
          c.run(1_000_000);
          expect(c.a.timeWaitCount + c.b.timeWaitCount).toBe(0);
          expect(c.a.connectionCount).toBe(0);
        });
      }),
      runs(150),
    );
  });
});
