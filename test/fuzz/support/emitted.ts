import { add, diff, geq, gt, leq, lt, type Seq } from '../../../src/base/seq.js';
import { checksum, fold, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { ICMP_ECHO_REPLY, ICMP_UNREACHABLE } from '../../../src/wire/icmp.js';
import { Ipv4Header, PROTOCOL_ICMP, PROTOCOL_TCP, parseIpv4 } from '../../../src/wire/ipv4.js';
import {
  ACK,
  FIN,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  RST,
  Segment,
  SYN,
} from '../../../src/wire/segment.js';
import { parseTcp, TCP_CHECKSUM_OFFSET } from '../../../src/wire/tcp.js';
import {
  VIRTIO_GSO_ECN,
  VIRTIO_GSO_TCPV4,
  VIRTIO_HEADER_BYTES,
  VIRTIO_NEEDS_CSUM,
} from '../../../src/wire/virtio.js';
import type { Flow } from './flow.js';
import { firstDifference } from './pattern.js';
import { must } from './user.js';

/** What the packets that arrived just now allow the host to answer with. */
export interface Occasion {
  /** There were packets, and all were resets. */
  onlyResets: boolean;
  /** There were packets, and all were ICMP errors or later fragments. */
  onlyErrors: boolean;
}

/** Verifies each packet that the host hands to its link. */
export class EmittedPackets {
  readonly header = new Ipv4Header();
  readonly segment = new Segment();
  /** So far. */
  packets = 0;
  /** Fragments behind the first of a datagram. */
  fragments = 0;

  constructor(
    private readonly address: number,
    private readonly mtu: number,
    private readonly offload: boolean,
    private readonly flowOf: (peerAddr: number, peerPort: number, hostPort: number) => Flow,
    private readonly occasion: Occasion,
  ) {}

  /** A packet, behind its virtio header when there is offload; throws when it should not be. */
  verify(bytes: Uint8Array, view: DataView, start: number, length: number): void {
    this.packets++;
    const { header } = this;
    const drop = parseIpv4(bytes, view, start, length, header);
    must(drop === Drop.NONE, `the host sent a bad IPv4 header (${drop})`);
    must(header.totalLength === length, 'the total length is that of the packet');
    must(header.headerLength === 20, 'no IPv4 options are sent');
    must(header.srcAddr === this.address, 'a packet comes from an address of ours');
    must(header.ttl > 0, 'the TTL is above 0');
    if (header.protocol === PROTOCOL_TCP) this.#tcp(bytes, view, start, length);
    else if (header.protocol === PROTOCOL_ICMP) this.#icmp(bytes, view, start, length);
    else must(false, `the host sent protocol ${header.protocol}`);
  }

  #icmp(bytes: Uint8Array, view: DataView, start: number, length: number): void {
    const { header } = this;
    must(length <= this.mtu, `an ICMP packet of ${length} bytes is longer than the MTU`);
    if (header.fragmentOffset > 0) this.fragments++;
    if (header.moreFragments || header.fragmentOffset > 0) return;
    const at = start + 20;
    must(checksum(bytes, view, at, length - 20) === 0, 'an ICMP checksum is right');
    const type = bytes[at]!;
    must(type === ICMP_ECHO_REPLY || type === ICMP_UNREACHABLE, `the host sent ICMP type ${type}`);
    if (type === ICMP_ECHO_REPLY) return;
    must(!this.occasion.onlyErrors, 'no ICMP error answers an ICMP error: RFC 1122 §3.2.2');
    const quotedHeader = (bytes[at + 8]! & 15) << 2;
    const quoted = Math.min(quotedHeader + 8, view.getUint16(at + 8 + 2));
    must(length >= 20 + 8 + quoted, 'an ICMP error quotes a header and 8 bytes');
    must(bytes[at + 8 + 9] !== PROTOCOL_ICMP, 'an ICMP error quotes no ICMP message');
  }

  #tcp(bytes: Uint8Array, view: DataView, start: number, length: number): void {
    const { header, segment } = this;
    must(header.fragmentOffset === 0 && !header.moreFragments, 'TCP sends no fragments');
    const at = start + 20;
    const tcpLength = length - 20;
    const pseudo = pseudoHeaderSum(header.srcAddr, header.dstAddr, PROTOCOL_TCP, tcpLength);
    const drop = parseTcp(bytes, view, at, tcpLength, segment);
    must(drop === Drop.NONE, `the host sent a TCP header that does not parse (${drop})`);
    if (this.offload) this.#virtio(view, start, pseudo);
    else {
      must(checksum(bytes, view, at, tcpLength, pseudo) === 0, 'a TCP checksum is right');
      must(length <= this.mtu, `a packet of ${length} bytes is longer than the MTU`);
    }
    verifyOptions(bytes, at + 20, segment.offset, segment.flags);
    must((view.getUint16(at + 12) & 0x0f00) === 0, 'reserved bits are 0');
    const flow = this.flowOf(header.dstAddr, segment.dstPort, segment.srcPort);
    this.#segment(flow);
  }

  #virtio(view: DataView, start: number, pseudo: number): void {
    const { segment } = this;
    const at = start - VIRTIO_HEADER_BYTES;
    const text = segment.length;
    must(view.getUint8(at) === VIRTIO_NEEDS_CSUM, 'the checksum is left to the kernel');
    const sum = view.getUint16(start + 20 + TCP_CHECKSUM_OFFSET);
    must(sum === fold(pseudo), 'the checksum is that of the pseudo-header');
    const gso = view.getUint8(at + 1) & ~VIRTIO_GSO_ECN;
    const size = view.getUint16(at + 4, true);
    const headers = view.getUint16(at + 2, true);
    must(headers === segment.offset - start, 'hdr_len is the length of both headers');
    must(view.getUint16(at + 6, true) === 20, 'csum_start is behind the IPv4 header');
    must((gso === VIRTIO_GSO_TCPV4) === size > 0, 'gso_type and gso_size agree');
    must(size === 0 || text > size, `a segment of ${text} bytes is to be cut at ${size}`);
    const longest = headers + (size > 0 ? size : text);
    must(longest <= this.mtu, `packets of ${longest} bytes are longer than the MTU`);
  }

  #segment(flow: Flow): void {
    const { segment } = this;
    const { flags } = segment;
    if ((flags & RST) !== 0) {
      must((flags & (SYN | FIN)) === 0 && segment.length === 0, 'a reset is nothing else');
      must(!this.occasion.onlyResets, 'no reset answers a reset: RFC 9293 §3.10.7.1');
      flow.hostReset = true;
      return;
    }
    must((flags & (SYN | FIN)) !== (SYN | FIN), 'no segment has SYN and FIN');
    must((flags & (SYN | ACK)) !== 0, 'a segment without SYN has ACK');
    if ((flags & SYN) !== 0) this.#syn(flow);
    must(flow.hostSyn, 'a SYN comes before anything else');
    this.#verifyNumbers(flow);
    if ((flags & ACK) !== 0) this.#verifyAck(flow);
    this.#verifyNegotiated(flow);
    if ((flags & FIN) !== 0) flow.hostFin = true;
  }

  #syn(flow: Flow): void {
    const { segment } = this;
    must(segment.length === 0, 'a SYN carries no text');
    must((segment.options & OPT_MSS) !== 0, 'a SYN has the MSS option: SHLD-5');
    if (!flow.hostSyn || flow.isAnother || segment.seq !== flow.hostIss) {
      flow.beginIncarnation(segment.seq);
    }
    flow.hostScales = (segment.options & OPT_WINDOW_SCALE) !== 0;
    flow.hostShift = flow.hostScales ? segment.windowScale : 0;
    flow.hostSack = (segment.options & OPT_SACK_PERMITTED) !== 0;
    flow.hostTimestamps = (segment.options & OPT_TIMESTAMPS) !== 0;
    if ((segment.flags & ACK) === 0) return;
    must(!flow.hostSack || flow.offeredSack, 'SACK is agreed to only when it was offered');
    must(!flow.hostTimestamps || flow.offeredTimestamps, 'timestamps only when they were offered');
  }

  #verifyNumbers(flow: Flow): void {
    const { segment } = this;
    const end = add(segment.seq, segment.segLen);
    must(
      geq(segment.seq, add(flow.hostIss, -1)) && leq(segment.seq, flow.hostEnd),
      `a segment begins at ${diff(segment.seq, flow.hostIss)}, of ${diff(flow.hostEnd, flow.hostIss)} sent`,
    );
    if (flow.hostFin) must(leq(end, flow.hostEnd), 'nothing follows a FIN');
    if (gt(end, flow.hostEnd)) flow.hostEnd = end;
    if (segment.length === 0) return;
    const origin = add(flow.hostIss, 1);
    const wrong = firstDifference(
      segment.bytes,
      segment.offset,
      segment.length,
      segment.seq,
      origin,
    );
    must(wrong < 0, `the text at ${diff(segment.seq, origin)} was sent altered`);
    must(
      flow.wasOffered(add(segment.seq, segment.length - 1)),
      'text and a probe stay within what the peer ever offered',
    );
    const { user } = flow;
    const written = user === null ? 0 : user.written;
    must(
      diff(segment.seq, origin) + segment.length <= written,
      `text is sent up to ${diff(segment.seq, origin) + segment.length} of ${written} written`,
    );
  }

  #verifyAck(flow: Flow): void {
    const { segment } = this;
    const { ack } = segment;
    if (!flow.hostAcks || ack !== flow.hostAck) {
      must(
        flow.hasArrived(ack),
        `the host acknowledges ${ack} although nothing like it has arrived`,
      );
    }
    const scaled = flow.hostScales && flow.offeredScale && (segment.flags & SYN) === 0;
    const shift = scaled ? flow.hostShift : 0;
    const edge = add(ack, segment.wnd << shift);
    this.#verifyEdge(flow, edge, 1 << shift);
    if (flow.hostAcks && lt(ack, flow.hostAck) && !flow.isAmbiguous) {
      must(false, `the host acknowledges ${diff(flow.hostAck, ack)} less than before`);
    }
    flow.hostAck = ack;
    flow.hostAcks = true;
  }

  /** SHLD-14, but for what the scale cannot say (RFC 7323 §2.4). */
  #verifyEdge(flow: Flow, edge: Seq, unit: number): void {
    if (flow.edge === null || flow.isAmbiguous) {
      flow.edge = edge;
      return;
    }
    const moved = diff(edge, flow.edge);
    if (moved >= 0) flow.edge = edge;
    else if ((this.segment.flags & SYN) === 0 && -moved >= unit) {
      must(false, `the right edge of the window moved left by ${-moved}`);
    }
  }

  #verifyNegotiated(flow: Flow): void {
    const { segment } = this;
    const { options } = segment;
    if ((segment.flags & SYN) !== 0) return;
    const both = flow.hostTimestamps && flow.offeredTimestamps;
    const has = (options & OPT_TIMESTAMPS) !== 0;
    if (!flow.isAmbiguous) must(has === both, `timestamps once agreed on are in every segment`);
    else must(!has || both, 'timestamps were never agreed on');
    if (has) flow.hostTs = segment.tsVal;
    if ((options & OPT_SACK) === 0) return;
    must(flow.hostSack && flow.offeredSack, 'SACK was agreed on');
    for (let i = 0; i < segment.sackCount; i++) {
      const left = segment.sack[i * 2]! as Seq;
      const right = segment.sack[i * 2 + 1]! as Seq;
      must(lt(left, right), 'a SACK block has a left and a right edge');
      must(flow.hasArrived(right), 'what is SACKed has arrived');
    }
  }
}

/** Known options alone, each with its proper length, and nothing behind them. */
function verifyOptions(bytes: Uint8Array, start: number, end: number, flags: number): void {
  const syn = (flags & SYN) !== 0;
  for (let at = start; at < end; ) {
    const kind = bytes[at]!;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1]!;
    const right =
      kind === 2
        ? syn && length === 4
        : kind === 3
          ? syn && length === 3 && bytes[at + 2]! <= 14
          : kind === 4
            ? syn && length === 2
            : kind === 5
              ? !syn && length >= 10 && (length - 2) % 8 === 0
              : kind === 8 && length === 10;
    must(right && at + length <= end, `option ${kind} of ${length} bytes`);
    at += length;
  }
}
