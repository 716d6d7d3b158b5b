import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksum } from '../../../src/wire/checksum.js';
import { Drop, dropName } from '../../../src/wire/drop-reason.js';
import {
  formatAddress,
  IPV4_DONT_FRAGMENT,
  IPV4_MORE_FRAGMENTS,
  Ipv4Header,
  isBroadcast,
  isLoopback,
  isMulticast,
  parseAddress,
  parseCidr,
  parseIpv4,
  writeIpv4,
} from '../../../src/wire/ipv4.js';

/** The header that Wikipedia works through: UDP, 192.168.0.1 to 192.168.0.199. */
const KNOWN = Buffer.from('45000073000040004011b861c0a80001c0a800c7', 'hex');

function parse(bytes: Uint8Array, offset = 0, length = bytes.length - offset) {
  const header = new Ipv4Header();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { drop: dropName(parseIpv4(bytes, view, offset, length, header)), header };
}

function packet(totalLength = 40, length = totalLength): Uint8Array {
  const bytes = new Uint8Array(length);
  writeIpv4(new DataView(bytes.buffer), 0, 0, totalLength, 7, 0, 64, 6, 0x0a070001, 0x0a070002);
  return bytes;
}

describe('parseIpv4', () => {
  it('decodes a header whose checksum is known', () => {
    const bytes = Buffer.concat([KNOWN, Buffer.alloc(95)]);
    const { drop, header } = parse(bytes);
    expect(drop).toBe('none');
    expect(header).toMatchObject({
      tos: 0,
      totalLength: 0x73,
      id: 0,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: 17,
      headerLength: 20,
    });
    expect(formatAddress(header.srcAddr)).toBe('192.168.0.1');
    expect(formatAddress(header.dstAddr)).toBe('192.168.0.199');
  });

  it('reads back what writeIpv4 writes, at any offset', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(
        fc.record({
          offset: fc.nat(7),
          tos: fc.nat(255),
          payload: fc.nat(100),
          id: fc.nat(0xffff),
          flags: fc.nat(7).map((bits) => bits << 13),
          fragment: fc.nat(0x1fff),
          ttl: fc.nat(255),
          protocol: fc.nat(255),
          srcAddr: int32,
          dstAddr: int32,
        }),
        ({ offset, tos, payload, id, flags, fragment, ttl, protocol, srcAddr, dstAddr }) => {
          const bytes = new Uint8Array(offset + 20 + payload);
          const view = new DataView(bytes.buffer);
          const word = flags | fragment;
          const length = 20 + payload;
          writeIpv4(view, offset, tos, length, id, word, ttl, protocol, srcAddr, dstAddr);
          const { drop, header } = parse(bytes, offset);
          expect(drop).toBe('none');
          expect(header).toEqual({
            tos,
            totalLength: length,
            id,
            dontFragment: (flags & IPV4_DONT_FRAGMENT) !== 0,
            moreFragments: (flags & IPV4_MORE_FRAGMENTS) !== 0,
            fragmentOffset: fragment * 8,
            ttl,
            protocol,
            srcAddr,
            dstAddr,
            headerLength: 20,
          });
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });

  it('writes the known checksum', () => {
    const bytes = new Uint8Array(20);
    const flags = IPV4_DONT_FRAGMENT;
    writeIpv4(new DataView(bytes.buffer), 0, 0, 0x73, 0, flags, 64, 17, 0xc0a80001, 0xc0a800c7);
    expect(Buffer.from(bytes).toString('hex')).toBe(KNOWN.toString('hex'));
  });

  it('writes a checksum that holds for every sum there is', () => {
    const bytes = new Uint8Array(20);
    const view = new DataView(bytes.buffer);
    const header = new Ipv4Header();
    let bad = 0;
    for (let id = 0; id <= 0xffff; id++) {
      writeIpv4(view, 0, 0xff, 20, id, 0xe000, 255, 255, -1, -1);
      if (parseIpv4(bytes, view, 0, 20, header) !== Drop.NONE || header.id !== id) bad++;
    }
    expect(bad).toBe(0);
  });

  it('leaves out a length that has no room, and covers what it writes with the checksum', () => {
    const bytes = new Uint8Array(20);
    const view = new DataView(bytes.buffer);
    writeIpv4(view, 0, 0, 65_536, 0, 0, 64, 6, 1, 2);
    expect(view.getUint16(2)).toBe(0);
    expect(checksum(bytes, view, 0, 20, 0)).toBe(0);
    writeIpv4(view, 0, 0, 65_535, 0, 0, 64, 6, 1, 2);
    expect(view.getUint16(2)).toBe(65_535);
  });

  it('skips options and covers them with the checksum', () => {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    writeIpv4(view, 0, 0, 32, 0, 0, 64, 6, 1, 2);
    view.setUint8(0, 0x46);
    view.setUint32(20, 0x01010100);
    view.setUint16(10, view.getUint16(10) - 0x0100 - 0x0101 - 0x0100);
    const { drop, header } = parse(bytes);
    expect(drop).toBe('none');
    expect(header.headerLength).toBe(24);
    view.setUint32(20, 0x01010101);
    expect(parse(bytes).drop).toBe('ipChecksum');
  });

  it('accepts bytes behind the end of the packet', () => {
    expect(parse(packet(40, 46)).drop).toBe('none');
  });

  it.each<[string, Uint8Array, Drop]>([
    ['nothing', new Uint8Array(0), Drop.IP_SHORT],
    ['19 bytes', packet().subarray(0, 19), Drop.IP_SHORT],
    ['version 6', packet().fill(0x65, 0, 1), Drop.IP_VERSION],
    ['a header of 16 bytes', packet().fill(0x44, 0, 1), Drop.IP_HEADER_LENGTH],
    ['a header beyond the packet', packet().fill(0x4f, 0, 1), Drop.IP_HEADER_LENGTH],
    ['a total length beyond the packet', packet(41, 40), Drop.IP_TOTAL_LENGTH],
    ['a total length below the header', packet(19, 40), Drop.IP_TOTAL_LENGTH],
    ['a flipped bit', packet().fill(63, 8, 9), Drop.IP_CHECKSUM],
  ])('drops %s', (_, bytes, drop) => {
    expect(parse(bytes).drop).toBe(dropName(drop));
  });

  it('never throws and never reads beyond the packet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        if (bytes.length > 0) bytes[0] = 0x40 | (bytes[0]! & 15);
        const alone = parse(bytes.slice());
        const followed = parse(Buffer.concat([bytes, Buffer.alloc(64, 0xee)]), 0, bytes.length);
        expect(followed).toEqual(alone);
      }),
      { seed: 6, numRuns: 500 },
    );
  });
});

describe('addresses', () => {
  it.each([
    ['0.0.0.0', 0],
    ['10.7.0.2', 0x0a070002],
    ['255.255.255.255', -1],
    ['128.0.0.1', 0x80000001 | 0],
  ])('%s', (text, addr) => {
    expect(parseAddress(text)).toBe(addr);
    expect(formatAddress(addr)).toBe(text);
  });

  it.each([
    '',
    '10.7.0',
    '10.7.0.2.1',
    '10.7.0.256',
    '010.7.0.2',
    '10.7.0.02',
    ' 10.7.0.2',
    '10.7.0.2\n',
    '10.7.0.-2',
    '0x0a.7.0.2',
    '10.7..2',
    '1e1.7.0.2',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  it('takes an address with a prefix', () => {
    expect(parseCidr('10.7.0.2/24')).toEqual({ address: 0x0a070002, prefix: 24 });
    expect(parseCidr('0.0.0.0/0')).toEqual({ address: 0, prefix: 0 });
    expect(parseCidr('1.2.3.4/32')?.prefix).toBe(32);
    for (const text of ['10.7.0.2', '10.7.0.2/', '10.7.0.2/33', '10.7.0.2/024', '10.7.0/8', '/8']) {
      expect(parseCidr(text)).toBeNull();
    }
  });

  it('knows the special ones to their edges', () => {
    const those = (predicate: (addr: number) => boolean): string[] =>
      [
        '126.255.255.255',
        '127.0.0.0',
        '127.255.255.255',
        '128.0.0.0',
        '223.255.255.255',
        '224.0.0.0',
        '239.255.255.255',
        '240.0.0.0',
        '255.255.255.255',
      ].filter((text) => predicate(parseAddress(text)!));
    expect(those(isLoopback)).toEqual(['127.0.0.0', '127.255.255.255']);
    expect(those(isMulticast)).toEqual(['224.0.0.0', '239.255.255.255']);
    expect(those(isBroadcast)).toEqual(['255.255.255.255']);
  });
});
