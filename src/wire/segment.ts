import type { Seq } from '../base/seq.js';
import { seq } from '../base/seq.js';

/** Control bits, in their place in the header (RFC 9293 §3.1, RFC 3168 for ECE and CWR). */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** Which options a {@link Segment} carries. */
export const OPT_MSS = 0x01;
export const OPT_WINDOW_SCALE = 0x02;
export const OPT_SACK_PERMITTED = 0x04;
export const OPT_SACK = 0x08;
export const OPT_TIMESTAMPS = 0x10;

/** Most SACK blocks that fit into the 40 bytes of options (RFC 2018 §3). */
export const MAX_SACK_BLOCKS = 4;

/**
 * One TCP segment with its addresses: every field decoded, the payload left where it is. One object
 * is filled again and again for segments in, another for segments out, so that a segment costs no
 * allocation; whoever keeps something beyond the call copies it.
 *
 * The payload is up to two ranges of bytes (two when it wraps around the end of a send buffer).
 */
export class Segment {
  /** IPv4 addresses as int32 in network order: 10.7.0.2 is 0x0a070002. */
  srcAddr = 0;
  dstAddr = 0;
  srcPort = 0;
  dstPort = 0;
  /** SEG.SEQ */
  seq: Seq = seq(0);
  /** SEG.ACK; meaningful when {@link flags} has ACK. */
  ack: Seq = seq(0);
  flags = 0;
  /** SEG.WND as it stands in the header, unscaled. */
  wnd = 0;
  /** SEG.UP */
  urg = 0;
  /** IPv4 TTL, DSCP and ECN bits of the packet. */
  ttl = 0;
  /** As sent: routers may fragment the packet (RFC 791 §3.1, DF off). */
  mayFragment = false;
  tos = 0;

  /** OPT_* bits of the options that are present and well-formed. */
  options = 0;
  mss = 0;
  windowScale = 0;
  /** TSval and TSecr as int32 (RFC 7323 §3). */
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  /** Left and right edge of each SACK block in turn. */
  readonly sack = new Int32Array(MAX_SACK_BLOCKS * 2);

  /** First range of the payload. */
  bytes: Uint8Array = EMPTY;
  offset = 0;
  length = 0;
  /** Second range of the payload; `length2` is 0 when there is none. */
  bytes2: Uint8Array = EMPTY;
  offset2 = 0;
  length2 = 0;

  /** Segments of this many payload bytes were merged into this one, or are to be cut from it; 0: one. */
  segmentSize = 0;
  /** Set by whoever keeps a view of {@link bytes} beyond the call, so that they are not reused. */
  pinned = false;

  /** Octets of payload. */
  get dataLength(): number {
    return this.length + this.length2;
  }

  /** SEG.LEN: octets of sequence space, SYN and FIN counted (RFC 9293 §3.4). */
  get segLen(): number {
    return this.length + this.length2 + ((this.flags >> 1) & 1) + (this.flags & 1);
  }
}

const EMPTY = new Uint8Array(0);

/** A segment that is cut below, or was merged there, counts as what it is on the wire. */
export function segmentsOnWire(segment: Segment): number {
  const { dataLength, segmentSize } = segment;
  return segmentSize > 0 && dataLength > segmentSize ? Math.ceil(dataLength / segmentSize) : 1;
}

/** Leaves neither options, urgent pointer nor text; output fills in what it has of them. */
export function emptySegment(segment: Segment): void {
  segment.urg = 0;
  segment.mayFragment = false;
  segment.options = 0;
  segment.sackCount = 0;
  segment.length = 0;
  segment.length2 = 0;
  segment.segmentSize = 0;
}
