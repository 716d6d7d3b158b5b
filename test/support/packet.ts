import { diff, type Seq, seq } from '../../src/base/seq.js';
import { checksum, pseudoHeaderSum } from '../../src/wire/checksum.js';
import { Drop } from '../../src/wire/drop-reason.js';
import {
  IPV4_HEADER_BYTES,
  Ipv4Header,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  parseIpv4,
  writeIpv4,
} from '../../src/wire/ipv4.js';
import { formatFlags } from '../../src/wire/print.js';
import {
  ACK,
  CWR,
  ECE,
  FIN,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  RST,
  Segment,
  SYN,
  URG,
} from '../../src/wire/segment.js';
import { parseTcp, TCP_CHECKSUM_OFFSET, tcpHeaderLength, writeTcp } from '../../src/wire/tcp.js';

const LETTERS: Readonly<Record<string, number>> = {
  F: FIN,
  S: SYN,
  R: RST,
  P: PSH,
  '.': ACK,
  U: URG,
  E: ECE,
  W: CWR,
};

/** Control bits from tcpdump's letters: `S.` is SYN and ACK. */
export function flagsOf(letters: string): number {
  let flags = 0;
  for (const letter of letters) flags |= LETTERS[letter]!;
  return flags;
}

/** A TCP packet that outlives the buffer it came in. */
export interface Packet {
  at: number;
  srcAddr: number;
  dstAddr: number;
  srcPort: number;
  dstPort: number;
  /** tcpdump's letters, without `P`. */
  flags: string;
  push: boolean;
  /** Absolute numbers as int32. */
  rawSeq: Seq;
  rawAck: Seq;
  win: number;
  urg: number;
  /** The type-of-service octet. */
  tos: number;
  ttl: number;
  /** The identification. */
  id: number;
  dontFragment: boolean;
  data: Buffer;
  mss: number | null;
  wscale: number | null;
  sackOk: boolean;
  ts: readonly [val: number, ecr: number] | null;
  /** Absolute edges. */
  sack: readonly (readonly [Seq, Seq])[];
}

const header = new Ipv4Header();
const segment = new Segment();

/** The TCP packet that `bytes` are, checksums verified; null for anything else. */
export function readTcp(bytes: Uint8Array, at: number, verify = true): Packet | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (parseIpv4(bytes, view, 0, bytes.length, header) !== Drop.NONE) return null;
  if (header.protocol !== PROTOCOL_TCP || header.fragmentOffset > 0) return null;
  const offset = header.headerLength;
  const length = header.totalLength - offset;
  const pseudo = pseudoHeaderSum(header.srcAddr, header.dstAddr, PROTOCOL_TCP, length);
  if (verify && checksum(bytes, view, offset, length, pseudo) !== 0) return null;
  if (parseTcp(bytes, view, offset, length, segment) !== Drop.NONE) return null;
  const { options } = segment;
  const sack: [Seq, Seq][] = [];
  for (let i = 0; i < segment.sackCount; i++) {
    sack.push([seq(segment.sack[i * 2]!), seq(segment.sack[i * 2 + 1]!)]);
  }
  return {
    at,
    srcAddr: header.srcAddr,
    dstAddr: header.dstAddr,
    srcPort: segment.srcPort,
    dstPort: segment.dstPort,
    flags: formatFlags(segment.flags & ~PSH).replace('none', ''),
    push: (segment.flags & PSH) !== 0,
    rawSeq: segment.seq,
    rawAck: segment.ack,
    win: segment.wnd,
    urg: segment.urg,
    tos: header.tos,
    ttl: header.ttl,
    id: header.id,
    dontFragment: (view.getUint16(6) & 0x4000) !== 0,
    data: Buffer.from(bytes.subarray(segment.offset, segment.offset + segment.length)),
    mss: (options & OPT_MSS) !== 0 ? segment.mss : null,
    wscale: (options & OPT_WINDOW_SCALE) !== 0 ? segment.windowScale : null,
    sackOk: (options & OPT_SACK_PERMITTED) !== 0,
    ts: (options & OPT_TIMESTAMPS) !== 0 ? [segment.tsVal, segment.tsEcr] : null,
    sack,
  };
}

/** One line for a packet; numbers are relative to the two initial sequence numbers. */
export function describe(packet: Packet, seqBase: Seq, ackBase: Seq): string {
  const parts = [packet.flags || 'none', `seq ${diff(packet.rawSeq, seqBase)}`];
  if (packet.flags.includes('.')) parts.push(`ack ${diff(packet.rawAck, ackBase)}`);
  parts.push(`win ${packet.win}`);
  if (packet.data.length > 0) parts.push(`len ${packet.data.length}`);
  if (packet.flags.includes('U')) parts.push(`urg ${packet.urg}`);
  if (packet.mss !== null) parts.push(`mss ${packet.mss}`);
  if (packet.wscale !== null) parts.push(`wscale ${packet.wscale}`);
  if (packet.sackOk) parts.push('sackOK');
  if (packet.ts !== null) parts.push(`ts ${packet.ts[0] >>> 0} ${packet.ts[1] >>> 0}`);
  if (packet.sack.length > 0) {
    const blocks = packet.sack.map((b) => `${diff(b[0], ackBase)}:${diff(b[1], ackBase)}`);
    parts.push(`sack ${blocks.join(' ')}`);
  }
  return parts.join(' ');
}

export interface SegmentFields {
  srcAddr: number;
  dstAddr: number;
  srcPort: number;
  dstPort: number;
  flags: string;
  seq: number;
  ack?: number;
  win?: number;
  urg?: number;
  /** The type-of-service octet; default 0. */
  tos?: number;
  data?: Uint8Array;
  mss?: number | null;
  wscale?: number | null;
  sackOk?: boolean;
  ts?: readonly [number, number] | null;
  sack?: readonly (readonly [number, number])[];
  /** Options as bytes, a multiple of 4, in place of all above. */
  rawOptions?: readonly number[];
}

/** The bytes of an IPv4 packet with a TCP segment in it. */
export function writeSegment(fields: SegmentFields): Uint8Array {
  const out = new Segment();
  out.srcPort = fields.srcPort;
  out.dstPort = fields.dstPort;
  out.seq = seq(fields.seq);
  out.ack = seq(fields.ack ?? 0);
  out.flags = flagsOf(fields.flags);
  out.wnd = fields.win ?? 65_535;
  out.urg = fields.urg ?? 0;
  takeOptions(out, fields);
  const raw = fields.rawOptions;
  const headerLength = raw === undefined ? tcpHeaderLength(out) : 20 + raw.length;
  const data = fields.data ?? new Uint8Array(0);
  const bytes = new Uint8Array(IPV4_HEADER_BYTES + headerLength + data.length);
  const view = new DataView(bytes.buffer);
  writeTcp(view, IPV4_HEADER_BYTES, out);
  if (raw !== undefined) {
    bytes.set(raw, IPV4_HEADER_BYTES + 20);
    bytes[IPV4_HEADER_BYTES + 12] = headerLength << 2;
  }
  bytes.set(data, IPV4_HEADER_BYTES + headerLength);
  finishTcp(bytes, fields.srcAddr, fields.dstAddr, fields.tos);
  return bytes;
}

function takeOptions(out: Segment, fields: SegmentFields): void {
  if (fields.rawOptions !== undefined) return;
  if (fields.mss != null) {
    out.options |= OPT_MSS;
    out.mss = fields.mss;
  }
  if (fields.wscale != null) {
    out.options |= OPT_WINDOW_SCALE;
    out.windowScale = fields.wscale;
  }
  if (fields.sackOk) out.options |= OPT_SACK_PERMITTED;
  if (fields.ts != null) {
    out.options |= OPT_TIMESTAMPS;
    out.tsVal = fields.ts[0] | 0;
    out.tsEcr = fields.ts[1] | 0;
  }
  for (const [left, right] of fields.sack ?? []) {
    out.options |= OPT_SACK;
    out.sack[out.sackCount * 2] = left;
    out.sack[out.sackCount * 2 + 1] = right;
    out.sackCount++;
  }
}

/** Writes the IPv4 header in front of a TCP segment and both checksums. */
export function finishTcp(bytes: Uint8Array, srcAddr: number, dstAddr: number, tos = 0): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = IPV4_HEADER_BYTES;
  writeIpv4(view, 0, tos, bytes.length, 7, 0, 64, PROTOCOL_TCP, srcAddr, dstAddr);
  view.setUint16(at + TCP_CHECKSUM_OFFSET, 0);
  const pseudo = pseudoHeaderSum(srcAddr, dstAddr, PROTOCOL_TCP, bytes.length - at);
  view.setUint16(at + TCP_CHECKSUM_OFFSET, checksum(bytes, view, at, bytes.length - at, pseudo));
}

/** Makes the TCP checksum of a whole packet right; leaves what is no such packet as it is. */
export function completeTcpChecksum(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (parseIpv4(bytes, view, 0, bytes.length, header) !== Drop.NONE) return;
  const { headerLength: at, totalLength, srcAddr, dstAddr } = header;
  const length = totalLength - at;
  if (header.protocol !== PROTOCOL_TCP || header.fragmentOffset > 0 || length < 20) return;
  view.setUint16(at + TCP_CHECKSUM_OFFSET, 0);
  const pseudo = pseudoHeaderSum(srcAddr, dstAddr, PROTOCOL_TCP, length);
  view.setUint16(at + TCP_CHECKSUM_OFFSET, checksum(bytes, view, at, length, pseudo));
}

/** An ICMP packet; `flags` is the word with the fragment offset. */
export function writeIcmpPacket(
  srcAddr: number,
  dstAddr: number,
  message: Uint8Array,
  id = 9,
  flags = 0,
): Uint8Array {
  return writeIpPacket(PROTOCOL_ICMP, srcAddr, dstAddr, message, id, flags);
}

export function writeIpPacket(
  protocol: number,
  srcAddr: number,
  dstAddr: number,
  payload: Uint8Array,
  id = 9,
  flags = 0,
): Uint8Array {
  const bytes = new Uint8Array(IPV4_HEADER_BYTES + payload.length);
  writeIpv4(
    new DataView(bytes.buffer),
    0,
    0,
    bytes.length,
    id,
    flags,
    64,
    protocol,
    srcAddr,
    dstAddr,
  );
  bytes.set(payload, IPV4_HEADER_BYTES);
  return bytes;
}
