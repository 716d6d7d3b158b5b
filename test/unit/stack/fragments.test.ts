import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../../src/base/counters.js';
import { Random } from '../../../src/base/random.js';
import {
  DEFAULT_FRAGMENT_LIMITS,
  Fragments,
  fragmentLimits,
} from '../../../src/stack/fragments.js';
import { DROP_REASONS, Drop, dropName } from '../../../src/wire/drop-reason.js';
import { Ipv4Header, parseIpv4 } from '../../../src/wire/ipv4.js';

const LIMITS = { maxBytes: 200_000, maxDatagrams: 4, timeout: 30_000 };
const PAYLOAD = new Random(1).bytes(65_535);

let counters: Counters;
let fragments: Fragments;

beforeEach(() => {
  counters = new Counters(DROP_REASONS);
  fragments = new Fragments(LIMITS, counters);
});

interface Fragment {
  id?: number;
  start: number;
  length: number;
  more: boolean;
  tos?: number;
  ttl?: number;
  bytes?: Uint8Array;
  now?: number;
}

/** Adds the bytes of PAYLOAD that belong to the fragment. */
function add({ id = 1, start, length, more, tos = 0, ttl = 64, bytes, now = 0 }: Fragment) {
  const header = new Ipv4Header();
  header.id = id;
  header.protocol = 6;
  header.srcAddr = 0x0a070001;
  header.dstAddr = 0x0a070002;
  header.fragmentOffset = start;
  header.moreFragments = more;
  header.tos = tos;
  header.ttl = ttl;
  return fragments.add(bytes ?? PAYLOAD, header, bytes ? 0 : start, length, now);
}

/** Packets dropped, by reason. */
function drops(): Record<string, number> {
  const result: Record<string, number> = {};
  counters.drops.forEach((count, drop) => {
    if (count > 0) result[dropName(drop)] = count;
  });
  return result;
}

describe('Fragments', () => {
  it('gives the datagram back with a fresh header when the last piece arrives', () => {
    expect(add({ start: 16, length: 9, more: false, ttl: 3 })).toBeNull();
    expect(add({ start: 0, length: 8, more: true, ttl: 60, tos: 0x48 })).toBeNull();
    const whole = add({ start: 8, length: 8, more: true, ttl: 3 })!;
    const header = new Ipv4Header();
    const drop = parseIpv4(whole, new DataView(whole.buffer), 0, whole.length, header);
    expect(drop).toBe(Drop.NONE);
    expect(header).toEqual({
      tos: 0x48,
      totalLength: 45,
      id: 1,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 60,
      protocol: 6,
      srcAddr: 0x0a070001,
      dstAddr: 0x0a070002,
      headerLength: 20,
    });
    expect([...whole.subarray(20)]).toEqual([...PAYLOAD.subarray(0, 25)]);
    expect(counters).toMatchObject({ ipReasmReqds: 3, ipReasmOKs: 1, ipReasmFails: 0 });
    expect([fragments.size, fragments.bytes, fragments.next()]).toEqual([0, 0, Infinity]);
  });

  it('reassembles any cut in any order, with duplicates', () => {
    const cut = fc.uniqueArray(fc.integer({ min: 1, max: 180 }), { maxLength: 20 });
    const seed = fc.nat();
    fc.assert(
      fc.property(cut, fc.nat(1000), seed, (cuts, tail, order) => {
        const random = new Random(order);
        const edges = [0, ...cuts.sort((a, b) => a - b).map((n) => n * 8)];
        const end = edges.at(-1)! + 1 + tail;
        const pieces = edges.map((start, i) => {
          const stop = edges[i + 1] ?? end;
          return { start, length: stop - start, more: stop < end };
        });
        const sent = [...pieces, ...pieces.filter(() => random.int(3) === 0)];
        for (let i = sent.length - 1; i > 0; i--) {
          const j = random.int(i + 1);
          [sent[i], sent[j]] = [sent[j]!, sent[i]!];
        }
        let whole: Uint8Array | null = null;
        for (const piece of sent) whole ??= add(piece);
        expect(Buffer.compare(whole!.subarray(20), PAYLOAD.subarray(0, end))).toBe(0);
        expect(fragments.size).toBe(0);
        expect(drops()).toEqual({});
      }),
      { seed: 9, numRuns: 200 },
    );
  });

  it('keeps datagrams apart by identification', () => {
    add({ id: 1, start: 0, length: 8, more: true });
    expect(add({ id: 2, start: 8, length: 8, more: false })).toBeNull();
    expect(add({ id: 1, start: 8, length: 8, more: false })).not.toBeNull();
    expect(fragments.size).toBe(1);
  });

  it('marks a datagram of which one fragment met congestion (RFC 3168 §5.3)', () => {
    add({ start: 0, length: 8, more: true, tos: 2 });
    expect(add({ start: 8, length: 8, more: false, tos: 3 })![1]).toBe(3);
  });

  it('gives up a datagram whose fragments overlap, and what still comes of it', () => {
    add({ start: 0, length: 16, more: true });
    expect(add({ start: 8, length: 16, more: true })).toBeNull();
    expect(drops()).toEqual({ fragmentOverlap: 2 });
    expect(counters.ipReasmFails).toBe(1);
    add({ start: 0, length: 16, more: true });
    expect(add({ start: 16, length: 8, more: false })).toBeNull();
    expect(drops()).toEqual({ fragmentOverlap: 4 });
    expect(fragments.bytes).toBe(0);
    add({ start: 0, length: 16, more: true, now: 30_000 });
    expect(add({ start: 16, length: 8, more: false, now: 30_000 })).not.toBeNull();
  });

  it('takes the same range with other bytes for an overlap', () => {
    add({ start: 0, length: 16, more: true });
    add({ start: 0, length: 16, more: true, bytes: new Uint8Array(16) });
    expect(drops()).toEqual({ fragmentOverlap: 2 });
  });

  it('gives up a datagram that reaches beyond 65,535 bytes', () => {
    add({ start: 0, length: 8, more: true });
    add({ start: 65_512, length: 4, more: false, bytes: new Uint8Array(4) });
    expect(drops()).toEqual({ fragmentTooLong: 2 });
  });

  it('takes the longest datagram there is', () => {
    add({ start: 0, length: 65_512, more: true });
    expect(add({ start: 65_512, length: 3, more: false })!.length).toBe(65_535);
  });

  it.each([
    ['empty', { start: 8, length: 0, more: false }],
    ['not a multiple of 8', { start: 0, length: 12, more: true }],
  ])('drops a fragment that is %s', (_, fragment) => {
    expect(add(fragment)).toBeNull();
    expect(drops()).toEqual({ fragmentLength: 1 });
    expect(fragments.size).toBe(0);
  });

  it.each([
    ['has two ends', { start: 16, length: 8, more: false }, { start: 24, length: 8, more: false }],
    [
      'goes on behind its end',
      { start: 8, length: 8, more: false },
      { start: 16, length: 8, more: true },
    ],
    [
      'ends before what is there',
      { start: 16, length: 8, more: true },
      { start: 8, length: 8, more: false },
    ],
  ])('gives up a datagram that %s', (_, first, second) => {
    expect(add(first)).toBeNull();
    expect(add(second)).toBeNull();
    expect(drops()).toEqual({ fragmentEnd: 2 });
  });

  it('gives up what is not complete in time', () => {
    add({ id: 1, start: 0, length: 8, more: true, now: 1000 });
    add({ id: 2, start: 0, length: 8, more: true, now: 2000 });
    expect(fragments.next()).toBe(31_000);
    fragments.expire(30_999);
    expect(fragments.size).toBe(2);
    fragments.expire(31_000);
    expect(fragments.size).toBe(1);
    expect(fragments.next()).toBe(32_000);
    expect(drops()).toEqual({ fragmentTimeout: 1 });
    expect(counters.ipReasmFails).toBe(1);
    expect(add({ id: 2, start: 8, length: 8, more: false, now: 32_000 })).toBeNull();
    expect(drops()).toEqual({ fragmentTimeout: 2 });
  });

  it('lets the oldest datagram go when there are too many', () => {
    for (let id = 1; id <= 5; id++) add({ id, start: 0, length: 8, more: true });
    expect(fragments.size).toBe(4);
    expect(drops()).toEqual({ fragmentLimit: 1 });
    expect(add({ id: 5, start: 8, length: 8, more: false })).not.toBeNull();
    expect(add({ id: 1, start: 8, length: 8, more: false })).toBeNull();
  });

  it('never holds more memory than its limit, however small the fragments', () => {
    let most = 0;
    for (let start = 0; start < 16 * 900; start += 16) {
      for (const id of [1, 2, 3]) {
        add({ id, start, length: 8, more: true });
        most = Math.max(most, fragments.bytes);
      }
    }
    expect(most).toBeLessThanOrEqual(LIMITS.maxBytes);
    expect(most).toBeGreaterThan(LIMITS.maxBytes - 1000);
    expect(Object.keys(drops())).toEqual(['fragmentLimit']);
    fragments.expire(Infinity);
    expect([fragments.bytes, fragments.size]).toEqual([0, 0]);
  });

  it('makes room for the oldest datagram by giving up a younger one', () => {
    fragments = new Fragments({ ...LIMITS, maxBytes: 2000 }, counters);
    add({ id: 1, start: 0, length: 480, more: true });
    add({ id: 2, start: 0, length: 800, more: true });
    expect(add({ id: 1, start: 480, length: 480, more: true })).toBeNull();
    expect(add({ id: 1, start: 960, length: 8, more: false })).not.toBeNull();
    expect(drops()).toEqual({ fragmentLimit: 1 });
  });

  it('gives up a datagram that alone is more than the limit', () => {
    fragments = new Fragments({ ...LIMITS, maxBytes: 1000 }, counters);
    add({ start: 0, length: 504, more: true });
    add({ start: 504, length: 504, more: true });
    expect(drops()).toEqual({ fragmentLimit: 2 });
    expect(fragments.bytes).toBe(0);
  });

  it('accounts for every fragment: delivered or dropped', () => {
    const random = new Random(11);
    let delivered = 0;
    for (let i = 0; i < 3000; i++) {
      const start = random.int(4) * 8;
      // No two are alike, so that none passes as a duplicate.
      const bytes = Uint8Array.of(i >> 8, i, 0, 0, 0, 0, 0, 0);
      const more = random.int(3) > 0;
      const whole = add({ id: random.int(8), start, length: 8, more, bytes, now: i * 500 });
      if (whole !== null) delivered += (whole.length - 20) / 8;
    }
    fragments.expire(Infinity);
    expect(delivered).toBeGreaterThan(0);
    expect(delivered + counters.drops.reduce((a, b) => a + b)).toBe(3000);
  });
});

describe('limits of reassembly', () => {
  it('may be changed one by one', () => {
    expect(fragmentLimits({ maxBytes: 1_000 })).toEqual({
      ...DEFAULT_FRAGMENT_LIMITS,
      maxBytes: 1_000,
    });
  });

  it.each(['maxBytes', 'maxDatagrams', 'timeout'])('%s must be a whole number above 0', (name) => {
    for (const value of [0, -1, 1.5, Number.NaN, '8']) {
      expect(() => fragmentLimits({ [name]: value })).toThrowError(
        expect.objectContaining({
          code: 'ERR_OUT_OF_RANGE',
          message: expect.stringContaining(`"fragments.${name}"`),
        }),
      );
    }
  });
});
