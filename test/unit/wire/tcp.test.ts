import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seq } from '../../../src/base/seq.js';
import { Drop, dropName } from '../../../src/wire/drop-reason.js';
import {
  ACK,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  Segment,
  SYN,
} from '../../../src/wire/segment.js';
import { parseTcp, tcpHeaderLength, writeTcp } from '../../../src/wire/tcp.js';

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parse(bytes: Uint8Array, segment = new Segment()): { drop: string; segment: Segment } {
  return { drop: dropName(parseTcp(bytes, viewOf(bytes), 0, bytes.length, segment)), segment };
}

function write(segment: Segment): Uint8Array {
  const bytes = new Uint8Array(tcpHeaderLength(segment));
  expect(writeTcp(viewOf(bytes), 0, segment)).toBe(bytes.length);
  return bytes;
}

/** A header with these bytes of options and a payload of `payload` bytes. */
function withOptions(flags: number, options: number[], payload = 0): Uint8Array {
  const padded = (options.length + 3) & ~3;
  const bytes = new Uint8Array(20 + padded + payload);
  bytes[12] = ((20 + padded) / 4) << 4;
  bytes[13] = flags;
  bytes.set(options, 20);
  return bytes;
}

function hexOptions(segment: Segment): string {
  return Buffer.from(write(segment).subarray(20)).toString('hex');
}

describe('parseTcp', () => {
  it('decodes the SYN of a Linux client', () => {
    const bytes = Buffer.from(
      '9c400050fffffff000000000a002faf012340000020405b40402080a8000000100000000010303070102',
      'hex',
    );
    const { drop, segment } = parse(bytes);
    expect(drop).toBe('none');
    expect(segment).toMatchObject({
      srcPort: 40000,
      dstPort: 80,
      seq: -16,
      ack: 0,
      flags: SYN,
      wnd: 64240,
      urg: 0,
      options: OPT_MSS | OPT_SACK_PERMITTED | OPT_TIMESTAMPS | OPT_WINDOW_SCALE,
      mss: 1460,
      windowScale: 7,
      tsVal: 0x80000001 | 0,
      tsEcr: 0,
      offset: 40,
      length: 2,
    });
    expect(segment.bytes).toBe(bytes);
  });

  it('leaves nothing of the segment before, except what is the caller’s', () => {
    const segment = new Segment();
    segment.srcAddr = 1;
    segment.ttl = 64;
    segment.segmentSize = 1448;
    segment.bytes2 = new Uint8Array(9);
    segment.length2 = 9;
    const syn = [2, 4, 5, 180, 4, 2, 3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    parse(withOptions(SYN, syn), segment);
    parse(withOptions(ACK, [5, 10, 0, 0, 0, 1, 0, 0, 0, 2]), segment);
    expect(segment.options).toBe(OPT_SACK);
    parse(withOptions(ACK, []), segment);
    expect(segment).toMatchObject({
      options: 0,
      mss: 0,
      windowScale: 0,
      tsVal: 0,
      tsEcr: 0,
      sackCount: 0,
      length2: 0,
      srcAddr: 1,
      ttl: 64,
      segmentSize: 1448,
    });
    expect(segment.bytes2.length).toBe(0);
  });

  it('skips unknown options and stops at the end of the list', () => {
    const options = [1, 254, 4, 9, 9, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 0, 5, 0];
    const { drop, segment } = parse(withOptions(ACK, options, 3));
    expect(drop).toBe('none');
    expect(segment).toMatchObject({ options: OPT_TIMESTAMPS, tsVal: 5, tsEcr: 6, length: 3 });
  });

  // RFC7323-2.2-d
  it('takes the options of a handshake from a SYN only (RFC 9293 §3.2)', () => {
    const { drop, segment } = parse(withOptions(ACK, [2, 4, 5, 180, 4, 2, 3, 3, 7]));
    expect([drop, segment.options]).toEqual(['none', 0]);
  });

  // RFC7323-2.3-f
  it('caps the window scale at 14 (RFC 7323 §2.3)', () => {
    expect(parse(withOptions(SYN, [3, 3, 15])).segment.windowScale).toBe(14);
  });

  it('decodes up to four SACK blocks', () => {
    const edges = Array.from({ length: 8 }, (_, i) => [0xff, 0xff, 0xff, 0xf8 + i]).flat();
    const { segment } = parse(withOptions(ACK, [1, 1, 5, 34, ...edges]));
    expect(segment.sackCount).toBe(4);
    expect([...segment.sack]).toEqual([-8, -7, -6, -5, -4, -3, -2, -1]);
  });

  it.each([
    ['MSS', SYN, [2, 3, 5]],
    ['window scale', SYN, [3, 4, 7, 7]],
    ['SACK-permitted', SYN, [4, 3, 0]],
    ['timestamps', ACK, [8, 6, 0, 0, 0, 1]],
    ['SACK without a block', ACK, [5, 2]],
    ['SACK with half a block', ACK, [5, 6, 0, 0, 0, 1]],
  ])('ignores %s of the wrong length', (_, flags, options) => {
    const { drop, segment } = parse(withOptions(flags, options));
    expect([drop, segment.options]).toEqual(['none', 0]);
  });

  it.each<[string, Uint8Array, Drop]>([
    ['19 bytes', new Uint8Array(19), Drop.TCP_SHORT],
    ['a header of 16 bytes', new Uint8Array(20).fill(0x40, 12, 13), Drop.TCP_DATA_OFFSET],
    ['a header beyond the segment', new Uint8Array(20).fill(0x60, 12, 13), Drop.TCP_DATA_OFFSET],
    ['an option of length 0', withOptions(ACK, [8, 0]), Drop.TCP_OPTION_LENGTH],
    ['an option of length 1', withOptions(ACK, [99, 1]), Drop.TCP_OPTION_LENGTH],
    ['an option beyond the header', withOptions(ACK, [99, 5, 0, 0], 9), Drop.TCP_OPTION_LENGTH],
    ['an option without a length', withOptions(ACK, [1, 1, 1, 99], 9), Drop.TCP_OPTION_LENGTH],
  ])('drops %s', (_, bytes, drop) => {
    expect(parse(bytes).drop).toBe(dropName(drop));
  });

  it('never throws, and keeps the payload within the segment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(15), (bytes, words) => {
        if (bytes.length > 12) bytes[12] = words << 4;
        const { drop, segment } = parse(bytes);
        if (drop !== 'none') return;
        expect(segment.offset).toBe(words * 4);
        expect(segment.offset + segment.length).toBe(bytes.length);
        expect(segment.sackCount).toBeLessThanOrEqual(4);
      }),
      { seed: 7, numRuns: 1000 },
    );
  });
});

describe('writeTcp', () => {
  // MUST-69
  it('lays the options of a SYN out as Linux does', () => {
    const segment = new Segment();
    segment.flags = SYN;
    segment.mss = 1460;
    segment.windowScale = 7;
    segment.tsVal = 1;
    const all = OPT_MSS | OPT_SACK_PERMITTED | OPT_TIMESTAMPS | OPT_WINDOW_SCALE;
    segment.options = all;
    expect(hexOptions(segment)).toBe('020405b40402080a000000010000000001030307');
    segment.options = all & ~OPT_SACK_PERMITTED;
    expect(hexOptions(segment)).toBe('020405b40101080a000000010000000001030307');
    segment.options = all & ~OPT_TIMESTAMPS;
    expect(hexOptions(segment)).toBe('020405b40101040201030307');
    segment.options = 0;
    expect(hexOptions(segment)).toBe('');
  });

  it('sends as many SACK blocks as there is room for', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.sackCount = 4;
    segment.options = OPT_SACK;
    expect(tcpHeaderLength(segment)).toBe(56);
    segment.options = OPT_SACK | OPT_TIMESTAMPS;
    expect(tcpHeaderLength(segment)).toBe(60);
    expect(parse(write(segment)).segment.sackCount).toBe(3);
    segment.sackCount = 0;
    expect(tcpHeaderLength(segment)).toBe(32);
  });

  it('writes what parseTcp reads', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const u16 = fc.nat(0xffff);
    const fields = fc.record({
      srcPort: u16,
      dstPort: u16,
      seq: int32,
      ack: int32,
      flags: fc.nat(255),
      wnd: u16,
      urg: u16,
      options: fc.nat(31),
      mss: u16,
      windowScale: fc.nat(14),
      tsVal: int32,
      tsEcr: int32,
      sackCount: fc.integer({ min: 1, max: 4 }),
      sack: fc.array(int32, { minLength: 8, maxLength: 8 }),
    });
    fc.assert(
      fc.property(fields, ({ sack, sackCount, options, ...f }) => {
        const syn = (f.flags & SYN) !== 0;
        const segment = new Segment();
        Object.assign(segment, f, { seq: seq(f.seq), ack: seq(f.ack), options, sackCount });
        segment.sack.set(sack);
        const { drop, segment: read } = parse(write(segment));
        const kept = options & (syn ? ~OPT_SACK : OPT_TIMESTAMPS | OPT_SACK);
        expect(drop).toBe('none');
        expect(read.options).toBe(kept);
        for (const name of ['srcPort', 'dstPort', 'seq', 'ack', 'flags', 'wnd', 'urg'] as const) {
          expect(read[name]).toBe(f[name]);
        }
        if (kept & OPT_MSS) expect(read.mss).toBe(f.mss);
        if (kept & OPT_WINDOW_SCALE) expect(read.windowScale).toBe(f.windowScale);
        if (kept & OPT_TIMESTAMPS) expect([read.tsVal, read.tsEcr]).toEqual([f.tsVal, f.tsEcr]);
        if (kept & OPT_SACK) {
          const count = Math.min(sackCount, kept & OPT_TIMESTAMPS ? 3 : 4);
          expect(read.sackCount).toBe(count);
          expect([...read.sack.subarray(0, count * 2)]).toEqual(sack.slice(0, count * 2));
        }
        expect(read.length).toBe(0);
      }),
      { seed: 8, numRuns: 1000 },
    );
  });

  it('writes at an offset, over what was there, and leaves the checksum 0', () => {
    const bytes = new Uint8Array(40).fill(0xff);
    const segment = new Segment();
    segment.srcPort = 0x1234;
    segment.dstPort = 0x5678;
    segment.flags = PSH | ACK;
    segment.wnd = 0x9abc;
    segment.urg = 0xdef0;
    expect(writeTcp(viewOf(bytes), 10, segment)).toBe(20);
    expect(Buffer.from(bytes.subarray(8, 32)).toString('hex')).toBe(
      'ffff123456780000000000000000' + '50189abc0000def0' + 'ffff',
    );
  });
});
