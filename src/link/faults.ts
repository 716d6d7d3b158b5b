import { BATCH_PACKETS, RX_CHECKSUM_VOUCHED, RxBatch, TxBatch } from '../base/batch.js';
import type { Alarm, Runtime } from '../runtime/runtime.js';
import { systemRuntime } from '../runtime/system.js';
import { FRAG_NEEDED, ICMP_UNREACHABLE, isIcmpError, writeIcmpError } from '../wire/icmp.js';
import {
  IPV4_DONT_FRAGMENT,
  IPV4_HEADER_BYTES,
  IPV4_MAX_BYTES,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  writeIpv4,
} from '../wire/ipv4.js';
import {
  clearVirtioHeader,
  VIRTIO_HEADER_BYTES,
  virtioSegmentSize,
  virtioVouched,
  writeVirtioHeader,
} from '../wire/virtio.js';
import type { CaptureSink } from './capture-sink.js';
import { LostPackets } from './faults-capture.js';
import type { FaultReason, PathCounters } from './faults-counters.js';
import { changePath, type PathFaults } from './faults-options.js';
import { copyBytes, PacketPool, type WaitingPacket } from './faults-packet.js';
import { FaultPath, type PathHost } from './faults-path.js';
import {
  type FaultDirection,
  type FaultPacket,
  type FaultRule,
  FaultRules,
} from './faults-rules.js';
import { cutSuperPacket } from './faults-segmenter.js';
import type { Link, LinkReceiver } from './link.js';
import { LinkWrapper } from './link-wrapper.js';

const RX_ARENA_BYTES = 256 * 1024;
/** Longest ICMP message about a packet that is too long, with its IPv4 header. */
const ICMP_ERROR_BYTES = 576;
const ICMP_TTL = 64;
/** Node's timers are late by up to so many ms; what is due sooner is waited for by turning. */
const TIMER_SLACK = 2;

/** A change at a time: what `up`, `down` or both are to be from `at` ms after the link was made on. */
export interface FaultChange {
  at: number;
  up?: PathFaults;
  down?: PathFaults;
  both?: PathFaults;
}

export interface FaultsOptions {
  /** Faults of what the host sends, of what it receives, and of both; the former win. */
  up?: PathFaults;
  down?: PathFaults;
  both?: PathFaults;
  /** Exact faults. */
  rules?: readonly FaultRule[];
  /** What changes while it runs. */
  schedule?: readonly FaultChange[];
  /** Default: the real world. */
  runtime?: Runtime;
  /** Of everything random; the lower 32 bits count. Default 1. */
  seed?: number;
  /** Hears of each packet that is lost. */
  onLost?: (reason: FaultReason, packet: FaultPacket) => void;
  /** Gets a copy of each packet that is lost, with the reason as a comment. */
  capture?: CaptureSink;
  /**
   * In the real world, waits for the last 2 ms before a packet is due by turning in the event loop,
   * which keeps a core busy while packets are on their way. Default false: a packet is late by up to
   * 2 ms, though rates are kept. Not for virtual time.
   */
  precise?: boolean;
}

/**
 * Wraps a link so that packets are delayed, lost, reordered and so on, in each direction by itself
 * and, on virtual time, always in the same way from the same seed.
 *
 * With offload super-packets are cut first, so that every fault is one of a segment as it is on the
 * wire, of which there are 40 and more in a super-packet; checksums stay unfinished as they were. As
 * long as a direction has no faults its super-packets pass whole, and count as one packet.
 *
 * @throws RangeError (ERR_OUT_OF_RANGE) or TypeError (ERR_INVALID_ARG_VALUE) that names the field
 */
export function faultsLink(link: Link, options: FaultsOptions = {}): FaultsLink {
  return new FaultsLink(link, options);
}

/** See {@link faultsLink}. */
export class FaultsLink extends LinkWrapper {
  readonly #runtime: Runtime;
  readonly #options: FaultsOptions;
  readonly #rules = new FaultRules();
  readonly #pool: PacketPool;
  readonly #up: FaultPath;
  readonly #down: FaultPath;
  readonly #alarm: Alarm;
  readonly #lost: LostPackets | null;
  readonly #tick = (): void => this.#wake();
  readonly #admitUp = (packet: WaitingPacket): void => this.#up.admit(packet, this.#now);
  readonly #admitDown = (packet: WaitingPacket): void => this.#down.admit(packet, this.#now);
  /** When the alarm rings. */
  #alarmAt = Infinity;
  #turning = false;
  #now = 0;
  #receiver: LinkReceiver | null = null;
  #closed = false;
  /** Super-packets out, with their headroom. */
  readonly #scratch: Uint8Array;
  readonly #scratchView: DataView;
  readonly #tx = new TxBatch();
  readonly #rx = new RxBatch(new Uint8Array(RX_ARENA_BYTES));
  #rxUsed = 0;

  /** @internal Use {@link faultsLink}. */
  constructor(link: Link, options: FaultsOptions) {
    super(link);
    this.#options = options;
    this.#runtime = options.runtime ?? systemRuntime();
    this.#pool = new PacketPool(Math.max(link.mtu, ICMP_ERROR_BYTES), link.headroom);
    const seed = options.seed ?? 1;
    const host: PathHost = {
      lost: (packet, direction, reason, now) => this.#onLost(packet, direction, reason, now),
      tooLong: (packet, direction, mtu, now) => this.#onTooLong(packet, direction, mtu, now),
    };
    this.#up = new FaultPath('up', this.#pool, this.#rules, host, seed);
    this.#down = new FaultPath('down', this.#pool, this.#rules, host, ~seed);
    for (const direction of ['up', 'down'] as const) {
      if (options.both !== undefined)
        changePath(this.#of(direction).settings, options.both, 'both');
      const own = options[direction];
      if (own !== undefined) changePath(this.#of(direction).settings, own, direction);
    }
    for (const rule of options.rules ?? []) this.#rules.add(rule);
    this.#scratch = new Uint8Array(IPV4_MAX_BYTES + link.headroom);
    this.#scratchView = new DataView(this.#scratch.buffer);
    this.#lost =
      options.capture === undefined ? null : new LostPackets(options.capture, this.#runtime, link);
    this.#alarm = this.#runtime.alarm(this.#tick);
    this.#plan(options.schedule ?? []);
  }

  /** Each segment has a fate of its own. */
  override get softwareOffload(): boolean {
    return false;
  }

  /** What has happened so far in a direction. */
  counters(direction: FaultDirection): PathCounters {
    this.#of(direction).advance(this.#runtime.now());
    return this.#of(direction).counters;
  }

  /** Packets and bytes that wait in the queue now. */
  queue(direction: FaultDirection): { packets: number; bytes: number } {
    const path = this.#of(direction);
    path.advance(this.#runtime.now());
    return { packets: path.queueLength, bytes: path.queueBytes };
  }

  /**
   * Changes faults while the link runs; what is left out stays. Packets that have left the queue
   * already keep the time of their arrival.
   * @throws RangeError (ERR_OUT_OF_RANGE) that names the field
   */
  set(direction: FaultDirection | 'both', changes: PathFaults): void {
    const now = this.#runtime.now();
    for (const each of direction === 'both' ? (['up', 'down'] as const) : [direction]) {
      const path = this.#of(each);
      path.advance(now);
      changePath(path.settings, changes, each);
      path.advance(now);
    }
    this.#arm(now);
  }

  /** Adds an exact fault, which counts from now on. */
  rule(rule: FaultRule): void {
    this.#rules.add(rule);
  }

  open(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    this.inner.open({
      receive: (batch) => this.#receive(batch, receiver),
      writable: () => receiver.writable(),
      closed: (error) => {
        this.#stop();
        receiver.closed(error);
      },
    });
  }

  override send(batch: TxBatch): void {
    const path = this.#up;
    if (this.#closed || path.isClear) {
      for (let i = 0; i < batch.count; i++) {
        path.pass(batch.packetLength(i) - this.inner.headroom);
      }
      this.inner.send(batch);
      return;
    }
    const now = this.#begin(path);
    for (let i = 0; i < batch.count; i++) this.#sendOne(batch, i, now);
    this.#deliverUp(now);
    this.#arm(now);
  }

  override close(): void {
    this.#stop();
    this.inner.close();
  }

  #onLost(
    packet: WaitingPacket,
    direction: FaultDirection,
    reason: FaultReason,
    now: number,
  ): void {
    this.#lost?.write(packet, direction, reason, now);
    const { onLost } = this.#options;
    if (onLost === undefined) return;
    this.#rules.packet.read(packet, direction, now);
    onLost(reason, this.#rules.packet);
  }

  /** Answers as a router on the way does (RFC 1191 §4), in the name of the destination. */
  #onTooLong(packet: WaitingPacket, direction: FaultDirection, mtu: number, now: number): void {
    const { bytes, view, offset } = packet;
    if (!packet.isIpv4 || (view.getUint16(offset + 6) & IPV4_DONT_FRAGMENT) === 0) return;
    const header = (bytes[offset]! & 15) << 2;
    if (bytes[offset + 9] === PROTOCOL_ICMP && isIcmpError(bytes[offset + header]!)) return;
    const answer = this.#pool.take(ICMP_ERROR_BYTES);
    const body = answer.offset + IPV4_HEADER_BYTES;
    const length = writeIcmpError(
      answer.view,
      answer.bytes,
      body,
      ICMP_UNREACHABLE,
      FRAG_NEEDED,
      mtu,
      bytes,
      offset,
      packet.length,
    );
    answer.length = IPV4_HEADER_BYTES + length;
    const to = view.getInt32(offset + 12);
    const from = view.getInt32(offset + 16);
    const { length: total, offset: start } = answer;
    writeIpv4(answer.view, start, 0, total, 0, 0, ICMP_TTL, PROTOCOL_ICMP, from, to);
    this.#of(direction).counters.icmp++;
    const back = this.#of(direction === 'up' ? 'down' : 'up');
    back.inject(answer, now);
  }

  #of(direction: FaultDirection): FaultPath {
    return direction === 'up' ? this.#up : this.#down;
  }

  #plan(schedule: readonly FaultChange[]): void {
    const start = this.#runtime.now();
    const changes = [...schedule].sort((a, b) => a.at - b.at);
    let next = 0;
    const alarm = this.#runtime.alarm(() => {
      const now = this.#runtime.now();
      while (next < changes.length && start + changes[next]!.at <= now) {
        const { both, up, down } = changes[next++]!;
        if (this.#closed) return;
        if (both !== undefined) this.set('both', both);
        if (up !== undefined) this.set('up', up);
        if (down !== undefined) this.set('down', down);
      }
      if (next < changes.length) alarm.set(start + changes[next]!.at);
    });
    if (changes.length > 0) alarm.set(start + changes[0]!.at);
  }

  #begin(path: FaultPath): number {
    this.#now = this.#runtime.now();
    path.advance(this.#now);
    return this.#now;
  }

  #sendOne(batch: TxBatch, i: number, now: number): void {
    const { headroom } = this.inner;
    const length = batch.packetLength(i) - headroom;
    if (headroom !== VIRTIO_HEADER_BYTES) {
      const packet = this.#pool.take(length);
      batch.copyPacket(i, packet.bytes, packet.offset - headroom);
      this.#up.admit(packet, now);
      return;
    }
    batch.copyPacket(i, this.#scratch, 0);
    const flags = virtioVouched(this.#scratchView, 0) ? RX_CHECKSUM_VOUCHED : 0;
    const size = virtioSegmentSize(this.#scratchView, 0);
    this.#take(this.#scratch, headroom, length, flags, size, this.#admitUp);
  }

  #receive(batch: RxBatch, receiver: LinkReceiver): void {
    const path = this.#down;
    if (path.isClear) {
      for (let i = 0; i < batch.count; i++) path.pass(batch.length[i]!);
      receiver.receive(batch);
      return;
    }
    const now = this.#begin(path);
    const { bytes, offset, length, flags, segmentSize } = batch;
    for (let i = 0; i < batch.count; i++) {
      const at = offset[i]!;
      this.#take(bytes, at, length[i]!, flags[i]!, segmentSize[i]!, this.#admitDown);
    }
    this.#deliverDown(now);
    this.#arm(now);
  }

  /** Copies a packet for `admit`, or the segments that it stands for. */
  #take(
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    segmentSize: number,
    admit: (packet: WaitingPacket) => void,
  ): void {
    if (segmentSize > 0 && cutSuperPacket(bytes, offset, length, segmentSize, this.#pool, admit)) {
      return;
    }
    const packet = this.#pool.take(length);
    copyBytes(bytes, offset, length, packet.bytes, packet.offset);
    packet.flags = flags & RX_CHECKSUM_VOUCHED;
    admit(packet);
  }

  #deliverUp(now: number): void {
    const tx = this.#tx;
    for (let packet = this.#up.arrived(now); packet !== null; packet = this.#up.arrived(now)) {
      const { headroom } = this.inner;
      const bytes = headroom + packet.length;
      if (!tx.fits(bytes)) this.#flushUp();
      const at = tx.begin(bytes);
      copyBytes(packet.bytes, packet.offset, packet.length, tx.bytes, at + headroom);
      if (headroom === VIRTIO_HEADER_BYTES) this.#writeVirtio(packet, tx.view, at);
      this.#pool.release(packet);
    }
    this.#flushUp();
  }

  #writeVirtio(packet: WaitingPacket, view: DataView, at: number): void {
    const { bytes, offset } = packet;
    const isTcp = packet.isIpv4 && bytes[offset + 9] === PROTOCOL_TCP;
    if ((packet.flags & RX_CHECKSUM_VOUCHED) === 0 || !isTcp) {
      clearVirtioHeader(view, at);
      return;
    }
    const header = (bytes[offset]! & 15) << 2;
    writeVirtioHeader(view, at, header, 0, header + ((bytes[offset + header + 12]! >> 4) << 2));
  }

  #flushUp(): void {
    if (this.#tx.count === 0) return;
    if (!this.#closed) this.inner.send(this.#tx);
    this.#tx.reset();
  }

  #deliverDown(now: number): void {
    const rx = this.#rx;
    for (let packet = this.#down.arrived(now); packet !== null; packet = this.#down.arrived(now)) {
      const room = rx.bytes.length - this.#rxUsed;
      if (rx.count === BATCH_PACKETS || packet.length > room) this.#flushDown();
      copyBytes(packet.bytes, packet.offset, packet.length, rx.bytes, this.#rxUsed);
      rx.push(this.#rxUsed, packet.length, packet.flags, 0);
      this.#rxUsed += packet.length;
      this.#pool.release(packet);
    }
    this.#flushDown();
  }

  #flushDown(): void {
    const rx = this.#rx;
    if (rx.count > 0 && !this.#closed) this.#receiver?.receive(rx);
    if (rx.pinned) rx.replaceArena(new Uint8Array(RX_ARENA_BYTES));
    rx.count = 0;
    this.#rxUsed = 0;
  }

  #wake(): void {
    this.#turning = false;
    this.#alarmAt = Infinity;
    if (this.#closed) return;
    const now = this.#runtime.now();
    this.#up.advance(now);
    this.#down.advance(now);
    this.#deliverUp(now);
    this.#deliverDown(now);
    this.#arm(now);
  }

  #arm(now: number): void {
    const next = Math.min(this.#up.next, this.#down.next);
    if (next === Infinity || this.#closed || this.#turning) return;
    if (this.#options.precise === true) {
      if (next - now < TIMER_SLACK) {
        this.#turning = true;
        this.#alarmAt = Infinity;
        this.#alarm.clear();
        this.#runtime.yield(this.#tick);
      } else if (next - TIMER_SLACK < this.#alarmAt) {
        this.#alarmAt = next - TIMER_SLACK;
        this.#alarm.set(this.#alarmAt);
      }
    } else if (next < this.#alarmAt) {
      this.#alarmAt = next;
      this.#alarm.set(next);
    }
  }

  #stop(): void {
    this.#closed = true;
    this.#alarm.clear();
  }
}
