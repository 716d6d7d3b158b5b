import { IPV4_MORE_FRAGMENTS, writeIpv4 } from '../../../src/wire/ipv4.js';

const MOST = 60;
/** Bits of the order: backwards, one lost, one twice, one overlapping, the last one lost. */
const BACKWARDS = 1;
const LOST = 2;
const TWICE = 4;
const OVERLAP = 8;
const NO_END = 16;

/** The fragments of a packet with a header of 20 bytes, each with `size` bytes of payload. */
export function cutIntoFragments(
  packet: Uint8Array,
  length: number,
  size: number,
  order: number,
): Uint8Array[] {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const payload = length - 20;
  const step = Math.max(size, Math.ceil(payload / MOST / 8) * 8);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload; at += step) {
    const from = (order & OVERLAP) !== 0 && at === step ? at - 8 : at;
    const end = Math.min(at + step, payload);
    const flags = (from >> 3) | (end < payload ? IPV4_MORE_FRAGMENTS : 0);
    const part = new Uint8Array(20 + end - from);
    const id = view.getUint16(4);
    const total = part.length;
    writeIpv4(
      new DataView(part.buffer),
      0,
      packet[1]!,
      total,
      id,
      flags,
      packet[8]!,
      packet[9]!,
      view.getInt32(12),
      view.getInt32(16),
    );
    part.set(packet.subarray(20 + from, 20 + end), 20);
    parts.push(part);
  }
  if ((order & BACKWARDS) !== 0) parts.reverse();
  if ((order & LOST) !== 0) parts.splice(parts.length >> 1, 1);
  if ((order & TWICE) !== 0 && parts.length > 0) parts.push(parts[0]!);
  if ((order & NO_END) !== 0) parts.pop();
  return parts;
}
