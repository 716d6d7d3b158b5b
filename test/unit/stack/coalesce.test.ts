import { describe, expect, it } from 'vitest';
import { coalesce, startsRun } from '../../../src/stack/coalesce.js';
import {
  ACK,
  ECE,
  FIN,
  OPT_TIMESTAMPS,
  PSH,
  RST,
  type Segment,
  SYN,
  URG,
} from '../../../src/wire/segment.js';
import { segment } from './segments.js';

/** Where packets lie in the arena, with 52 bytes of headers each. */
const STRIDE = 152;
const arena = Buffer.alloc(64 * STRIDE);

/** The segment of 100 bytes of text, or `len`, that lies at place `i`. */
function at(i: number, more: Partial<Segment> & { len?: number } = {}): Segment {
  const { len = 100, ...fields } = more;
  const one = segment(true, { flags: ACK, seq: 1000 + i * 100, ack: 7, len });
  one.bytes = arena;
  one.offset = i * STRIDE + 52;
  arena.fill(i, one.offset, one.offset + len);
  return Object.assign(one, { options: OPT_TIMESTAMPS, tsVal: 5, tsEcr: 6 }, fields);
}

describe('coalesce', () => {
  it('makes one of segments in a row, as long as their text', () => {
    const run = at(0);
    expect([1, 2].map((i) => coalesce(run, at(i)))).toEqual([true, true]);
    expect(run).toMatchObject({ seq: 1000, length: 300, segmentSize: 100, flags: ACK });
    const text = Buffer.concat([0, 1, 2].map((i) => Buffer.alloc(100, i)));
    expect(arena.subarray(run.offset, run.offset + run.length)).toEqual(text);
  });

  it('ends with one that is shorter', () => {
    const run = at(0);
    expect(coalesce(run, at(1, { len: 40 }))).toBe(true);
    expect(run).toMatchObject({ length: 140, segmentSize: 100 });
    expect(coalesce(run, at(2, { seq: 1140 as never, len: 40 }))).toBe(false);
  });

  it('ends with one that pushes, and pushes then', () => {
    const run = at(0);
    expect(coalesce(run, at(1, { flags: ACK | PSH }))).toBe(true);
    expect(run.flags).toBe(ACK | PSH);
    expect(coalesce(run, at(2))).toBe(false);
  });

  it.each<[string, Partial<Segment> & { len?: number }]>([
    ['a gap before it', { seq: 1101 as never }],
    ['nothing new', { seq: 1000 as never }],
    ['more text', { len: 101 }],
    ['no text', { len: 0 }],
    ['another connection', { srcPort: 1 }],
    ['another acknowledgment', { ack: 8 as never }],
    ['another window', { wnd: 1 }],
    ['another time', { tsVal: 6 }],
    ['another echo', { tsEcr: 7 }],
    ['other options', { options: 0 }],
    ['a mark of congestion', { tos: 3 }],
    ['another TTL', { ttl: 1 }],
    ['other memory', { bytes: new Uint8Array(10_000) }],
    ['FIN', { flags: ACK | FIN }],
    ['RST', { flags: RST }],
    ['URG', { flags: ACK | URG }],
    ['ECE', { flags: ACK | ECE }],
  ])('leaves alone one with %s', (_, fields) => {
    const run = at(0);
    const next = at(1, fields);
    const before = Buffer.from(arena);
    expect(coalesce(run, next)).toBe(false);
    expect(run).toMatchObject({ length: 100, segmentSize: 0 });
    expect(arena.equals(before)).toBe(true);
  });

  it('is no longer than what offload gives', () => {
    const run = at(0);
    run.length = 65_400;
    run.segmentSize = 100;
    expect(coalesce(run, at(1, { seq: (1000 + 65_400) as never }))).toBe(false);
  });
});

describe('startsRun', () => {
  it.each([
    ['text', {}, true],
    ['text that is pushed', { flags: ACK | PSH }, false],
    ['no text', { len: 0 }, false],
    ['SYN', { flags: SYN }, false],
    ['the last text', { flags: ACK | FIN }, false],
  ] as const)('%s', (_, fields, expected) => {
    expect(startsRun(at(0, fields))).toBe(expected);
  });
});
