/**
 * `struct virtio_net_hdr` (Virtio 1.2 §5.1.6, linux/virtio_net.h), which stands in front of each
 * packet of a device with `IFF_VNET_HDR`. Little-endian here: the addon asks for it
 * (`TUNSETVNETLE`), so the layout is the same on every machine.
 *
 * ```
 * 0 flags   1 gso_type   2 hdr_len   4 gso_size   6 csum_start   8 csum_offset
 * ```
 */
export const VIRTIO_HEADER_BYTES = 10;

/** `flags`: the checksum from `csum_start` on is still to be completed. */
export const VIRTIO_NEEDS_CSUM = 0x01;
/** `flags`: the checksum was verified below. */
export const VIRTIO_DATA_VALID = 0x02;

/** `gso_type`, without {@link VIRTIO_GSO_ECN}. */
export const VIRTIO_GSO_NONE = 0;
export const VIRTIO_GSO_TCPV4 = 1;
/** Bit in `gso_type`: CWR is set in the first segment only. */
export const VIRTIO_GSO_ECN = 0x80;

/** Where the checksum stands in a TCP header (RFC 9293 §3.1). */
const TCP_CHECKSUM_OFFSET = 16;

/**
 * Writes the header of a TCP packet whose checksum is left to be completed below; its checksum
 * field holds the folded sum of the pseudo-header, not complemented.
 *
 * @param offset where the virtio header starts in `view`
 * @param checksumStart length of the IPv4 header in bytes
 * @param gsoSize payload bytes of each segment to cut the packet into; 0: it goes as it is
 * @param headerLength length of the IPv4 and TCP headers in bytes
 * @param cwr CWR is set, for the first of the segments alone
 */
export function writeVirtioHeader(
  view: DataView,
  offset: number,
  checksumStart: number,
  gsoSize: number,
  headerLength: number,
  cwr = false,
): void {
  const cut = cwr ? VIRTIO_GSO_TCPV4 | VIRTIO_GSO_ECN : VIRTIO_GSO_TCPV4;
  view.setUint8(offset, VIRTIO_NEEDS_CSUM);
  view.setUint8(offset + 1, gsoSize > 0 ? cut : VIRTIO_GSO_NONE);
  view.setUint16(offset + 2, headerLength, true);
  view.setUint16(offset + 4, gsoSize, true);
  view.setUint16(offset + 6, checksumStart, true);
  view.setUint16(offset + 8, TCP_CHECKSUM_OFFSET, true);
}

/** Writes the header of a packet that is complete as it is: all zero. */
export function clearVirtioHeader(view: DataView, offset: number): void {
  view.setInt32(offset, 0);
  view.setInt32(offset + 4, 0);
  view.setInt16(offset + 8, 0);
}

/** `VIRTIO_NEEDS_CSUM`, `VIRTIO_DATA_VALID` or 0. */
export function virtioFlags(view: DataView, offset: number): number {
  return view.getUint8(offset);
}

/** True when the sender's kernel vouches for the TCP checksum, so that it needs no check. */
export function virtioVouched(view: DataView, offset: number): boolean {
  return (view.getUint8(offset) & (VIRTIO_NEEDS_CSUM | VIRTIO_DATA_VALID)) !== 0;
}

/** Kind of super-segment, without the ECN bit. */
export function virtioGsoType(view: DataView, offset: number): number {
  return view.getUint8(offset + 1) & ~VIRTIO_GSO_ECN;
}

/** Payload bytes of each segment of a TCP over IPv4 super-segment; 0 when it is a single one. */
export function virtioSegmentSize(view: DataView, offset: number): number {
  return virtioGsoType(view, offset) === VIRTIO_GSO_TCPV4 ? view.getUint16(offset + 4, true) : 0;
}
