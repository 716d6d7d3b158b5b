import { describe, expect } from 'vitest';
import { checksum } from '../../src/wire/checksum.js';
import { ADDRESS_A, ADDRESS_B } from '../support/conversation.js';
import { dropsOf } from '../support/drops.js';
import { icmpErrorFor as error, icmp } from '../support/icmp.js';
import { writeIcmpPacket, writeIpPacket, writeSegment } from '../support/packet.js';
import { scripted } from '../support/peer.js';

const UNREACHABLE = 3;

describe('ICMP errors (RFC 9293 §3.9.2.2, RFC 5927)', () => {
  for (const [what, code, expected] of [
    ['port', 3, 'ECONNREFUSED'],
    ['protocol', 2, 'ECONNREFUSED'],
  ] as const) {
    // MUST-54, SHLD-26, RFC792-3-a
    scripted(`${what} unreachable in SYN_SENT is ${expected}`, {}, (p) => {
      p.connect();
      p.expect('S');
      error(p, UNREACHABLE, code, 0);
      expect(p.user.events).toEqual([`closed ${expected}`]);
    });
  }

  for (const code of [0, 1, 5]) {
    // SHLD-25, MUST-47
    scripted(`MUST-56: code ${code} is soft: the SYN goes on, and the end names it`, {}, (p) => {
      p.connect();
      p.expect('S');
      error(p, UNREACHABLE, code, 0);
      p.expect('S', {}, 1_000);
      expect(p.user.events).toEqual([]);
      p.run(300_000);
      expect(p.user.events).toEqual([code === 0 ? 'closed ENETUNREACH' : 'closed EHOSTUNREACH']);
    });
  }

  for (const [type, code] of [
    [UNREACHABLE, 0],
    [UNREACHABLE, 1],
    [UNREACHABLE, 2],
    [UNREACHABLE, 3],
    [11, 0],
    [12, 0],
  ] as const) {
    // MUST-56, SHLD-26
    scripted(`type ${type} code ${code} does not end an established connection`, {}, (p) => {
      p.accept();
      p.user.write('x');
      p.expect('.');
      error(p, type, code, 1);
      p.expectState('ESTABLISHED');
      p.send('.', { ack: 2 });
      p.expectNothing(10_000);
    });
  }

  // RFC792-3-c
  scripted('RFC 5927 §4: a quoted number that is not outstanding is ignored', {}, (p) => {
    p.connect();
    p.expect('S');
    error(p, UNREACHABLE, 3, 1);
    error(p, UNREACHABLE, 3, -1);
    error(p, UNREACHABLE, 3, 1_000_000);
    p.expectState('SYN_SENT');
    expect(dropsOf(p.host).icmpUnquoted).toBe(3);
  });

  scripted('MUST-55: source quench is ignored', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.');
    error(p, 4, 0, 1);
    expect(dropsOf(p.host).icmpType).toBe(1);
  });

  // RFC792-3-b
  scripted('an error that quotes too little is ignored', {}, (p) => {
    for (const length of [0, 8, 20, 27]) {
      p.sendRaw(
        writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(UNREACHABLE, 3, 0, new Uint8Array(length))),
      );
    }
    expect(dropsOf(p.host).icmpUnquoted).toBe(4);
  });
});

const ECHO_REPLY = 0;
const ECHO = 8;

describe('ICMP echo (RFC 1122 §3.2.2.6)', () => {
  scripted('ping is answered with the same data', {}, (p) => {
    const body = Buffer.from('abcdefg');
    p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(ECHO, 0, 0x1234_0001, body)));
    const reply = p.others[0]!;
    expect(reply.subarray(20)).toEqual(Buffer.from(icmp(ECHO_REPLY, 0, 0x1234_0001, body)));
    expect(reply.readInt32BE(12)).toBe(ADDRESS_B);
    expect(reply.readInt32BE(16)).toBe(ADDRESS_A);
    expect(p.host.counters.icmpOutEchoReps).toBe(1);
  });

  scripted('an echo of 3000 bytes comes and goes in fragments', {}, (p) => {
    const body = Buffer.alloc(3_000, '0123456789abcdef');
    const message = icmp(ECHO, 0, 0x1234_0002, body);
    const cuts = [0, 1_480, 2_960, message.length];
    // Out of order.
    for (const i of [2, 0, 1]) {
      const flags = (cuts[i]! >> 3) | (i < 2 ? 0x2000 : 0);
      const part = message.subarray(cuts[i]!, cuts[i + 1]!);
      p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, part, 77, flags));
    }
    expect(p.host.counters.ipReasmOKs).toBe(1);
    expect(p.others.length).toBe(3);
    const whole = Buffer.alloc(message.length);
    for (const packet of p.others) {
      expect(packet.length).toBeLessThanOrEqual(1_500);
      packet.copy(whole, (packet.readUInt16BE(6) & 0x1fff) * 8, 20);
    }
    expect(whole).toEqual(Buffer.from(icmp(ECHO_REPLY, 0, 0x1234_0002, body)));
    const ids = new Set(p.others.map((packet) => packet.readUInt16BE(4)));
    expect(ids.size).toBe(1);
  });

  scripted('a broken checksum is dropped', {}, (p) => {
    const message = icmp(ECHO, 0, 1, Buffer.from('x'));
    message[8]! ^= 1;
    p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, message));
    expect(p.others.length).toBe(0);
    expect(dropsOf(p.host)).toEqual({ icmpChecksum: 1 });
  });

  scripted('an echo reply is not answered', {}, (p) => {
    p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(ECHO_REPLY, 0, 1, Buffer.from('x'))));
    expect(p.others.length).toBe(0);
  });
});

describe('IPv4 input (RFC 791, RFC 1122 §3.2)', () => {
  scripted('UDP gets port unreachable, other protocols protocol unreachable', {}, (p) => {
    p.sendRaw(writeIpPacket(17, ADDRESS_A, ADDRESS_B, Buffer.alloc(20, 1)));
    p.sendRaw(writeIpPacket(99, ADDRESS_A, ADDRESS_B, Buffer.alloc(20, 2)));
    expect(p.others.map((packet) => [packet[9], packet[20], packet[21]])).toEqual([
      [1, 3, 3],
      [1, 3, 2],
    ]);
    // What was refused is quoted: its header and 8 bytes at least.
    expect(p.others[0]!.length).toBeGreaterThanOrEqual(20 + 8 + 28);
    expect(p.others[0]!.readInt32BE(28 + 12)).toBe(ADDRESS_A);
    expect(dropsOf(p.host)).toEqual({ ipProtocol: 2 });
    expect(p.host.counters.ipInDelivers).toBe(0);
  });

  scripted('errors are limited to 100 in a second', {}, (p) => {
    for (let i = 0; i < 150; i++) {
      p.sendRaw(writeIpPacket(17, ADDRESS_A, ADDRESS_B, Buffer.alloc(20)));
    }
    expect(p.others.length).toBeGreaterThan(36);
    expect(p.others.length).toBeLessThanOrEqual(100);
    const sent = p.others.length;
    p.run(1_000);
    p.sendRaw(writeIpPacket(17, ADDRESS_A, ADDRESS_B, Buffer.alloc(20)));
    expect(p.others.length).toBe(sent + 1);
  });

  scripted('no error for what was sent to all or comes from nobody', {}, (p) => {
    for (const destination of [-1, 0xe000_0001 | 0, 0x0a00_00ff]) {
      p.sendRaw(writeIpPacket(17, ADDRESS_A, destination, Buffer.alloc(20)));
    }
    for (const source of [0, -1, 0xe000_0001 | 0, 0x7f00_0001, ADDRESS_B]) {
      p.sendRaw(writeIpPacket(17, source, ADDRESS_B, Buffer.alloc(20)));
    }
    expect(p.others.length).toBe(0);
    expect(dropsOf(p.host)).toEqual({ ipNotOurs: 3, ipBadSource: 5 });
  });

  scripted('RFC 1122 §3.2.2: no error about a fragment that is not the first', {}, (p) => {
    p.sendRaw(writeIpPacket(17, ADDRESS_A, ADDRESS_B, Buffer.alloc(16), 5, 100));
    expect(p.others.length).toBe(0);
  });

  // MUST-50, MUST-53
  scripted('header options are skipped', {}, (p) => {
    const plain = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: 'S',
      seq: p.iss,
    });
    p.listen();
    const bytes = new Uint8Array(plain.length + 8);
    bytes.set(plain.subarray(0, 20));
    bytes.set([1, 1, 7, 4, 5, 0, 0, 0], 20);
    bytes.set(plain.subarray(20), 28);
    const view = new DataView(bytes.buffer);
    bytes[0] = 0x47;
    view.setUint16(2, bytes.length);
    view.setUint16(10, 0);
    view.setUint16(10, checksum(bytes, view, 0, 28));
    p.sendRaw(bytes);
    p.expect('S.', { ack: 1 });
  });

  scripted('bytes behind the datagram are cut off', {}, (p) => {
    p.accept();
    const segment = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: '.',
      seq: p.iss + 1,
      ack: p.hostIss + 1,
      data: Buffer.from('inside'),
    });
    p.sendRaw(Buffer.concat([segment, Buffer.from('outside')]));
    expect(p.user.received.toString()).toBe('inside');
  });

  scripted('a fragmented segment is put together', {}, (p) => {
    p.accept();
    const whole = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: '.',
      seq: p.iss + 1,
      ack: p.hostIss + 1,
      data: Buffer.alloc(100, 'f'),
    }).subarray(20);
    p.sendRaw(writeIpPacket(6, ADDRESS_A, ADDRESS_B, whole.subarray(64), 3, 8));
    p.sendRaw(writeIpPacket(6, ADDRESS_A, ADDRESS_B, whole.subarray(0, 64), 3, 0x2000));
    expect(p.user.received.toString()).toBe('f'.repeat(100));
  });

  scripted('fragments that never become whole are forgotten', {}, (p) => {
    for (let i = 0; i < 400; i++) {
      p.sendRaw(writeIpPacket(6, ADDRESS_A, ADDRESS_B, Buffer.alloc(800), i, 0x2000));
    }
    p.run(60_000);
    const { fragmentLimit = 0, fragmentTimeout = 0 } = dropsOf(p.host);
    expect(fragmentLimit + fragmentTimeout).toBe(400);
    expect(p.host.counters.ipReasmFails).toBe(400);
  });

  // MUST-3
  scripted('a wrong TCP checksum is dropped and counted', {}, (p) => {
    p.listen();
    const bytes = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: 'S',
      seq: 1,
    });
    bytes[36]! ^= 1;
    p.sendRaw(bytes);
    p.expectNothing(100);
    expect(p.host.counters.tcpInCsumErrors).toBe(1);
    expect(dropsOf(p.host)).toEqual({ tcpChecksum: 1 });
  });
});
