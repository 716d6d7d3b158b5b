import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { type ReadPacket, readCapture } from '../../../src/wire/pcap-reader.js';
import {
  CapturedPacket,
  enhancedPacketBytes,
  INBOUND,
  interfaceDescription,
  interfaceStatistics,
  OUTBOUND,
  sectionHeader,
  writeEnhancedPacket,
} from '../../../src/wire/pcapng.js';
import { SEED } from '../../support/seed.js';

const IP = Uint8Array.from([0x45, 0, 0, 23, ...Array.from({ length: 16 }, (_, i) => i), 7, 8, 9]);

function packet(fields: Partial<CapturedPacket>): CapturedPacket {
  const whole = { bytes: IP, length: IP.length, originalLength: IP.length };
  return Object.assign(new CapturedPacket(), whole, fields);
}

function block(fields: Partial<CapturedPacket>): Uint8Array {
  const one = packet(fields);
  // Dirty memory: padding has to be written.
  const bytes = new Uint8Array(enhancedPacketBytes(one)).fill(0xee);
  expect(writeEnhancedPacket(bytes, new DataView(bytes.buffer), 0, one)).toBe(bytes.length);
  return bytes;
}

function file(...blocks: Uint8Array[]): Uint8Array {
  const head = [sectionHeader('test'), interfaceDescription({ name: 'tun0', snaplen: 100 })];
  return Buffer.concat([...head, ...blocks]);
}

const readAll = (bytes: Uint8Array): ReadPacket[] => [...readCapture(bytes)];

describe('pcapng', () => {
  it('has the bytes of the specification', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    expect(hex(sectionHeader('ab'))).toBe(
      '0a0d0d0a' +
        '28000000' +
        '4d3c2b1a' +
        '01000000' +
        'ffffffffffffffff' +
        '0400020061620000' +
        '00000000' +
        '28000000',
    );
    expect(hex(interfaceDescription({ name: 'tun0', snaplen: 256 }))).toBe(
      '01000000' +
        '28000000' +
        '65000000' +
        '00010000' +
        '0200040074756e30' +
        '0900010009000000' +
        '00000000' +
        '28000000',
    );
    expect(
      hex(block({ timeHigh: 1, timeLow: 2, direction: OUTBOUND, comment: Buffer.from('no') })),
    ).toBe(
      '06000000' +
        '4c000000' +
        '00000000' +
        '01000000' +
        '02000000' +
        '17000000' +
        '17000000' +
        hex(IP) +
        '00' +
        '010002006e6f0000' +
        '0200040002000000' +
        '00000000' +
        '4c000000',
    );
    expect(hex(interfaceStatistics(3, 1, 2, 5, 4))).toBe(
      '05000000' +
        '34000000' +
        '03000000' +
        '01000000' +
        '02000000' +
        '040008000500000000000000' +
        '050008000400000000000000' +
        '00000000' +
        '34000000',
    );
  });

  it('is read back as it was written', () => {
    const time = 1_795_275_670_241_681_123n;
    const [timeHigh, timeLow] = [Number(time >> 32n), Number(time & 0xffffffffn)];
    const comment = Buffer.from('dropped: tcpChecksum');
    const packets = readAll(
      file(
        block({ timeHigh, timeLow, direction: OUTBOUND }),
        block({ timeHigh, timeLow, direction: INBOUND, length: 22, comment }),
        interfaceStatistics(0, timeHigh, timeLow, 2, 0),
      ),
    );
    expect(packets).toHaveLength(2);
    expect(packets[0]).toMatchObject({ time, direction: 2, originalLength: 23, comment: null });
    expect([...packets[0]!.bytes]).toEqual([...IP]);
    expect(packets[1]).toMatchObject({ direction: 1, comment: 'dropped: tcpChecksum' });
    expect(packets[1]!.bytes).toHaveLength(22);
  });

  it('says where a file is cut off, after what came before', () => {
    const whole = file(block({}), block({}));
    for (let length = 0; length < whole.length; length++) {
      const seen: ReadPacket[] = [];
      const read = () => {
        for (const one of readCapture(whole.subarray(0, length))) seen.push(one);
      };
      const blocks = [40, 80, whole.length - (whole.length - 80) / 2];
      if (blocks.includes(length)) read();
      else expect(read).toThrow(/cut off|not a capture file/);
      expect(seen).toHaveLength(length >= blocks[2]! ? 1 : 0);
    }
  });

  it('reads pcap of both byte orders and units, and Ethernet', () => {
    for (const little of [true, false]) {
      const ethernet = Buffer.concat([Buffer.alloc(12), Buffer.from([8, 0]), IP]);
      const arp = Buffer.concat([Buffer.alloc(12), Buffer.from([8, 6]), IP]);
      expect(readAll(pcap(0xa1b2c3d4, 1, [ethernet, arp], little))).toMatchObject([
        { time: 7_000_009_000n, originalLength: IP.length },
      ]);
      const [nano] = readAll(pcap(0xa1b23c4d, 101, [IP], little));
      expect(nano).toMatchObject({ time: 7_000_000_009n });
      expect([...nano!.bytes]).toEqual([...IP]);
    }
  });

  it('ends with packets or a reason, whatever the file has', () => {
    const random = new Random(SEED);
    const whole = file(block({ comment: Buffer.from('a') }), block({}));
    for (let i = 0; i < 3_000; i++) {
      const broken = whole.slice();
      for (let n = random.int(4); n >= 0; n--) broken[random.int(broken.length)] = random.int(256);
      try {
        expect(readAll(broken).length).toBeLessThanOrEqual(2);
      } catch (error) {
        const reasons = /cut off|broken capture file|not a capture file|link type/;
        expect((error as Error).message, `seed ${SEED}, file ${i}`).toMatch(reasons);
      }
    }
  });

  it('refuses what is no capture, and other links', () => {
    expect(() => readAll(Buffer.from('hello, world, this is text'))).toThrow(
      'not a capture file: neither pcapng nor pcap',
    );
    expect(() => readAll(pcap(0xa1b2c3d4, 105, [IP], true))).toThrow(/link type 105/);
  });
});

function pcap(magic: number, linkType: number, packets: Uint8Array[], little: boolean): Uint8Array {
  const header = Buffer.alloc(24);
  const view = new DataView(header.buffer, header.byteOffset, 24);
  view.setUint32(0, magic, little);
  view.setUint32(20, linkType, little);
  const parts: Uint8Array[] = [header];
  for (const one of packets) {
    const record = new DataView(new ArrayBuffer(16));
    for (const [i, value] of [7, 9, one.length, one.length].entries()) {
      record.setUint32(i * 4, value, little);
    }
    parts.push(new Uint8Array(record.buffer), one);
  }
  return Buffer.concat(parts);
}
