import { copyBytes } from '../base/copy-bytes.js';
import type { Counters } from '../base/counters.js';
import { add } from '../base/seq.js';
import { checksum, fold, pseudoHeaderSum } from '../wire/checksum.js';
import {
  IPV4_DONT_FRAGMENT,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  writeIpv4,
} from '../wire/ipv4.js';
import { CWR, FIN, PSH, type Segment, URG } from '../wire/segment.js';
import { TCP_CHECKSUM_OFFSET, tcpHeaderLength, writeTcp } from '../wire/tcp.js';
import { clearVirtioHeader, VIRTIO_HEADER_BYTES, writeVirtioHeader } from '../wire/virtio.js';
import type { Interface } from './interfaces.js';
import type { PacketIds } from './packet-ids.js';

/** With offload, a payload up to this long is copied behind its headers; a longer one stays where it is. Bytes. */
const COPY_LIMIT = 2_048;
const ICMP_TTL = 64;

/** Puts IPv4 packets into the batch of the interface that they leave by. */
export class IpOutput {
  constructor(
    private readonly counters: Counters,
    private readonly ids: PacketIds,
  ) {}

  /** A segment, in one packet unless it is longer than what a link without offload carries. */
  sendTcp(by: Interface, segment: Segment): void {
    const { dataLength, segmentSize } = segment;
    if (by.link.offload || segmentSize === 0 || dataLength <= segmentSize) {
      this.#sendPacket(by, segment, 0, dataLength);
    } else this.#cut(by, segment);
  }

  /** What the kernel does with offload: flags and urgent pointer stand where they belong. */
  #cut(by: Interface, segment: Segment): void {
    const { dataLength, segmentSize, flags, seq, urg } = segment;
    for (let from = 0; from < dataLength; from += segmentSize) {
      const length = Math.min(segmentSize, dataLength - from);
      segment.seq = add(seq, from);
      segment.urg = urg - from;
      segment.flags = flags;
      if (from > 0) segment.flags &= ~CWR;
      if (segment.urg <= 0) segment.flags &= ~URG;
      if (from + length < dataLength) segment.flags &= ~(PSH | FIN);
      this.#sendPacket(by, segment, from, length);
    }
    segment.seq = seq;
    segment.urg = urg;
    segment.flags = flags;
  }

  /**
   * One packet with `dataLength` octets of the segment's text, not to be fragmented (RFC 1191 §3), with
   * its checksum (MUST-2), unless the link completes that.
   */
  #sendPacket(by: Interface, segment: Segment, from: number, dataLength: number): void {
    const { link, tx } = by;
    const headers = IPV4_HEADER_BYTES + tcpHeaderLength(segment);
    const unfinished = link.offload || link.softwareOffload === true;
    const copied = link.offload ? dataLength <= COPY_LIMIT : !unfinished;
    const start = headersAt(by, headers + (copied ? dataLength : 0));
    const ip = start + link.headroom;
    const tcp = ip + IPV4_HEADER_BYTES;
    const total = headers + dataLength;
    writeIpv4(
      tx.view,
      ip,
      segment.tos,
      total,
      // One that is never cut needs no identification, and none tells nothing (RFC 6864 §4.1).
      segment.mayFragment ? this.ids.next() : 0,
      segment.mayFragment ? 0 : IPV4_DONT_FRAGMENT,
      segment.ttl,
      PROTOCOL_TCP,
      segment.srcAddr,
      segment.dstAddr,
    );
    writeTcp(tx.view, tcp, segment);
    if (dataLength > 0) {
      if (copied) copyText(segment, from, dataLength, tx.bytes, ip + headers);
      else attachText(by, segment, from, dataLength);
    }
    const tcpLength = total - IPV4_HEADER_BYTES;
    const pseudo = pseudoHeaderSum(segment.srcAddr, segment.dstAddr, PROTOCOL_TCP, tcpLength);
    if (link.offload) {
      const size = dataLength > segment.segmentSize ? segment.segmentSize : 0;
      writeVirtioHeader(
        tx.view,
        start,
        IPV4_HEADER_BYTES,
        size,
        headers,
        (segment.flags & CWR) !== 0,
      );
    }
    tx.view.setUint16(
      tcp + TCP_CHECKSUM_OFFSET,
      unfinished ? fold(pseudo) : checksum(tx.bytes, tx.view, tcp, tcpLength, pseudo),
    );
    this.counters.ipOutRequests++;
    this.counters.ipOutOctets += total;
  }

  /** Sends an ICMP message, in fragments when it is longer than the link's packets (RFC 791 §3.2). */
  sendIcmp(
    by: Interface,
    srcAddr: number,
    dstAddr: number,
    tos: number,
    message: Uint8Array,
  ): void {
    this.counters.icmpOutMsgs++;
    const id = this.ids.next();
    const most = (by.link.mtu - IPV4_HEADER_BYTES) & ~7;
    let offset = 0;
    do {
      const rest = message.length - offset;
      const length = rest <= by.link.mtu - IPV4_HEADER_BYTES ? rest : most;
      const start = headersAt(by, IPV4_HEADER_BYTES + length);
      const ip = start + by.link.headroom;
      if (by.link.headroom === VIRTIO_HEADER_BYTES) clearVirtioHeader(by.tx.view, start);
      const flags = (offset >> 3) | (length < rest ? IPV4_MORE_FRAGMENTS : 0);
      const total = IPV4_HEADER_BYTES + length;
      writeIpv4(by.tx.view, ip, tos, total, id, flags, ICMP_TTL, PROTOCOL_ICMP, srcAddr, dstAddr);
      by.tx.bytes.set(message.subarray(offset, offset + length), ip + IPV4_HEADER_BYTES);
      this.counters.ipOutRequests++;
      this.counters.ipOutOctets += total;
      offset += length;
    } while (offset < message.length);
  }
}

function headersAt(by: Interface, length: number): number {
  const bytes = by.link.headroom + length;
  by.reserve(bytes);
  return by.tx.begin(bytes);
}

function copyText(
  segment: Segment,
  from: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  const first = Math.min(length, Math.max(segment.length - from, 0));
  const start = segment.offset + from;
  if (first > 0) copyBytes(segment.bytes, start, first, target, at);
  if (first === length) return;
  const start2 = segment.offset2 + from + first - segment.length;
  copyBytes(segment.bytes2, start2, length - first, target, at + first);
}

function attachText(by: Interface, segment: Segment, from: number, length: number): void {
  const first = Math.min(length, Math.max(segment.length - from, 0));
  if (first > 0) by.tx.append(segment.bytes, segment.offset + from, first);
  if (first === length) return;
  by.tx.append(segment.bytes2, segment.offset2 + from + first - segment.length, length - first);
}
