import { RX_CHECKSUM_VOUCHED } from '../base/batch.js';
import { checksum, pseudoHeaderSum, update } from '../wire/checksum.js';
import { ECN_CE, ECN_MASK } from '../wire/ecn.js';
import { IPV4_HEADER_BYTES, PROTOCOL_TCP } from '../wire/ipv4.js';
import { TCP_CHECKSUM_OFFSET, TCP_HEADER_BYTES } from '../wire/tcp.js';

/** Packets that are made at a time. */
const SLAB_PACKETS = 64;

/** A copy of a packet on its way through the faults; one object is used again and again. */
export class WaitingPacket {
  /** Bytes of the packet, from its IPv4 header at {@link offset} on. */
  length = 0;
  /** {@link RX_CHECKSUM_VOUCHED}: the TCP checksum may be unfinished, and needs no check; or 0. */
  flags = 0;
  /** When it came into the queue, ms. */
  enteredAt = 0;
  /** When it arrives at the other end, ms; among equals by {@link order}. */
  at = 0;
  order = 0;
  /** Time in ms that it takes beyond others. */
  extraDelay = 0;
  /** A bit of it is inverted. A second one might make up for the first in a checksum. */
  isCorrupt = false;

  constructor(
    public bytes: Uint8Array,
    public view: DataView,
    public offset: number,
    public capacity: number,
  ) {}

  /** Whether the sender speaks ECN: ECT(0), ECT(1) or CE. */
  get isEcnCapable(): boolean {
    return this.isIpv4 && (this.bytes[this.offset + 1]! & ECN_MASK) !== 0;
  }

  get isIpv4(): boolean {
    return this.length >= IPV4_HEADER_BYTES && this.bytes[this.offset]! >> 4 === 4;
  }

  /** Sets CE (RFC 3168 §5), with the header's checksum. */
  markCongestion(): void {
    const { view, offset } = this;
    const before = view.getUint16(offset);
    const after = before | ECN_CE;
    view.setUint16(offset, after);
    view.setUint16(offset + 10, update(view.getUint16(offset + 10), before, after));
  }

  /** Inverts bit `bit` of the packet, 0 to `length * 8 - 1`. Whoever checks checksums sees it. */
  flip(bit: number): void {
    this.#completeChecksum();
    this.isCorrupt = true;
    const at = this.offset + (bit >> 3);
    this.bytes[at] = this.bytes[at]! ^ (1 << (bit & 7));
  }

  /** Nobody vouches for the packet any more, so that its checksum has to be right. */
  #completeChecksum(): void {
    if ((this.flags & RX_CHECKSUM_VOUCHED) === 0) return;
    this.flags = 0;
    const { bytes, view, offset } = this;
    if (!this.isIpv4 || bytes[offset + 9] !== PROTOCOL_TCP) return;
    const header = (bytes[offset]! & 15) << 2;
    const tcpLength = view.getUint16(offset + 2) - header;
    if (tcpLength < TCP_HEADER_BYTES || header + tcpLength > this.length) return;
    const source = view.getInt32(offset + 12);
    const pseudo = pseudoHeaderSum(source, view.getInt32(offset + 16), PROTOCOL_TCP, tcpLength);
    const tcp = offset + header;
    view.setUint16(tcp + TCP_CHECKSUM_OFFSET, 0);
    view.setUint16(tcp + TCP_CHECKSUM_OFFSET, checksum(bytes, view, tcp, tcpLength, pseudo));
  }
}

/** Packets that are free; each has room for the largest one of a link, and grows when it has not. */
export class PacketPool {
  readonly #free: WaitingPacket[] = [];
  readonly #headroom: number;
  readonly #slot: number;

  /** Bytes of a packet, and of what may stand before it. */
  constructor(packetBytes: number, headroom: number) {
    this.#headroom = headroom;
    this.#slot = headroom + packetBytes;
  }

  /** A packet with room for `length` bytes, and the headroom before them. */
  take(length: number): WaitingPacket {
    if (this.#free.length === 0) this.#makeSlab();
    const packet = this.#free.pop()!;
    if (packet.capacity < length) this.#enlarge(packet, length);
    packet.length = length;
    packet.flags = 0;
    packet.extraDelay = 0;
    packet.isCorrupt = false;
    return packet;
  }

  copy(original: WaitingPacket): WaitingPacket {
    const packet = this.take(original.length);
    copyBytes(original.bytes, original.offset, original.length, packet.bytes, packet.offset);
    packet.flags = original.flags;
    packet.extraDelay = original.extraDelay;
    packet.isCorrupt = original.isCorrupt;
    return packet;
  }

  release(packet: WaitingPacket): void {
    this.#free.push(packet);
  }

  #makeSlab(): void {
    const bytes = new Uint8Array(this.#slot * SLAB_PACKETS);
    const view = new DataView(bytes.buffer);
    const capacity = this.#slot - this.#headroom;
    for (let at = bytes.length - this.#slot; at >= 0; at -= this.#slot) {
      this.#free.push(new WaitingPacket(bytes, view, at + this.#headroom, capacity));
    }
  }

  #enlarge(packet: WaitingPacket, length: number): void {
    packet.bytes = new Uint8Array(this.#headroom + length);
    packet.view = new DataView(packet.bytes.buffer);
    packet.offset = this.#headroom;
    packet.capacity = length;
  }
}

/** Below this many bytes a loop is faster than a view of them. */
const SHORT = 96;

export function copyBytes(
  source: Uint8Array,
  from: number,
  length: number,
  target: Uint8Array,
  to: number,
): void {
  if (length > SHORT) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
}

/** Packets that were taken from the front are forgotten so many at a time. */
const COMPACT_AT = 1024;

/**
 * Packets by the time of their arrival; those of the same time in the order of {@link push}. One that
 * arrives behind all others, as nearly all do, waits in a queue, and one that overtakes in a heap.
 */
export class DelayLine {
  /** Bytes on their way. */
  bytes = 0;
  readonly #queue: WaitingPacket[] = [];
  #first = 0;
  readonly #heap: WaitingPacket[] = [];
  #order = 0;

  /** When the next one arrives; Infinity when there is none. */
  get next(): number {
    const queued = this.#first < this.#queue.length ? this.#queue[this.#first]!.at : Infinity;
    return this.#heap.length > 0 ? Math.min(queued, this.#heap[0]!.at) : queued;
  }

  push(packet: WaitingPacket): void {
    const queue = this.#queue;
    packet.order = this.#order++;
    this.bytes += packet.length;
    if (this.#first === queue.length || packet.at >= queue[queue.length - 1]!.at) {
      queue.push(packet);
    } else pushHeap(this.#heap, packet);
  }

  /** The next one; there has to be one. */
  shift(): WaitingPacket {
    const queue = this.#queue;
    const heap = this.#heap;
    const queued = this.#first < queue.length;
    const packet =
      heap.length > 0 && !(queued && before(queue[this.#first]!, heap[0]!))
        ? shiftHeap(heap)
        : queue[this.#first++]!;
    this.bytes -= packet.length;
    if (this.#first === queue.length) {
      queue.length = 0;
      this.#first = 0;
    } else if (this.#first >= COMPACT_AT) {
      queue.splice(0, this.#first);
      this.#first = 0;
    }
    return packet;
  }
}

function pushHeap(heap: WaitingPacket[], packet: WaitingPacket): void {
  let index = heap.length;
  heap.push(packet);
  while (index > 0) {
    const above = (index - 1) >> 1;
    if (!before(packet, heap[above]!)) break;
    heap[index] = heap[above]!;
    index = above;
  }
  heap[index] = packet;
}

function shiftHeap(heap: WaitingPacket[]): WaitingPacket {
  const first = heap[0]!;
  const last = heap.pop()!;
  const count = heap.length;
  if (count === 0) return first;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= count) break;
    if (child + 1 < count && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return first;
}

function before(a: WaitingPacket, b: WaitingPacket): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
