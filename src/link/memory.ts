import { BATCH_PACKETS, RX_CHECKSUM_VOUCHED, RxBatch, type TxBatch } from '../base/batch.js';
import type { Alarm, Runtime } from '../runtime/runtime.js';
import { systemRuntime } from '../runtime/system.js';
import { VIRTIO_HEADER_BYTES, virtioSegmentSize, virtioVouched } from '../wire/virtio.js';
import type { Link, LinkReceiver } from './link.js';
import { checkedMtu } from './mtu.js';

const ARENA_BYTES = 1024 * 1024;
/** Arenas kept for reuse, in each direction. */
const SPARE_ARENAS = 8;
/** A sender that goes on although the link is blocked loses packets beyond this much more. */
const OVERRUN_BYTES = 32 * 1024 * 1024;

export interface MemoryPairOptions {
  /** Default: the real world. */
  runtime?: Runtime;
  /** Largest packet in bytes, 68 to 65535; with `offload`, of what super-segments stand for. */
  mtu?: number;
  /** Take and give super-segments and unfinished checksums; see {@link Link.offload}. */
  offload?: boolean;
  /** Time in ms that a packet takes to the other end. */
  delay?: number;
  /** Bytes on their way in one direction from which on the link is blocked. Default 4 MiB. */
  queueBytes?: number;
  names?: readonly [string, string];
  /**
   * Decides the fate of each packet: the extra delay in ms of each copy that arrives, one number
   * for one copy. `[]` or a negative number loses it, `[0, 0]` duplicates it, `5` lets others
   * overtake it. The packet may be changed in place. It has no virtio header.
   */
  onPacket?: (packet: Uint8Array, from: 'a' | 'b') => number | readonly number[];
}

/** Memory that packets on their way lie in; free again when the last of them has arrived. */
interface Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  used: number;
  packets: number;
  pinned: boolean;
}

interface Packet {
  arena: Arena;
  offset: number;
  length: number;
  flags: number;
  segmentSize: number;
  at: number;
}

/** A cable between two hosts in one process: what one end sends arrives at the other, later. */
export function memoryPair(options: MemoryPairOptions = {}): [MemoryLink, MemoryLink] {
  const runtime = options.runtime ?? systemRuntime();
  const names = options.names ?? ['memory:a', 'memory:b'];
  const a = new MemoryLink(names[0], 'a', runtime, options);
  const b = new MemoryLink(names[1], 'b', runtime, options);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

/**
 * A cable whose two ends are one: what a host sends by it comes back to the same host. Packets are
 * as large as IPv4 allows, and checksums are vouched for, as on Linux's `lo`.
 */
export function loopbackLink(runtime: Runtime): MemoryLink {
  const link = new MemoryLink('lo', 'a', runtime, { runtime, mtu: 65_535, offload: true });
  link.connect(link);
  return link;
}

/**
 * One end of a {@link memoryPair}. After `close()`, what the other end sends is lost; what this end
 * had sent still arrives.
 */
export class MemoryLink implements Link {
  readonly mtu: number;
  readonly offload: boolean;
  readonly headroom: number;
  /** Packets from this end that were lost because the queue was full or the other end closed. */
  dropped = 0;

  readonly #side: 'a' | 'b';
  readonly #runtime: Runtime;
  readonly #delay: number;
  readonly #queueBytes: number;
  readonly #onPacket: MemoryPairOptions['onPacket'];
  readonly #alarm: Alarm;
  readonly #deliver = (): void => this.#deliverDue();
  #receiver: LinkReceiver | null = null;
  #peer!: MemoryLink;
  #closed = false;
  #blocked = false;

  /** Packets from this end that are on their way, in order of arrival, from `#first` on. */
  #packets: Packet[] = [];
  #first = 0;
  #bytes = 0;
  #yielded = false;
  #arena: Arena;
  readonly #spareArenas: Arena[] = [];
  readonly #sparePackets: Packet[] = [];
  readonly #batch: RxBatch;

  /** @internal Use {@link memoryPair}. */
  constructor(
    readonly name: string,
    side: 'a' | 'b',
    runtime: Runtime,
    options: MemoryPairOptions,
  ) {
    this.mtu = checkedMtu(options.mtu ?? 1500);
    this.offload = options.offload ?? false;
    this.headroom = this.offload ? VIRTIO_HEADER_BYTES : 0;
    this.#side = side;
    this.#runtime = runtime;
    this.#delay = options.delay ?? 0;
    this.#queueBytes = options.queueBytes ?? 4 * 1024 * 1024;
    this.#onPacket = options.onPacket;
    this.#alarm = runtime.alarm(this.#deliver);
    this.#arena = newArena();
    this.#batch = new RxBatch(this.#arena.bytes);
  }

  /** @internal */
  connect(peer: MemoryLink): void {
    this.#peer = peer;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get discarded(): number {
    return this.dropped;
  }

  open(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    this.#peer.#wakeUp();
  }

  send(batch: TxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.packetLength(i);
      if (
        this.#closed ||
        this.#peer.#closed ||
        this.#bytes + length > this.#queueBytes + OVERRUN_BYTES
      ) {
        this.dropped++;
        continue;
      }
      const arena = this.#room(length);
      const offset = arena.used;
      batch.copyPacket(i, arena.bytes, offset);
      arena.used += length;
      this.#decideFate(arena, offset, length);
    }
    if (this.#bytes >= this.#queueBytes && !this.#closed) this.#blocked = true;
    this.#wakeUp();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#blocked = false;
    const receiver = this.#receiver;
    if (receiver !== null) this.#runtime.defer(() => receiver.closed());
  }

  #room(length: number): Arena {
    if (this.#arena.used + length > ARENA_BYTES) {
      this.#arena = this.#spareArenas.pop() ?? newArena();
    }
    return this.#arena;
  }

  #decideFate(arena: Arena, offset: number, length: number): void {
    const now = this.#runtime.now();
    if (this.#onPacket === undefined) {
      this.#enqueue(arena, offset, length, now + this.#delay);
      return;
    }
    const packet = arena.bytes.subarray(offset + this.headroom, offset + length);
    const fate = this.#onPacket(packet, this.#side);
    for (const extra of typeof fate === 'number' ? [fate] : fate) {
      if (extra >= 0) this.#enqueue(arena, offset, length, now + this.#delay + extra);
    }
  }

  #enqueue(arena: Arena, offset: number, length: number, at: number): void {
    const packet = this.#sparePackets.pop() ?? newPacket(arena);
    packet.arena = arena;
    packet.offset = offset + this.headroom;
    packet.length = length - this.headroom;
    packet.flags = 0;
    packet.segmentSize = 0;
    packet.at = at;
    if (this.offload) {
      if (virtioVouched(arena.view, offset)) packet.flags = RX_CHECKSUM_VOUCHED;
      packet.segmentSize = virtioSegmentSize(arena.view, offset);
    }
    arena.packets++;
    this.#bytes += packet.length;
    const packets = this.#packets;
    let index = packets.length;
    while (index > this.#first && packets[index - 1]!.at > at) index--;
    if (index === packets.length) packets.push(packet);
    else packets.splice(index, 0, packet);
  }

  /** Sees to it that what is on its way is delivered in time, once the other end is open. */
  #wakeUp(): void {
    if (this.#yielded || this.#peer.#receiver === null) return;
    const next = this.#packets[this.#first];
    if (next === undefined) return;
    if (next.at > this.#runtime.now()) {
      this.#alarm.set(next.at);
    } else {
      this.#yielded = true;
      this.#runtime.yield(this.#deliver);
    }
  }

  #deliverDue(): void {
    this.#yielded = false;
    const receiver = this.#peer.#receiver;
    if (receiver === null) return;
    const now = this.#runtime.now();
    const batch = this.#batch;
    // One batch holds packets of one arena.
    for (let next = this.#packets[this.#first]; next !== undefined && next.at <= now; ) {
      const arena = next.arena;
      batch.count = 0;
      if (batch.bytes !== arena.bytes) batch.replaceArena(arena.bytes);
      while (
        next !== undefined &&
        next.at <= now &&
        next.arena === arena &&
        batch.count < BATCH_PACKETS
      ) {
        batch.push(next.offset, next.length, next.flags, next.segmentSize);
        this.#bytes -= next.length;
        this.#sparePackets.push(next);
        next = this.#packets[++this.#first];
      }
      this.#compact();
      if (this.#peer.#closed) this.dropped += batch.count;
      else receiver.receive(batch);
      this.#release(arena, batch.count);
      next = this.#packets[this.#first];
    }
    this.#unblock();
    this.#wakeUp();
  }

  /** Forgets delivered packets before the array of those on their way grows long. */
  #compact(): void {
    if (this.#first === this.#packets.length) this.#packets.length = 0;
    else if (this.#first >= 1024) this.#packets.splice(0, this.#first);
    else return;
    this.#first = 0;
  }

  #release(arena: Arena, packets: number): void {
    const batch = this.#batch;
    if (batch.pinned) {
      arena.pinned = true;
      batch.pinned = false;
    }
    arena.packets -= packets;
    if (arena.packets > 0) return;
    if (arena.pinned) {
      if (arena === this.#arena) this.#arena = this.#spareArenas.pop() ?? newArena();
    } else if (arena === this.#arena) {
      arena.used = 0;
    } else if (this.#spareArenas.length < SPARE_ARENAS) {
      arena.used = 0;
      this.#spareArenas.push(arena);
    }
  }

  #unblock(): void {
    if (!this.#blocked || this.#closed || this.#bytes > this.#queueBytes / 2) return;
    this.#blocked = false;
    this.#receiver?.writable();
  }
}

function newArena(): Arena {
  const bytes = new Uint8Array(ARENA_BYTES);
  return { bytes, view: new DataView(bytes.buffer), used: 0, packets: 0, pinned: false };
}

function newPacket(arena: Arena): Packet {
  return { arena, offset: 0, length: 0, flags: 0, segmentSize: 0, at: 0 };
}
