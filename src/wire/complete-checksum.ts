import { checksum, fold, pseudoHeaderSum } from './checksum.js';
import { IPV4_HEADER_BYTES, PROTOCOL_TCP } from './ipv4.js';
import { TCP_CHECKSUM_OFFSET, TCP_HEADER_BYTES } from './tcp.js';

/**
 * Completes the TCP checksum of an IPv4 packet where it is the sum of the pseudo-header, as left for
 * hardware to complete; leaves every other packet as it is.
 */
export function completeChecksum(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
): void {
  if (length < IPV4_HEADER_BYTES || bytes[offset + 9] !== PROTOCOL_TCP) return;
  const header = (bytes[offset]! & 15) << 2;
  const tcpLength = view.getUint16(offset + 2) - header;
  if (tcpLength < TCP_HEADER_BYTES || header + tcpLength > length) return;
  const pseudo = pseudoHeaderSum(
    view.getInt32(offset + 12),
    view.getInt32(offset + 16),
    PROTOCOL_TCP,
    tcpLength,
  );
  const tcp = offset + header;
  const at = tcp + TCP_CHECKSUM_OFFSET;
  if (view.getUint16(at) !== fold(pseudo)) return;
  view.setUint16(at, 0);
  view.setUint16(at, checksum(bytes, view, tcp, tcpLength, pseudo));
}
