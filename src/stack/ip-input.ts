import { RX_CHECKSUM_VOUCHED, type RxBatch } from '../base/batch.js';
import type { Counters } from '../base/counters.js';
import { fold, pseudoHeaderSum, sum } from '../wire/checksum.js';
import { Drop } from '../wire/drop-reason.js';
import { Ipv4Header, PROTOCOL_ICMP, PROTOCOL_TCP, parseIpv4 } from '../wire/ipv4.js';
import { Segment, segmentsOnWire } from '../wire/segment.js';
import { parseTcp } from '../wire/tcp.js';
import { coalesce, startsRun } from './coalesce.js';
import type { Fragments } from './fragments.js';
import type { Handover } from './handover.js';
import type { IcmpService } from './icmp-service.js';
import type { Interface, Interfaces } from './interfaces.js';

/** Where TCP segments go. */
export interface SegmentInput {
  /** Null when nobody watches each segment. */
  readonly trace: object | null;
  input(segment: Segment, by: Interface, now: number): Drop;
}

/** IPv4 input (RFC 791, RFC 1122 §3.2): validates, reassembles, hands to TCP and ICMP. */
export class IpInput {
  /** For one of several shards. */
  handover: Handover | null = null;
  readonly #header = new Ipv4Header();
  #segment = new Segment();
  /** What {@link #held} was last, to be filled again. */
  #spare = new Segment();
  /** A segment that waits for others of the batch to follow it. */
  #held: Segment | null = null;
  #merging = false;

  constructor(
    private readonly interfaces: Interfaces,
    private readonly counters: Counters,
    private readonly fragments: Fragments,
    private readonly tcp: SegmentInput,
    private readonly icmp: IcmpService,
  ) {}

  /** Takes a batch that came by `by`; pins it when something keeps a view of its bytes. */
  receive(batch: RxBatch, by: Interface, now: number): void {
    const { bytes, view } = batch;
    this.#segment.pinned = false;
    this.#spare.pinned = false;
    // Moves text within the arena, which nobody else may have an eye on.
    this.#merging =
      by.link.softwareOffload === true && batch.onJudged === null && this.tcp.trace === null;
    for (let i = 0; i < batch.count; i++) {
      this.#segment.segmentSize = batch.segmentSize[i]!;
      const vouched = (batch.flags[i]! & RX_CHECKSUM_VOUCHED) !== 0;
      const drop = this.#packet(bytes, view, batch.offset[i]!, batch.length[i]!, vouched, by, now);
      if (drop !== Drop.NONE) {
        this.counters.countDrop(drop);
        batch.drop[i] = drop;
      }
    }
    this.#flush(by, now);
    if (this.#segment.pinned || this.#spare.pinned) batch.pinned = true;
  }

  #flush(by: Interface, now: number): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    const drop = this.tcp.input(held, by, now);
    if (drop !== Drop.NONE) this.counters.countDrop(drop);
  }

  #packet(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    length: number,
    vouched: boolean,
    by: Interface,
    now: number,
  ): Drop {
    this.counters.ipInReceives++;
    this.counters.ipInOctets += length;
    const header = this.#header;
    const drop = parseIpv4(bytes, view, offset, length, header);
    if (drop !== Drop.NONE) return drop;
    if (!this.interfaces.accepts(header.dstAddr, by)) return Drop.IP_NOT_OURS;
    if (this.interfaces.isBadSource(header.srcAddr, header.dstAddr, by)) return Drop.IP_BAD_SOURCE;
    if (header.moreFragments || header.fragmentOffset > 0) {
      return this.#fragment(bytes, offset, by, now);
    }
    return this.#deliver(bytes, view, offset, vouched, by, now);
  }

  #fragment(bytes: Uint8Array, offset: number, by: Interface, now: number): Drop {
    const header = this.#header;
    const payload = header.totalLength - header.headerLength;
    const whole = this.fragments.add(bytes, header, offset + header.headerLength, payload, now);
    if (whole === null) return Drop.NONE;
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    const drop = parseIpv4(whole, view, 0, whole.length, header);
    return drop !== Drop.NONE ? drop : this.#deliver(whole, view, 0, false, by, now);
  }

  #deliver(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    vouched: boolean,
    by: Interface,
    now: number,
  ): Drop {
    const drop = this.#demultiplex(bytes, view, offset, vouched, by, now);
    if (drop !== Drop.ELSEWHERE) return drop;
    const { totalLength } = this.#header;
    return this.handover!.pass(bytes, offset, totalLength, this.#segment.segmentSize);
  }

  #demultiplex(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    vouched: boolean,
    by: Interface,
    now: number,
  ): Drop {
    const header = this.#header;
    const at = offset + header.headerLength;
    const length = header.totalLength - header.headerLength;
    switch (header.protocol) {
      case PROTOCOL_TCP:
        this.counters.ipInDelivers++;
        return this.#tcp(bytes, view, at, length, vouched, by, now);
      case PROTOCOL_ICMP:
        this.counters.ipInDelivers++;
        return this.icmp.input(bytes, view, offset, header, by, now);
      default:
        return this.icmp.refuseProtocol(bytes, offset, header, by, now);
    }
  }

  #tcp(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    length: number,
    vouched: boolean,
    by: Interface,
    now: number,
  ): Drop {
    const header = this.#header;
    const segment = this.#segment;
    this.counters.tcpInSegs++;
    // RFC 9293 MUST-3; the kernel vouches for what it has checked or made itself.
    if (!vouched) {
      const pseudo = pseudoHeaderSum(header.srcAddr, header.dstAddr, PROTOCOL_TCP, length);
      if (fold(sum(bytes, view, offset, length, pseudo)) !== 0xffff) {
        this.counters.tcpInCsumErrors++;
        return Drop.TCP_CHECKSUM;
      }
    }
    const drop = parseTcp(bytes, view, offset, length, segment);
    if (drop !== Drop.NONE) {
      this.counters.tcpInErrs++;
      return drop;
    }
    this.counters.tcpInSegs += segmentsOnWire(segment) - 1;
    segment.srcAddr = header.srcAddr;
    segment.dstAddr = header.dstAddr;
    segment.ttl = header.ttl;
    segment.tos = header.tos;
    if (!this.#merging) return this.tcp.input(segment, by, now);
    if (this.#held !== null && coalesce(this.#held, segment)) return Drop.NONE;
    this.#flush(by, now);
    if (!startsRun(segment)) return this.tcp.input(segment, by, now);
    this.#held = segment;
    this.#segment = this.#spare;
    this.#spare = segment;
    return Drop.NONE;
  }
}
