import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_SECTION_HEADER,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
  EPB_FLAGS,
  IF_TSRESOL,
  LINKTYPE_RAW,
  OPT_COMMENT,
} from './pcapng.js';

/** A packet as a capture file has it. */
export interface ReadPacket {
  /** Nanoseconds since 1970. */
  time: bigint;
  /** What was kept of the packet, from its IP header on. */
  bytes: Uint8Array;
  /** Length of the packet on the link, from its IP header on. */
  originalLength: number;
  /** 1 in, 2 out, 0 not recorded. */
  direction: number;
  comment: string | null;
}

/** Where the IP header is, by link type: raw, raw as BSD has it, IPv4, Ethernet. */
const IP_OFFSET: Readonly<Record<number, number>> = {
  [LINKTYPE_RAW]: 0,
  12: 0,
  14: 0,
  228: 0,
  1: 14,
};
const LINKTYPE_ETHERNET = 1;
const ETHERTYPE_IPV4 = 0x0800;

const PCAP_HEADER_BYTES = 24;
const PCAP_RECORD_BYTES = 16;
/** The magic numbers of pcap, by the factor from its units of time to nanoseconds. */
const PCAP_MAGIC: Readonly<Record<number, bigint>> = { 2712847316: 1000n, 2712812621: 1n };

interface Interface {
  linkType: number;
  snaplen: number;
  /** Ticks per second. */
  resolution: bigint;
}

/**
 * The IPv4 packets of a capture file, pcapng or pcap of either byte order; other packets are left out.
 * @throws Error for what is no such file, is cut off, or is of a link type other than IP or Ethernet;
 * the packets before a cut have been given by then
 */
export function* readCapture(file: Uint8Array): Generator<ReadPacket> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 4) throw new Error('not a capture file: too short');
  if (view.getUint32(0) === BLOCK_SECTION_HEADER) yield* readPcapng(file, view);
  else yield* readPcap(file, view);
}

function* readPcap(file: Uint8Array, view: DataView): Generator<ReadPacket> {
  const little = PCAP_MAGIC[view.getUint32(0, true)] !== undefined;
  const unit = PCAP_MAGIC[view.getUint32(0, little)];
  if (unit === undefined) throw new Error('not a capture file: neither pcapng nor pcap');
  if (file.length < PCAP_HEADER_BYTES) throw cutOff(file.length);
  const linkType = view.getUint32(20, little) & 0xffff;
  for (let at = PCAP_HEADER_BYTES; at < file.length; ) {
    if (at + PCAP_RECORD_BYTES > file.length) throw cutOff(at);
    const seconds = BigInt(view.getUint32(at, little)) * 1_000_000_000n;
    const time = seconds + BigInt(view.getUint32(at + 4, little)) * unit;
    const length = view.getUint32(at + 8, little);
    const start = at + PCAP_RECORD_BYTES;
    if (start + length > file.length) throw cutOff(at);
    const original = view.getUint32(at + 12, little);
    const packet = ipPacket(file, start, length, original, linkType, time);
    if (packet !== null) yield packet;
    at = start + length;
  }
}

function* readPcapng(file: Uint8Array, view: DataView): Generator<ReadPacket> {
  let little = true;
  let interfaces: Interface[] = [];
  for (let at = 0; at < file.length; ) {
    if (at + 12 > file.length) throw cutOff(at);
    if (view.getUint32(at) === BLOCK_SECTION_HEADER) {
      little = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
      interfaces = [];
    }
    const type = view.getUint32(at, little);
    const total = view.getUint32(at + 4, little);
    if (total < 12 || total % 4 !== 0) throw new Error(`broken capture file: block at byte ${at}`);
    const end = at + total - 4;
    if (end + 4 > file.length) throw cutOff(at);
    if (type === BLOCK_INTERFACE && total >= 20) {
      interfaces.push(readInterface(view, at, end, little));
    } else if (type === BLOCK_ENHANCED_PACKET && total >= 32) {
      const packet = readEnhanced(file, view, at, end, little, interfaces);
      if (packet !== null) yield packet;
    } else if (type === BLOCK_SIMPLE_PACKET && total >= 16 && interfaces[0] !== undefined) {
      const original = view.getUint32(at + 8, little);
      const { snaplen, linkType } = interfaces[0];
      const kept = Math.min(original, end - at - 12, snaplen === 0 ? Infinity : snaplen);
      const packet = ipPacket(file, at + 12, kept, original, linkType, 0n);
      if (packet !== null) yield packet;
    }
    at = end + 4;
  }
}

function readInterface(view: DataView, at: number, end: number, little: boolean): Interface {
  let resolution = 1_000_000n;
  eachOption(view, at + 16, end, little, (code, value, length) => {
    if (code !== IF_TSRESOL || length !== 1) return;
    const exponent = view.getUint8(value);
    resolution = exponent < 128 ? 10n ** BigInt(exponent) : 2n ** BigInt(exponent & 127);
  });
  return {
    linkType: view.getUint16(at + 8, little),
    snaplen: view.getUint32(at + 12, little),
    resolution,
  };
}

function readEnhanced(
  file: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  little: boolean,
  interfaces: readonly Interface[],
): ReadPacket | null {
  const by = interfaces[view.getUint32(at + 8, little)];
  const length = view.getUint32(at + 20, little);
  const start = at + 28;
  if (by === undefined || start + length > end) {
    throw new Error(`broken capture file: packet at byte ${at}`);
  }
  const high = BigInt(view.getUint32(at + 12, little));
  const ticks = (high << 32n) | BigInt(view.getUint32(at + 16, little));
  const time = (ticks * 1_000_000_000n) / by.resolution;
  const original = view.getUint32(at + 24, little);
  const packet = ipPacket(file, start, length, original, by.linkType, time);
  if (packet === null) return null;
  eachOption(view, start + ((length + 3) & ~3), end, little, (code, value, bytes) => {
    if (code === EPB_FLAGS && bytes === 4) packet.direction = view.getUint32(value, little) & 3;
    if (code === OPT_COMMENT) {
      packet.comment = Buffer.from(file.subarray(value, value + bytes)).toString();
    }
  });
  return packet;
}

function eachOption(
  view: DataView,
  from: number,
  end: number,
  little: boolean,
  visit: (code: number, value: number, length: number) => void,
): void {
  for (let at = from; at + 4 <= end; ) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === 0 || at + 4 + length > end) return;
    visit(code, at + 4, length);
    at += 4 + ((length + 3) & ~3);
  }
}

function ipPacket(
  file: Uint8Array,
  start: number,
  length: number,
  original: number,
  linkType: number,
  time: bigint,
): ReadPacket | null {
  const skip = IP_OFFSET[linkType];
  if (skip === undefined) throw new Error(`link type ${linkType} is neither IP nor Ethernet`);
  if (length <= skip) return null;
  if (linkType === LINKTYPE_ETHERNET) {
    const type = (file[start + 12]! << 8) | file[start + 13]!;
    if (type !== ETHERTYPE_IPV4) return null;
  }
  const bytes = file.subarray(start + skip, start + length);
  if (bytes[0]! >> 4 !== 4) return null;
  return { time, bytes, originalLength: original - skip, direction: 0, comment: null };
}

function cutOff(at: number): Error {
  return new Error(`the capture file is cut off: nothing complete from byte ${at} on`);
}
