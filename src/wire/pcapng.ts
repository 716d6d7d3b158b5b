import type { TxBatch } from '../base/batch.js';
import { completeChecksum } from './complete-checksum.js';

/**
 * The blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian: a section header, an
 * interface description for each interface, then packets, then statistics. Times are nanoseconds
 * since 1970, in two halves because they do not fit into a number.
 */

/** Packets begin with their IP header. */
export const LINKTYPE_RAW = 101;
/** Bytes of each packet that are kept unless asked for less; all of any IPv4 packet. */
export const DEFAULT_SNAPLEN = 262_144;

export const BLOCK_SECTION_HEADER = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_STATISTICS = 5;
export const BLOCK_ENHANCED_PACKET = 6;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Option codes; 1 (opt_comment) is the same in every block. */
const OPT_END = 0;
export const OPT_COMMENT = 1;
const IF_NAME = 2;
export const IF_TSRESOL = 9;
export const EPB_FLAGS = 2;
const ISB_RECEIVED = 4;
const ISB_DROPPED = 5;
const SHB_APPLICATION = 4;

/** if_tsresol: units of 10^-9 s. */
const NANOSECONDS = 9;

/** Direction bits of epb_flags. */
export const INBOUND = 1;
export const OUTBOUND = 2;

/** Type and length in front, length behind. */
const BLOCK_BYTES = 12;
/** Interface, time in two words, captured and original length. */
const PACKET_FIELDS_BYTES = 20;
const FLAGS_OPTION_BYTES = 8;
const END_OPTION_BYTES = 4;

export interface CaptureInterface {
  /** Such as `tun0`. */
  readonly name: string;
  /** Most bytes of a packet that are kept. */
  readonly snaplen: number;
}

/** One packet for {@link writeEnhancedPacket}; one object is filled again and again. */
export class CapturedPacket {
  /** Number of the interface in its section, from 0 on. */
  iface = 0;
  /** Nanoseconds since 1970, divided by 2^32. */
  timeHigh = 0;
  /** The same, modulo 2^32. */
  timeLow = 0;
  /** {@link INBOUND} or {@link OUTBOUND}. */
  direction = INBOUND;
  /** UTF-8 text, or null. */
  comment: Uint8Array | null = null;
  /** Where the packet lies, unless it is one of {@link batch}. `view` is the same memory. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  /** Has the packet at {@link index}, behind {@link headroom} bytes; or null. */
  batch: TxBatch | null = null;
  index = 0;
  headroom = 0;
  /** The TCP checksum may be that of the pseudo-header alone, and is then completed in the copy. */
  partialChecksum = false;
  /** Bytes that are kept, at most the interface's snaplen. */
  length = 0;
  /** Length of the packet as it was on the link, in bytes. */
  originalLength = 0;

  /** Sets the time to `now` ms on a scale whose 0 is `epoch` ms after 1970. */
  stamp(epoch: number, now: number): void {
    const whole = Math.floor(epoch) + Math.floor(now);
    const fraction = epoch - Math.floor(epoch) + (now - Math.floor(now));
    const time = BigInt(whole) * 1_000_000n + BigInt(Math.floor(fraction * 1e6));
    this.timeHigh = Number(time >> 32n);
    this.timeLow = Number(time & 0xffff_ffffn);
  }
}

/** The block that a file begins with. */
export function sectionHeader(application: string): Uint8Array {
  const text = Buffer.from(application);
  const { bytes, view } = block(BLOCK_SECTION_HEADER, 16 + optionBytes(text.length));
  view.setUint32(8, BYTE_ORDER_MAGIC, true);
  view.setUint16(12, 1, true);
  // Length of the section: not known beforehand.
  view.setInt32(16, -1, true);
  view.setInt32(20, -1, true);
  writeOption(bytes, view, 24, SHB_APPLICATION, text);
  return bytes;
}

/** Describes an interface; those of a section are numbered in the order of these blocks. */
export function interfaceDescription({ name, snaplen }: CaptureInterface): Uint8Array {
  const text = Buffer.from(name);
  const { bytes, view } = block(BLOCK_INTERFACE, 8 + optionBytes(text.length) + optionBytes(1));
  view.setUint16(8, LINKTYPE_RAW, true);
  view.setUint32(12, snaplen, true);
  const next = writeOption(bytes, view, 16, IF_NAME, text);
  writeOption(bytes, view, next, IF_TSRESOL, Uint8Array.of(NANOSECONDS));
  return bytes;
}

/**
 * What happened at an interface until now.
 * @param received packets that were to be captured
 * @param lost packets of these that are not in the file
 */
export function interfaceStatistics(
  iface: number,
  timeHigh: number,
  timeLow: number,
  received: number,
  lost: number,
): Uint8Array {
  const { bytes, view } = block(BLOCK_STATISTICS, 12 + 2 * optionBytes(8));
  view.setUint32(8, iface, true);
  view.setUint32(12, timeHigh, true);
  view.setUint32(16, timeLow, true);
  const next = writeOption(bytes, view, 20, ISB_RECEIVED, uint64(received));
  writeOption(bytes, view, next, ISB_DROPPED, uint64(lost));
  return bytes;
}

/** Length in bytes of the block that {@link writeEnhancedPacket} writes, a multiple of 4. */
export function enhancedPacketBytes(packet: CapturedPacket): number {
  const comment = packet.comment === null ? 0 : optionBytes(packet.comment.length);
  return (
    BLOCK_BYTES +
    PACKET_FIELDS_BYTES +
    padded(packet.length) +
    comment +
    FLAGS_OPTION_BYTES +
    END_OPTION_BYTES
  );
}

function copyPacket(packet: CapturedPacket, target: Uint8Array, at: number): void {
  const { batch, index, headroom, bytes, offset, length } = packet;
  if (batch === null) target.set(bytes.subarray(offset, offset + length), at);
  else batch.copyRange(index, headroom, headroom + length, target, at);
}

/** Writes a packet's block at `at`; returns its length. `bytes` and `view` are the same memory. */
export function writeEnhancedPacket(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  packet: CapturedPacket,
): number {
  const total = enhancedPacketBytes(packet);
  const { length } = packet;
  view.setUint32(at, BLOCK_ENHANCED_PACKET, true);
  view.setUint32(at + 4, total, true);
  view.setUint32(at + 8, packet.iface, true);
  view.setUint32(at + 12, packet.timeHigh, true);
  view.setUint32(at + 16, packet.timeLow, true);
  view.setUint32(at + 20, length, true);
  view.setUint32(at + 24, packet.originalLength, true);
  const data = at + 28;
  copyPacket(packet, bytes, data);
  // Nobody checks the checksum of half a packet.
  if (packet.partialChecksum && length === packet.originalLength) {
    completeChecksum(bytes, view, data, length);
  }
  let next = data + padded(length);
  bytes.fill(0, data + length, next);
  if (packet.comment !== null) {
    next = writeOption(bytes, view, next, OPT_COMMENT, packet.comment);
  }
  view.setUint16(next, EPB_FLAGS, true);
  view.setUint16(next + 2, 4, true);
  view.setUint32(next + 4, packet.direction, true);
  view.setUint32(next + FLAGS_OPTION_BYTES, OPT_END, true);
  view.setUint32(at + total - 4, total, true);
  return total;
}

/** A block with room for `bodyBytes` and the end of the options. */
function block(type: number, bodyBytes: number) {
  const total = BLOCK_BYTES + bodyBytes + END_OPTION_BYTES;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  view.setUint32(total - 4, total, true);
  return { bytes, view };
}

function optionBytes(length: number): number {
  return 4 + padded(length);
}

/** Returns where the next option goes. */
function writeOption(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  code: number,
  value: Uint8Array,
): number {
  view.setUint16(at, code, true);
  view.setUint16(at + 2, value.length, true);
  bytes.set(value, at + 4);
  const next = at + optionBytes(value.length);
  bytes.fill(0, at + 4 + value.length, next);
  return next;
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
