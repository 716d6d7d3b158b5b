import { RX_CHECKSUM_VOUCHED } from '../base/batch.js';
import { checksum, fold, pseudoHeaderSum } from '../wire/checksum.js';
import { IPV4_HEADER_BYTES, PROTOCOL_TCP } from '../wire/ipv4.js';
import { CWR, FIN, PSH } from '../wire/segment.js';
import { TCP_CHECKSUM_OFFSET, TCP_HEADER_BYTES } from '../wire/tcp.js';
import { copyBytes, type PacketPool, type WaitingPacket } from './faults-packet.js';

/**
 * Cuts the super-packet at `offset` into segments of up to `size` octets of text, as the kernel does
 * (TSO), and gives each to `take`. Their TCP checksums are left to be completed below. False, with
 * nothing done, when it is no TCP over IPv4 with more text than that.
 */
export function cutSuperPacket(
  bytes: Uint8Array,
  offset: number,
  length: number,
  size: number,
  pool: PacketPool,
  take: (segment: WaitingPacket) => void,
): boolean {
  if (length < IPV4_HEADER_BYTES + TCP_HEADER_BYTES || bytes[offset + 9] !== PROTOCOL_TCP) {
    return false;
  }
  const ipHeader = (bytes[offset]! & 15) << 2;
  const headers = ipHeader + ((bytes[offset + ipHeader + 12]! >> 4) << 2);
  if (size === 0 || length - headers <= size) return false;
  for (let at = headers, index = 0; at < length; at += size, index++) {
    const text = Math.min(size, length - at);
    const segment = pool.take(headers + text);
    copyBytes(bytes, offset, headers, segment.bytes, segment.offset);
    copyBytes(bytes, offset + at, text, segment.bytes, segment.offset + headers);
    segment.flags = RX_CHECKSUM_VOUCHED;
    finishHeaders(segment, ipHeader, index, at - headers, at + text === length);
    take(segment);
  }
  return true;
}

/** Makes the copied headers of a super-packet those of its segment `index`, `from` octets in. */
function finishHeaders(
  segment: WaitingPacket,
  ipHeader: number,
  index: number,
  from: number,
  isLast: boolean,
): void {
  const { bytes, view, offset, length } = segment;
  view.setUint16(offset + 2, length);
  view.setUint16(offset + 4, view.getUint16(offset + 4) + index);
  view.setUint16(offset + 10, 0);
  view.setUint16(offset + 10, checksum(bytes, view, offset, ipHeader));
  const tcp = offset + ipHeader;
  view.setInt32(tcp + 4, view.getInt32(tcp + 4) + from);
  if (!isLast) bytes[tcp + 13] = bytes[tcp + 13]! & ~(FIN | PSH);
  if (index > 0) bytes[tcp + 13] = bytes[tcp + 13]! & ~CWR;
  const pseudo = pseudoHeaderSum(
    view.getInt32(offset + 12),
    view.getInt32(offset + 16),
    PROTOCOL_TCP,
    length - ipHeader,
  );
  view.setUint16(tcp + TCP_CHECKSUM_OFFSET, fold(pseudo));
}
