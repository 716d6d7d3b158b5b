import { checksum, update } from './checksum.js';
import { Drop } from './drop-reason.js';

/** Type, code, checksum and four bytes whose meaning depends on the type (RFC 792). */
export const ICMP_HEADER_BYTES = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_SOURCE_QUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

/** Codes of {@link ICMP_UNREACHABLE} (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1). */
export const NET_UNREACHABLE = 0;
export const HOST_UNREACHABLE = 1;
export const PROTOCOL_UNREACHABLE = 2;
export const PORT_UNREACHABLE = 3;
/** With the next hop's MTU in the lower 16 bits of `rest` (RFC 1191 §4). */
export const FRAG_NEEDED = 4;
export const SOURCE_ROUTE_FAILED = 5;
export const NET_UNKNOWN = 6;
export const HOST_UNKNOWN = 7;
export const SOURCE_HOST_ISOLATED = 8;
export const NET_PROHIBITED = 9;
export const HOST_PROHIBITED = 10;
export const NET_UNREACHABLE_FOR_TOS = 11;
export const HOST_UNREACHABLE_FOR_TOS = 12;
export const ADMINISTRATIVELY_PROHIBITED = 13;

/** Codes of {@link ICMP_TIME_EXCEEDED}. */
export const TTL_EXCEEDED = 0;
export const REASSEMBLY_TIME_EXCEEDED = 1;

/** An error message and its IPv4 header stay within 576 bytes (RFC 1812 §4.3.2.3). */
const MAX_QUOTED_BYTES = 576 - 20 - ICMP_HEADER_BYTES;

/** A decoded message; one object is filled again and again. */
export class IcmpMessage {
  type = 0;
  code = 0;
  /** Bytes 4 to 7 as int32: identifier and sequence number of an echo, the MTU of FRAG_NEEDED. */
  rest = 0;
  /** What follows the header: the data of an echo, the packet quoted by an error. */
  bodyOffset = 0;
  bodyLength = 0;
}

/** Fills `message` from the `length` bytes at `offset`, whose checksum it verifies. */
export function parseIcmp(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  length: number,
  message: IcmpMessage,
): Drop {
  if (length < ICMP_HEADER_BYTES) return Drop.ICMP_SHORT;
  if (checksum(bytes, view, offset, length) !== 0) return Drop.ICMP_CHECKSUM;
  message.type = bytes[offset]!;
  message.code = bytes[offset + 1]!;
  message.rest = view.getInt32(offset + 4);
  message.bodyOffset = offset + ICMP_HEADER_BYTES;
  message.bodyLength = length - ICMP_HEADER_BYTES;
  return Drop.NONE;
}

/** True for the types that report on another packet, which must not be answered (RFC 1122 §3.2.2). */
export function isIcmpError(type: number): boolean {
  return (
    type === ICMP_UNREACHABLE ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM
  );
}

/** Writes a message with a copy of the given body; returns its length in bytes. */
export function writeIcmp(
  view: DataView,
  bytes: Uint8Array,
  offset: number,
  type: number,
  code: number,
  rest: number,
  body: Uint8Array,
  bodyOffset: number,
  bodyLength: number,
): number {
  const length = ICMP_HEADER_BYTES + bodyLength;
  bytes.set(body.subarray(bodyOffset, bodyOffset + bodyLength), offset + ICMP_HEADER_BYTES);
  view.setInt32(offset, (type << 24) | (code << 16));
  view.setInt32(offset + 4, rest);
  view.setUint16(offset + 2, checksum(bytes, view, offset, length));
  return length;
}

/**
 * Writes the reply to the echo request of `length` bytes at `requestOffset`: the same message with
 * another type, so that its checksum follows from the old one (RFC 1624).
 */
export function writeEchoReply(
  view: DataView,
  bytes: Uint8Array,
  offset: number,
  request: Uint8Array,
  requestOffset: number,
  length: number,
): number {
  bytes.set(request.subarray(requestOffset, requestOffset + length), offset);
  const before = view.getUint16(offset);
  const after = (ICMP_ECHO_REPLY << 8) | (before & 0xff);
  view.setUint16(offset, after);
  // Of the two zeros of one's complement only this one is right for a message of nothing but zeros.
  view.setUint16(offset + 2, update(view.getUint16(offset + 2), before, after) || 0xffff);
  return length;
}

/**
 * Writes an error about the packet at `quotedOffset`, which it quotes as far as an error may be
 * long; returns the message's length in bytes (8 to 556).
 */
export function writeIcmpError(
  view: DataView,
  bytes: Uint8Array,
  offset: number,
  type: number,
  code: number,
  rest: number,
  quotedBytes: Uint8Array,
  quotedOffset: number,
  quotedLength: number,
): number {
  const length = Math.min(quotedLength, MAX_QUOTED_BYTES);
  return writeIcmp(view, bytes, offset, type, code, rest, quotedBytes, quotedOffset, length);
}
