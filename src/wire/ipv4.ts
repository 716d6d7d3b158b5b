import { Drop } from './drop-reason.js';

/** Length of a header without options, the only kind that is sent. */
export const IPV4_HEADER_BYTES = 20;
/** The longest datagram (RFC 791 §3.1). */
export const IPV4_MAX_BYTES = 65535;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;

/** Bits of the 16-bit word that also holds the fragment offset, in units of 8 bytes. */
export const IPV4_DONT_FRAGMENT = 0x4000;
export const IPV4_MORE_FRAGMENTS = 0x2000;

/** A decoded header (RFC 791 §3.1); one object is filled again and again. */
export class Ipv4Header {
  /** DSCP and ECN. */
  tos = 0;
  /** Header and payload, in bytes. */
  totalLength = 0;
  id = 0;
  dontFragment = false;
  moreFragments = false;
  /** In bytes, a multiple of 8. */
  fragmentOffset = 0;
  ttl = 0;
  protocol = 0;
  /** Int32 in network order: 10.7.0.2 is 0x0a070002. */
  srcAddr = 0;
  dstAddr = 0;
  /** In bytes, options included. */
  headerLength = 0;
}

/**
 * Fills `header` from the packet of `length` bytes at `offset`. The payload starts
 * `header.headerLength` bytes in and ends at `header.totalLength`, which may leave bytes unused.
 * Options are skipped, a source route too (RFC 9293 MUST-50, MUST-53).
 */
export function parseIpv4(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  header: Ipv4Header,
): Drop {
  if (length < IPV4_HEADER_BYTES) return Drop.IP_SHORT;
  const versionAndLength = bytes[offset]!;
  if (versionAndLength >> 4 !== 4) return Drop.IP_VERSION;
  const headerLength = (versionAndLength & 15) << 2;
  if (headerLength < IPV4_HEADER_BYTES || headerLength > length) return Drop.IP_HEADER_LENGTH;
  const totalLength = view.getUint16(offset + 2);
  if (totalLength < headerLength || totalLength > length) return Drop.IP_TOTAL_LENGTH;
  const fragment = view.getUint16(offset + 6);
  const srcAddr = view.getInt32(offset + 12);
  const dstAddr = view.getInt32(offset + 16);
  let sum =
    view.getUint16(offset) +
    totalLength +
    view.getUint16(offset + 4) +
    fragment +
    view.getUint16(offset + 8) +
    view.getUint16(offset + 10) +
    (srcAddr >>> 16) +
    (srcAddr & 0xffff) +
    (dstAddr >>> 16) +
    (dstAddr & 0xffff);
  for (let at = IPV4_HEADER_BYTES; at < headerLength; at += 2) sum += view.getUint16(offset + at);
  sum = (sum >>> 16) + (sum & 0xffff);
  if ((sum >>> 16) + (sum & 0xffff) !== 0xffff) return Drop.IP_CHECKSUM;

  header.tos = bytes[offset + 1]!;
  header.totalLength = totalLength;
  header.id = view.getUint16(offset + 4);
  header.dontFragment = (fragment & IPV4_DONT_FRAGMENT) !== 0;
  header.moreFragments = (fragment & IPV4_MORE_FRAGMENTS) !== 0;
  header.fragmentOffset = (fragment & 0x1fff) << 3;
  header.ttl = bytes[offset + 8]!;
  header.protocol = bytes[offset + 9]!;
  header.srcAddr = srcAddr;
  header.dstAddr = dstAddr;
  header.headerLength = headerLength;
  return Drop.NONE;
}

/**
 * Writes a header of 20 bytes with its checksum. A `totalLength` that has no room in it is written as 0,
 * which Linux takes for that of the packet when that is still to be cut ("BIG TCP"). `flags` is the word of {@link IPV4_DONT_FRAGMENT},
 * {@link IPV4_MORE_FRAGMENTS} and the fragment offset.
 */
export function writeIpv4(
  view: DataView,
  offset: number,
  tos: number,
  totalLength: number,
  id: number,
  flags: number,
  ttl: number,
  protocol: number,
  srcAddr: number,
  dstAddr: number,
): void {
  const length = totalLength > IPV4_MAX_BYTES ? 0 : totalLength;
  const first = 0x4500 | (tos & 0xff);
  const ttlAndProtocol = ((ttl & 0xff) << 8) | (protocol & 0xff);
  let sum =
    first +
    length +
    (id & 0xffff) +
    flags +
    ttlAndProtocol +
    (srcAddr >>> 16) +
    (srcAddr & 0xffff) +
    (dstAddr >>> 16) +
    (dstAddr & 0xffff);
  sum = (sum >>> 16) + (sum & 0xffff);
  sum = (sum >>> 16) + (sum & 0xffff);
  view.setInt32(offset, (first << 16) | length);
  view.setInt32(offset + 4, (id << 16) | flags);
  view.setInt32(offset + 8, (ttlAndProtocol << 16) | (~sum & 0xffff));
  view.setInt32(offset + 12, srcAddr);
  view.setInt32(offset + 16, dstAddr);
}

const DOTTED_QUAD = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** An address as int32 from its dotted quad, as strict as inet_pton: no leading zeros, no blanks. */
export function parseAddress(text: string): number | null {
  const match = DOTTED_QUAD.exec(text);
  if (match === null) return null;
  let addr = 0;
  for (let i = 1; i <= 4; i++) {
    const part = match[i]!;
    const octet = Number(part);
    if (octet > 255 || (part.length > 1 && part.startsWith('0'))) return null;
    addr = (addr << 8) | octet;
  }
  return addr;
}

export function formatAddress(addr: number): string {
  return `${addr >>> 24}.${(addr >>> 16) & 0xff}.${(addr >>> 8) & 0xff}.${addr & 0xff}`;
}

/** An address with the length of its prefix, from `10.7.0.2/24`; null when it is not that. */
export function parseCidr(text: string): { address: number; prefix: number } | null {
  const slash = text.indexOf('/');
  if (slash < 0) return null;
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^(?:[1-9]?\d)$/.test(digits) || Number(digits) > 32) return null;
  return { address, prefix: Number(digits) };
}

/** 224.0.0.0/4 */
export function isMulticast(addr: number): boolean {
  return addr >>> 28 === 14;
}

/** 127.0.0.0/8 */
export function isLoopback(addr: number): boolean {
  return addr >>> 24 === 127;
}

/** 255.255.255.255, the limited broadcast; that of a network depends on its prefix. */
export function isBroadcast(addr: number): boolean {
  return addr === -1;
}
