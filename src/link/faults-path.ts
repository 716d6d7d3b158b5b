import { Random } from '../base/random.js';
import { type FaultReason, PathCounters } from './faults-counters.js';
import { clearPath, type PathSettings } from './faults-options.js';
import { DelayLine, type PacketPool, type WaitingPacket } from './faults-packet.js';
import { Bottleneck } from './faults-queue.js';
import type { FaultAction, FaultDirection, FaultRules } from './faults-rules.js';

/** Most bytes on their way in one direction, beside those in the queue. */
const MAX_BYTES = 256 * 1024 * 1024;

/** What a path asks of its link. */
export interface PathHost {
  /** The packet is lost; it is the path's again afterwards. */
  lost(packet: WaitingPacket, direction: FaultDirection, reason: FaultReason, now: number): void;
  /** The packet is too long, and its sender wants to know. */
  tooLong(packet: WaitingPacket, direction: FaultDirection, mtu: number, now: number): void;
}

/**
 * One direction of a link with faults. In order: exact faults, a dead path, MTU, random and bursty
 * loss, corruption, duplication; then the queue; then delay, jitter and reordering. Each kind of
 * chance has a generator of its own, so that turning one on leaves the others as they are.
 */
export class FaultPath {
  readonly settings: PathSettings = clearPath();
  readonly counters = new PathCounters();
  readonly #direction: FaultDirection;
  readonly #pool: PacketPool;
  readonly #rules: FaultRules;
  readonly #host: PathHost;
  readonly #queue: Bottleneck;
  readonly #line = new DelayLine();
  readonly #lossChance: Random;
  readonly #burstChance: Random;
  readonly #corruptChance: Random;
  readonly #duplicateChance: Random;
  readonly #jitterChance: Random;
  readonly #reorderChance: Random;
  #inBurst = false;
  /** Arrival of the latest packet that was not held back. */
  #latest = 0;

  constructor(
    direction: FaultDirection,
    pool: PacketPool,
    rules: FaultRules,
    host: PathHost,
    seed: number,
  ) {
    this.#direction = direction;
    this.#pool = pool;
    this.#rules = rules;
    this.#host = host;
    this.#queue = new Bottleneck(this.settings, this.counters, (packet, reason, now) =>
      this.#lose(packet, reason, now),
    );
    const seeds = new Random(seed);
    this.#lossChance = new Random(seeds.next());
    this.#burstChance = new Random(seeds.next());
    this.#corruptChance = new Random(seeds.next());
    this.#duplicateChance = new Random(seeds.next());
    this.#jitterChance = new Random(seeds.next());
    this.#reorderChance = new Random(seeds.next());
  }

  /** Nothing happens to packets, and none is on its way: they may pass as they come. */
  get isClear(): boolean {
    const s = this.settings;
    return (
      !s.dead &&
      s.delay === 0 &&
      s.jitter === 0 &&
      s.rate === Infinity &&
      s.loss === 0 &&
      s.toBad === 0 &&
      s.lossGood === 0 &&
      s.reorder === 0 &&
      s.duplicate === 0 &&
      s.corrupt === 0 &&
      s.mtu === 65_535 &&
      this.#rules.isEmpty &&
      this.#line.next === Infinity &&
      this.#queue.length === 0
    );
  }

  /** When something is to be delivered, or a packet leaves the queue; Infinity when never. */
  get next(): number {
    return Math.min(this.#line.next, this.#queue.leavesAt + this.settings.delay);
  }

  /** Packets that wait in the queue now. */
  get queueLength(): number {
    return this.#queue.length;
  }

  /** Bytes that wait in the queue now. */
  get queueBytes(): number {
    return this.#queue.bytes;
  }

  /** Counts a packet that passes a clear path. */
  pass(length: number): void {
    this.counters.packets++;
    this.counters.bytes += length;
    this.counters.delivered++;
  }

  /** Takes a packet at `now`, up to which the path has been brought by {@link advance}. */
  admit(packet: WaitingPacket, now: number): void {
    const { settings, counters } = this;
    counters.packets++;
    counters.bytes += packet.length;
    const action = this.#rules.isEmpty ? null : this.#rules.actionFor(packet, this.#direction, now);
    if (action === 'drop') {
      this.#lose(packet, 'rule', now);
      return;
    }
    const reason = this.#lossOf(packet);
    if (reason !== null) {
      if (reason === 'mtu' && settings.icmp) {
        this.#host.tooLong(packet, this.#direction, settings.mtu, now);
      }
      this.#lose(packet, reason, now);
      return;
    }
    this.#act(packet, action, now);
    if (settings.corrupt > 0 && this.#corruptChance.float() < settings.corrupt) {
      this.#corrupt(packet);
    }
    if (settings.duplicate > 0 && this.#duplicateChance.float() < settings.duplicate) {
      this.#duplicate(packet, now);
    }
    this.#enqueue(packet, now);
  }

  /** Puts in a packet that only takes its time: an ICMP message from a router on the way. */
  inject(packet: WaitingPacket, now: number): void {
    packet.at = now + this.settings.delay;
    this.#line.push(packet);
  }

  /** Works out what has left the queue by `now`. */
  advance(now: number): void {
    while (this.#queue.startsAt <= now) {
      const packet = this.#queue.dequeue();
      if (packet !== null) this.#launch(packet, this.#queue.freeAt);
    }
  }

  /** The next packet that has arrived by `now`, the caller's to release; null when there is none. */
  arrived(now: number): WaitingPacket | null {
    if (this.#line.next > now) return null;
    this.counters.delivered++;
    return this.#line.shift();
  }

  #lossOf(packet: WaitingPacket): FaultReason | null {
    const { settings } = this;
    if (settings.dead) return 'dead';
    if (packet.length > settings.mtu) return 'mtu';
    if (settings.loss > 0 && this.#lossChance.float() < settings.loss) return 'loss';
    if ((settings.toBad > 0 || settings.lossGood > 0) && this.#isBurstLoss()) return 'burst';
    return null;
  }

  /** The state moves, then decides. */
  #isBurstLoss(): boolean {
    const { toBad, toGood, lossBad, lossGood } = this.settings;
    const chance = this.#burstChance;
    if (chance.float() < (this.#inBurst ? toGood : toBad)) this.#inBurst = !this.#inBurst;
    return chance.float() < (this.#inBurst ? lossBad : lossGood);
  }

  #act(packet: WaitingPacket, action: FaultAction | null, now: number): void {
    if (action === null) return;
    if (action === 'corrupt') this.#corrupt(packet);
    else if (action === 'duplicate') this.#duplicate(packet, now);
    else if (action === 'mark') {
      if (!packet.isEcnCapable) return;
      packet.markCongestion();
      this.counters.marked++;
    } else if (typeof action === 'object') {
      packet.extraDelay = action.delay;
      this.counters.reordered++;
    }
  }

  #corrupt(packet: WaitingPacket): void {
    if (packet.length === 0 || packet.isCorrupt) return;
    packet.flip(this.#corruptChance.int(packet.length * 8));
    this.counters.corrupted++;
  }

  #duplicate(packet: WaitingPacket, now: number): void {
    this.counters.duplicated++;
    this.#enqueue(this.#pool.copy(packet), now);
  }

  #enqueue(packet: WaitingPacket, now: number): void {
    if (this.settings.rate === Infinity && this.#queue.length === 0) {
      this.#launch(packet, Math.max(now, this.#queue.freeAt));
      return;
    }
    this.#queue.enqueue(packet, now);
    this.advance(now);
  }

  /** Sends the packet, which has left the queue at `at`, on its way. */
  #launch(packet: WaitingPacket, at: number): void {
    const { settings } = this;
    if (this.#line.bytes + packet.length > MAX_BYTES) {
      this.#lose(packet, 'limit', at);
      return;
    }
    let arrival = at + settings.delay + packet.extraDelay;
    if (settings.jitter > 0) arrival += this.#jitterChance.float() * settings.jitter;
    let isLate = packet.extraDelay > 0;
    if (settings.reorder > 0 && this.#reorderChance.float() < settings.reorder) {
      arrival += settings.reorderDelay;
      isLate = true;
      this.counters.reordered++;
    }
    if (!isLate) {
      if (settings.keepOrder) arrival = Math.max(arrival, this.#latest);
      this.#latest = Math.max(arrival, this.#latest);
    }
    packet.at = arrival;
    this.#line.push(packet);
  }

  #lose(packet: WaitingPacket, reason: FaultReason, now: number): void {
    this.counters.lost[reason]++;
    this.#host.lost(packet, this.#direction, reason, now);
    this.#pool.release(packet);
  }
}
