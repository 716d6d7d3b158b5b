import { seq } from '../base/seq.js';
import { Drop } from './drop-reason.js';
import {
  MAX_SACK_BLOCKS,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  type Segment,
  SYN,
} from './segment.js';

/** Length of a header without options. */
export const TCP_HEADER_BYTES = 20;
/** Most bytes of options that a header holds. */
export const TCP_MAX_OPTION_BYTES = 40;
/** Where the checksum stands in a header. */
export const TCP_CHECKSUM_OFFSET = 16;
/** The largest shift; a larger one offered counts as this (RFC 7323 §2.3). */
export const MAX_WINDOW_SCALE = 14;

const KIND_END = 0;
const KIND_NOP = 1;
const KIND_MSS = 2;
const KIND_WINDOW_SCALE = 3;
const KIND_SACK_PERMITTED = 4;
const KIND_SACK = 5;
const KIND_TIMESTAMPS = 8;

const TIMESTAMPS_BYTES = 10;
/** NOP, NOP, kind 8, length 10: how nearly everybody starts the options (RFC 7323 appendix A). */
const NOP_NOP_TIMESTAMPS = 0x0101080a;
/** In a SYN, SACK-permitted stands where the NOPs would. */
const SACK_PERMITTED_TIMESTAMPS = 0x0402080a;

const EMPTY: Uint8Array = Buffer.alloc(0);

/**
 * Fills the TCP fields of `segment` (RFC 9293 §3.1; the window is unsigned, MUST-1) from the
 * `length` bytes of a segment at `offset`; the payload stays where it is and its second range is
 * cleared. Addresses, `ttl`, `tos` and `segmentSize` are the caller's, and so is the checksum,
 * which is not looked at.
 */
export function parseTcp(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  segment: Segment,
): Drop {
  if (length < TCP_HEADER_BYTES) return Drop.TCP_SHORT;
  const headerLength = (bytes[offset + 12]! >> 4) << 2;
  if (headerLength < TCP_HEADER_BYTES || headerLength > length) return Drop.TCP_DATA_OFFSET;
  const ports = view.getInt32(offset);
  segment.srcPort = ports >>> 16;
  segment.dstPort = ports & 0xffff;
  segment.seq = seq(view.getInt32(offset + 4));
  segment.ack = seq(view.getInt32(offset + 8));
  segment.flags = bytes[offset + 13]!;
  segment.wnd = view.getUint16(offset + 14);
  segment.urg = view.getUint16(offset + 18);
  segment.bytes = bytes;
  segment.offset = offset + headerLength;
  segment.length = length - headerLength;
  segment.bytes2 = EMPTY;
  segment.offset2 = 0;
  segment.length2 = 0;

  segment.options = 0;
  segment.mss = 0;
  segment.windowScale = 0;
  segment.sackCount = 0;
  const optionsAt = offset + TCP_HEADER_BYTES;
  const end = offset + headerLength;
  if (headerLength === TCP_HEADER_BYTES + 12 && view.getInt32(optionsAt) === NOP_NOP_TIMESTAMPS) {
    segment.options = OPT_TIMESTAMPS;
    segment.tsVal = view.getInt32(optionsAt + 4);
    segment.tsEcr = view.getInt32(optionsAt + 8);
    return Drop.NONE;
  }
  segment.tsVal = 0;
  segment.tsEcr = 0;
  return optionsAt === end ? Drop.NONE : parseOptions(bytes, view, optionsAt, end, segment);
}

/**
 * The options of any segment, at any alignment (RFC 9293 §3.1, §3.2: MUST-4, MUST-5, MUST-64).
 * Unknown ones are skipped by their length (MUST-6, MUST-68); one that cannot be drops the segment
 * (MUST-7).
 */
function parseOptions(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  segment: Segment,
): Drop {
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === KIND_END) break;
    if (kind === KIND_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) return Drop.TCP_OPTION_LENGTH;
    parseOption(bytes, view, kind, at, length, segment);
    at += length;
  }
  return Drop.NONE;
}

/** Takes an option that is known, belongs into this segment and has its proper length. */
function parseOption(
  bytes: Uint8Array,
  view: DataView,
  kind: number,
  at: number,
  length: number,
  segment: Segment,
): void {
  const syn = (segment.flags & SYN) !== 0;
  switch (kind) {
    case KIND_MSS:
      if (length !== 4 || !syn) return;
      segment.options |= OPT_MSS;
      segment.mss = view.getUint16(at + 2);
      return;
    case KIND_WINDOW_SCALE:
      if (length !== 3 || !syn) return;
      segment.options |= OPT_WINDOW_SCALE;
      segment.windowScale = Math.min(bytes[at + 2]!, MAX_WINDOW_SCALE);
      return;
    case KIND_SACK_PERMITTED:
      if (length !== 2 || !syn) return;
      segment.options |= OPT_SACK_PERMITTED;
      return;
    case KIND_SACK: {
      const words = (length - 2) >> 2;
      if (length < 10 || (length - 2) % 8 !== 0 || words > MAX_SACK_BLOCKS * 2) return;
      segment.options |= OPT_SACK;
      segment.sackCount = words >> 1;
      for (let i = 0; i < words; i++) segment.sack[i] = view.getInt32(at + 2 + i * 4);
      return;
    }
    case KIND_TIMESTAMPS:
      if (length !== TIMESTAMPS_BYTES) return;
      segment.options |= OPT_TIMESTAMPS;
      segment.tsVal = view.getInt32(at + 2);
      segment.tsEcr = view.getInt32(at + 6);
      return;
  }
}

/** SACK blocks that have room besides the other options of a segment (RFC 2018 §3). */
function sackBlocks(segment: Segment): number {
  if ((segment.options & OPT_SACK) === 0 || (segment.flags & SYN) !== 0) return 0;
  const most = (segment.options & OPT_TIMESTAMPS) !== 0 ? MAX_SACK_BLOCKS - 1 : MAX_SACK_BLOCKS;
  return Math.min(segment.sackCount, most);
}

/**
 * Length in bytes of the header that {@link writeTcp} writes, a multiple of 4. MSS, window scale
 * and SACK-permitted count only in a SYN; SACK blocks only elsewhere, as many as there is room for.
 */
export function tcpHeaderLength(segment: Segment): number {
  const options = segment.options;
  if (options === 0) return TCP_HEADER_BYTES;
  const timestamps = (options & OPT_TIMESTAMPS) !== 0;
  let length = timestamps ? TCP_HEADER_BYTES + 12 : TCP_HEADER_BYTES;
  if ((segment.flags & SYN) !== 0) {
    if ((options & OPT_MSS) !== 0) length += 4;
    // SACK-permitted takes the place of the NOPs before the timestamps.
    if ((options & OPT_SACK_PERMITTED) !== 0 && !timestamps) length += 4;
    if ((options & OPT_WINDOW_SCALE) !== 0) length += 4;
    return length;
  }
  const blocks = sackBlocks(segment);
  return blocks > 0 ? length + 4 + blocks * 8 : length;
}

/**
 * Writes the header with its options, in Linux's order and alignment, and a checksum of 0; returns
 * its length in bytes ({@link tcpHeaderLength}).
 */
export function writeTcp(view: DataView, offset: number, segment: Segment): number {
  const length = tcpHeaderLength(segment);
  view.setInt32(offset, (segment.srcPort << 16) | segment.dstPort);
  view.setInt32(offset + 4, segment.seq);
  view.setInt32(offset + 8, segment.ack);
  view.setInt32(offset + 12, (length << 26) | ((segment.flags & 0xff) << 16) | segment.wnd);
  view.setInt32(offset + TCP_CHECKSUM_OFFSET, segment.urg);
  if (length === TCP_HEADER_BYTES) return length;
  const at = offset + TCP_HEADER_BYTES;
  if ((segment.flags & SYN) !== 0) writeSynOptions(view, at, segment);
  else writeOptions(view, at, segment);
  return length;
}

/**
 * What only a SYN has (MUST-14, MUST-65); NOPs and no end of list, so that nothing is padded
 * (MUST-69).
 */
function writeSynOptions(view: DataView, start: number, segment: Segment): void {
  const options = segment.options;
  const sackPermitted = (options & OPT_SACK_PERMITTED) !== 0;
  let at = start;
  if ((options & OPT_MSS) !== 0) {
    view.setInt32(at, (KIND_MSS << 24) | (4 << 16) | segment.mss);
    at += 4;
  }
  if ((options & OPT_TIMESTAMPS) !== 0) {
    view.setInt32(at, sackPermitted ? SACK_PERMITTED_TIMESTAMPS : NOP_NOP_TIMESTAMPS);
    view.setInt32(at + 4, segment.tsVal);
    view.setInt32(at + 8, segment.tsEcr);
    at += 12;
  } else if (sackPermitted) {
    view.setInt32(at, 0x01010402);
    at += 4;
  }
  if ((options & OPT_WINDOW_SCALE) !== 0) {
    view.setInt32(at, 0x01030300 | segment.windowScale);
  }
}

function writeOptions(view: DataView, start: number, segment: Segment): void {
  let at = start;
  if ((segment.options & OPT_TIMESTAMPS) !== 0) {
    view.setInt32(at, NOP_NOP_TIMESTAMPS);
    view.setInt32(at + 4, segment.tsVal);
    view.setInt32(at + 8, segment.tsEcr);
    at += 12;
  }
  const words = sackBlocks(segment) * 2;
  if (words === 0) return;
  view.setInt32(at, 0x01010500 | (2 + words * 4));
  for (let i = 0; i < words; i++) view.setInt32(at + 4 + i * 4, segment.sack[i]!);
}
