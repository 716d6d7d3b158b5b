/**
 * The Internet checksum (RFC 1071). A partial sum is a plain number, the sum of 16-bit or 32-bit
 * big-endian words not yet folded to 16 bits; adding partial sums up to 2^53 loses nothing, since
 * 2^16 = 1 modulo 2^16 - 1.
 *
 * `bytes` and `view` are always the same memory: `view` reads words at any alignment, `bytes` the
 * odd byte at the end.
 */

/** The sum over `length` bytes from `offset` on, folded to 16 bits: {@link sum} by other means. */
export type LongSum = (bytes: Uint8Array, offset: number, length: number) => number;

/** From so many bytes on, leaving JavaScript pays. */
const LONG_BYTES = 4_096;
let longSum: LongSum | null = null;

/** Has ranges that are longer than ordinary packets summed by `sum` from now on. */
export function sumLongRangesWith(sum: LongSum | null): void {
  longSum = sum;
}

/** Adds `length` bytes from `offset` on to `initial`; an odd length is padded with a zero byte. */
export function sum(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  initial: number,
): number {
  if (length >= LONG_BYTES && longSum !== null) return initial + longSum(bytes, offset, length);
  const end = offset + length;
  let at = offset;
  // Four sums side by side, so that the additions do not wait for each other.
  let a = initial;
  let b = 0;
  let c = 0;
  let d = 0;
  for (const last = end - 32; at <= last; at += 32) {
    a += view.getUint32(at);
    b += view.getUint32(at + 4);
    c += view.getUint32(at + 8);
    d += view.getUint32(at + 12);
    a += view.getUint32(at + 16);
    b += view.getUint32(at + 20);
    c += view.getUint32(at + 24);
    d += view.getUint32(at + 28);
  }
  for (const last = end - 4; at <= last; at += 4) a += view.getUint32(at);
  if (end - at >= 2) {
    b += view.getUint16(at);
    at += 2;
  }
  if (at < end) c += bytes[at]! << 8;
  return a + b + c + d;
}

/** Folds a partial sum to 16 bits, not complemented. */
export function fold(sum: number): number {
  const high = Math.floor(sum / 0x1_0000_0000);
  const low = sum - high * 0x1_0000_0000;
  // At most 2^21 + 2 * 2^16: small integers from here on.
  let folded = (high | 0) + (low >>> 16) + (low & 0xffff);
  folded = (folded >>> 16) + (folded & 0xffff);
  return ((folded >>> 16) + folded) & 0xffff;
}

/** The checksum as it stands in a header: folded and complemented. 0 over a range that includes it. */
export function checksum(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  initial = 0,
): number {
  return ~fold(sum(bytes, view, offset, length, initial)) & 0xffff;
}

/** Partial sum of the pseudo-header (RFC 9293 §3.1); `length` is that of the TCP segment in bytes. */
export function pseudoHeaderSum(
  srcAddr: number,
  dstAddr: number,
  protocol: number,
  length: number,
): number {
  return (
    (srcAddr >>> 16) +
    (srcAddr & 0xffff) +
    (dstAddr >>> 16) +
    (dstAddr & 0xffff) +
    protocol +
    length
  );
}

/** The checksum after one 16-bit word under it has changed (RFC 1624 §3, equation 3). */
export function update(oldChecksum: number, oldWord: number, newWord: number): number {
  let sum = (~oldChecksum & 0xffff) + (~oldWord & 0xffff) + (newWord & 0xffff);
  sum = (sum >>> 16) + (sum & 0xffff);
  return ~(sum + (sum >>> 16)) & 0xffff;
}
