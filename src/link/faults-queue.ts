import type { FaultReason, PathCounters } from './faults-counters.js';
import type { PathSettings } from './faults-options.js';
import type { WaitingPacket } from './faults-packet.js';

/** Packets that were served are forgotten so many at a time. */
const COMPACT_AT = 1024;
/** RFC 8289 §5.5: the rate of dropping is taken up again within so many intervals. */
const RECENT_INTERVALS = 16;

/**
 * The queue before a path that sends so many bits per second, first in, first out, with drop-tail or
 * CoDel (RFC 8289). Times are worked out rather than waited for: whoever looks calls
 * {@link dequeue} for all that began to be sent by then, in order of time.
 */
export class Bottleneck {
  /** Bytes that wait. */
  bytes = 0;
  /** When the last packet that was sent has left. */
  freeAt = -Infinity;
  readonly #settings: PathSettings;
  readonly #counters: PathCounters;
  readonly #drop: (packet: WaitingPacket, reason: FaultReason, now: number) => void;
  readonly #packets: WaitingPacket[] = [];
  #first = 0;

  // RFC 8289 §5.3; null in the head of CoDel's dodequeue is a queue that is empty.
  #firstAboveTime = 0;
  #dropNext = 0;
  #count = 0;
  #lastCount = 0;
  #dropping = false;
  #okToDrop = false;

  constructor(
    settings: PathSettings,
    counters: PathCounters,
    drop: (packet: WaitingPacket, reason: FaultReason, now: number) => void,
  ) {
    this.#settings = settings;
    this.#counters = counters;
    this.#drop = drop;
  }

  get length(): number {
    return this.#packets.length - this.#first;
  }

  /** When the first packet begins to be sent; Infinity when there is none. */
  get startsAt(): number {
    if (this.#first === this.#packets.length) return Infinity;
    return Math.max(this.freeAt, this.#packets[this.#first]!.enteredAt);
  }

  /** When the first packet has left, if it is sent at all; Infinity when there is none. */
  get leavesAt(): number {
    if (this.#first === this.#packets.length) return Infinity;
    return this.startsAt + this.#timeToSend(this.#packets[this.#first]!);
  }

  /** Takes a packet, or drops it for want of room. */
  enqueue(packet: WaitingPacket, now: number): void {
    const { queuePackets, queueBytes, markAbove } = this.#settings;
    const counters = this.#counters;
    if (this.length >= queuePackets || this.bytes + packet.length > queueBytes) {
      this.#drop(packet, 'queue', now);
      return;
    }
    if (this.bytes > markAbove && packet.isEcnCapable) this.#mark(packet);
    packet.enteredAt = now;
    this.#packets.push(packet);
    this.bytes += packet.length;
    if (this.length > counters.queuePacketsMax) counters.queuePacketsMax = this.length;
    if (this.bytes > counters.queueBytesMax) counters.queueBytesMax = this.bytes;
  }

  /** The packet that begins to be sent at {@link startsAt}; null when CoDel has dropped them all. */
  dequeue(): WaitingPacket | null {
    const now = this.startsAt;
    const packet = this.#settings.target > 0 ? this.#codel(now) : this.#shift(now);
    if (packet === null) return null;
    this.freeAt = now + this.#timeToSend(packet);
    const waited = now - packet.enteredAt;
    const counters = this.#counters;
    counters.queued++;
    counters.queueDelaySum += waited;
    if (waited > counters.queueDelayMax) counters.queueDelayMax = waited;
    return packet;
  }

  #timeToSend(packet: WaitingPacket): number {
    return (packet.length * 8000) / this.#settings.rate;
  }

  #mark(packet: WaitingPacket): void {
    packet.markCongestion();
    this.#counters.marked++;
  }

  /** dodequeue of RFC 8289 §5.6, which is plain FIFO without a target. */
  #shift(now: number): WaitingPacket | null {
    this.#okToDrop = false;
    const packet = this.#packets[this.#first];
    if (packet === undefined) {
      this.#firstAboveTime = 0;
      return null;
    }
    if (++this.#first === this.#packets.length) {
      this.#packets.length = 0;
      this.#first = 0;
    } else if (this.#first >= COMPACT_AT) {
      this.#packets.splice(0, this.#first);
      this.#first = 0;
    }
    this.bytes -= packet.length;
    const { target, interval } = this.#settings;
    if (now - packet.enteredAt < target || this.bytes <= packet.length) {
      this.#firstAboveTime = 0;
    } else if (this.#firstAboveTime === 0) {
      this.#firstAboveTime = now + interval;
    } else {
      this.#okToDrop = now >= this.#firstAboveTime;
    }
    return packet;
  }

  /** dequeue of RFC 8289 §5.5; a packet that is marked is one dropped, but goes on. */
  #codel(now: number): WaitingPacket | null {
    let packet = this.#shift(now);
    if (this.#dropping) {
      if (!this.#okToDrop) this.#dropping = false;
      while (packet !== null && this.#dropping && now >= this.#dropNext) {
        this.#count++;
        const marked = this.#markOrDrop(packet, now);
        if (!marked) packet = this.#shift(now);
        if (marked || this.#okToDrop) this.#dropNext = this.#controlLaw(this.#dropNext);
        else this.#dropping = false;
        if (marked) break;
      }
    } else if (packet !== null && this.#okToDrop) {
      if (!this.#markOrDrop(packet, now)) packet = this.#shift(now);
      this.#dropping = true;
      const delta = this.#count - this.#lastCount;
      const recent = now - this.#dropNext < RECENT_INTERVALS * this.#settings.interval;
      this.#count = delta > 1 && recent ? delta : 1;
      this.#dropNext = this.#controlLaw(now);
      this.#lastCount = this.#count;
    }
    return packet;
  }

  #markOrDrop(packet: WaitingPacket, now: number): boolean {
    if (this.#settings.ecn && packet.isEcnCapable) {
      this.#mark(packet);
      return true;
    }
    this.#drop(packet, 'codel', now);
    return false;
  }

  #controlLaw(t: number): number {
    return t + this.#settings.interval / Math.sqrt(this.#count);
  }
}
