import { checksum } from '../../src/wire/checksum.js';
import { ADDRESS_A, ADDRESS_B } from './conversation.js';
import { writeIcmpPacket, writeSegment } from './packet.js';
import type { Peer } from './peer.js';

export function icmp(type: number, code: number, rest: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + body.length);
  const view = new DataView(message.buffer);
  message[0] = type;
  message[1] = code;
  view.setInt32(4, rest);
  message.set(body, 8);
  view.setUint16(2, checksum(message, view, 0, message.length));
  return message;
}

/**
 * An ICMP error about a segment of the host with this (relative) sequence number, in a packet of
 * `length` bytes, of which its first 28 are quoted.
 */
export function icmpErrorFor(
  p: Peer,
  type: number,
  code: number,
  seq: number,
  rest = 0,
  length = 40,
): void {
  const quoted = writeSegment({
    srcAddr: ADDRESS_B,
    dstAddr: ADDRESS_A,
    srcPort: p.hostPort,
    dstPort: p.peerPort,
    flags: '.',
    seq: p.hostIss + seq,
  }).subarray(0, 28);
  new DataView(quoted.buffer, quoted.byteOffset).setUint16(2, length);
  p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(type, code, rest, quoted)));
}
