import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { compileFilter, FilterError } from '../../../src/wire/filter.js';
import { parseAddress, writeIpv4 } from '../../../src/wire/ipv4.js';
import { flagsOf } from '../../support/packet.js';
import { SEED } from '../../support/seed.js';

interface Fields {
  src: string;
  dst: string;
  protocol: number;
  srcPort: number;
  dstPort: number;
  /** Control bits. */
  flags: number;
  length: number;
  /** In units of 8 bytes. */
  fragment: number;
}

/** Where the packet starts in its buffer, so that an offset that is forgotten shows. */
const OFFSET = 6;

function packet(fields: Fields): Uint8Array {
  const bytes = new Uint8Array(OFFSET + Math.max(fields.length, 40)).fill(0xff);
  const view = new DataView(bytes.buffer);
  const { length, protocol, fragment } = fields;
  const [src, dst] = [parseAddress(fields.src)!, parseAddress(fields.dst)!];
  writeIpv4(view, OFFSET, 0, length, 1, fragment, 64, protocol, src, dst);
  view.setUint16(OFFSET + 20, fields.srcPort);
  view.setUint16(OFFSET + 22, fields.dstPort);
  view.setUint8(OFFSET + 33, fields.flags);
  return bytes;
}

const SAMPLE: Fields = {
  src: '10.7.0.1',
  dst: '10.7.0.2',
  protocol: 6,
  srcPort: 40000,
  dstPort: 80,
  flags: flagsOf('S'),
  length: 60,
  fragment: 0,
};

function matches(expression: string, fields: Partial<Fields> = {}): boolean {
  const all = { ...SAMPLE, ...fields };
  return compileFilter(expression)(packet(all), OFFSET, all.length);
}

/** An expression, with what it means. */
interface Sample {
  text: string;
  means(fields: Fields): boolean;
}

const ADDRESSES = ['10.7.0.1', '10.7.0.2', '10.7.1.2', '192.168.0.1'];
const PORTS = [7, 80, 40000];
const bits = (address: string) => parseAddress(address)! >>> 0;

function primitive(random: Random): Sample {
  const direction = pick(random, ['', 'src ', 'dst ']);
  const ends = <T>(src: T, dst: T) =>
    direction === '' ? [src, dst] : direction === 'src ' ? [src] : [dst];
  switch (random.int(7)) {
    case 0: {
      const address = pick(random, ADDRESSES);
      return {
        text: `${direction}host ${address}`,
        means: (p) => ends(p.src, p.dst).includes(address),
      };
    }
    case 1: {
      const port = pick(random, PORTS);
      const protocol = pick(random, ['', 'tcp ', 'udp ']);
      const wanted = { '': [6, 17], 'tcp ': [6], 'udp ': [17] }[protocol]!;
      return {
        text: `${protocol}${direction}port ${port}`,
        means: (p) =>
          wanted.includes(p.protocol) &&
          p.fragment === 0 &&
          ends(p.srcPort, p.dstPort).includes(port),
      };
    }
    case 2: {
      const prefix = random.int(33);
      const size = 2 ** (32 - prefix);
      const network = Math.floor(bits(pick(random, ADDRESSES)) / size);
      const quad = [24, 16, 8, 0].map((shift) => ((network * size) / 2 ** shift) & 255).join('.');
      return {
        text: `${direction}net ${quad}/${prefix}`,
        means: (p) => ends(p.src, p.dst).some((a) => Math.floor(bits(a) / size) === network),
      };
    }
    case 3: {
      const [text, protocol] = pick(random, [
        ['tcp', 6],
        ['udp', 17],
        ['icmp', 1],
      ] as const);
      return { text, means: (p) => p.protocol === protocol };
    }
    case 4: {
      const [word, letter] = pick(random, [
        ['syn', 'S'],
        ['fin', 'F'],
        ['ack', '.'],
        ['rst', 'R'],
        ['psh', 'P'],
      ] as const);
      return {
        text: pick(random, [word, `tcp[${word}]`]),
        means: (p) => p.protocol === 6 && p.fragment === 0 && (p.flags & flagsOf(letter)) !== 0,
      };
    }
    case 5: {
      const n = 40 + random.int(60);
      return { text: `less ${n}`, means: (p) => p.length <= n };
    }
    default: {
      const n = 40 + random.int(60);
      return { text: `greater ${n}`, means: (p) => p.length >= n };
    }
  }
}

function expression(random: Random, depth: number): Sample {
  if (depth === 0 || random.int(4) === 0) return primitive(random);
  const left = expression(random, depth - 1);
  if (random.int(4) === 0) {
    return { text: `${pick(random, ['not ', '! '])}(${left.text})`, means: (p) => !left.means(p) };
  }
  const right = expression(random, depth - 1);
  if (random.int(2) === 0) {
    const text = `(${left.text}) ${pick(random, ['and', '&&'])} (${right.text})`;
    return { text, means: (p) => left.means(p) && right.means(p) };
  }
  const text = `(${left.text}) ${pick(random, ['or', '||'])} (${right.text})`;
  return { text, means: (p) => left.means(p) || right.means(p) };
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.int(from.length)]!;
}

describe('compileFilter', () => {
  it('agrees with what the words mean', () => {
    for (let seed = SEED; seed < SEED + 300; seed++) {
      const random = new Random(seed);
      const sample = expression(random, 3);
      const filter = compileFilter(sample.text);
      for (let i = 0; i < 30; i++) {
        const fields: Fields = {
          src: pick(random, ADDRESSES),
          dst: pick(random, ADDRESSES),
          protocol: pick(random, [6, 6, 17, 1]),
          srcPort: pick(random, PORTS),
          dstPort: pick(random, PORTS),
          flags: random.int(32),
          length: 40 + random.int(60),
          fragment: pick(random, [0, 0, 0, 5]),
        };
        const wanted = filter(packet(fields), OFFSET, fields.length);
        expect(wanted, `${sample.text} (seed ${seed})\n${JSON.stringify(fields)}`).toBe(
          sample.means(fields),
        );
      }
    }
  });

  it('has tcpdump’s precedence, and repeats qualifiers as tcpdump does', () => {
    // (icmp or syn) and ack, not icmp or (syn and ack)
    expect(matches('icmp or syn and ack', { protocol: 1 })).toBe(false);
    expect(matches('not icmp and syn')).toBe(true);
    expect(matches('dst port 7 or 80')).toBe(true);
    expect(matches('dst port 7 or 40000')).toBe(false);
    expect(matches('src 10.7.0.9 or 10.7.0.1')).toBe(true);
    expect(matches('')).toBe(true);
  });

  it('finds nothing in what is too short', () => {
    for (let length = 0; length < 20; length++) {
      expect(compileFilter('ip or tcp or port 80 or syn')(packet(SAMPLE), OFFSET, length)).toBe(
        false,
      );
    }
    expect(compileFilter('syn')(packet(SAMPLE), OFFSET, 33)).toBe(false);
    expect(compileFilter('syn')(packet(SAMPLE), OFFSET, 34)).toBe(true);
  });

  it.each([
    ['port 80 and prot tcp', 'prot', 13, "unknown word 'prot' at position 13 of the filter"],
    ['port http', 'http', 6, "a port expected, not 'http', at position 6 of the filter"],
    ['port 65536', '65536', 6, /a port expected/],
    ['host 10.7.0', '10.7.0', 6, /an IPv4 address expected/],
    ['net 10.7.0.1/24', '10.7.0.1/24', 5, /bits set beyond its \/24/],
    ['(tcp', '', 5, /'\)' is missing at position 5/],
    ['tcp)', ')', 4, /'and' or 'or' expected/],
    ['tcp udp', 'udp', 5, /'and' or 'or' expected/],
    ['tcp[sync]', 'sync', 5, /a control bit/],
    ['tcp and', '', 8, /something to match is missing/],
    ['80', '80', 1, /unknown word '80'/],
    ['icmp port 7', 'port', 6, /icmp has no 'port'/],
    ['tcp & udp', '&', 5, /'and' or 'or' expected/],
    ['('.repeat(5000), '(', 201, /too deep/],
  ])('says what is wrong in %j', (text, word, position, message) => {
    let error: unknown;
    try {
      compileFilter(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FilterError);
    expect(error).toMatchObject({ word, position, code: 'ERR_INVALID_FILTER' });
    expect((error as Error).message).toMatch(message);
  });
});
