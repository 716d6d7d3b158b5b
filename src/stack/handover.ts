import type { Counters } from '../base/counters.js';
import type { Tcb } from '../tcp/tcb.js';
import { Drop } from '../wire/drop-reason.js';
import { ACK, RST, type Segment, SYN } from '../wire/segment.js';
import { EPHEMERAL_FIRST } from './identity.js';
import type { Interface } from './interfaces.js';
import { LateSegments } from './late-segments.js';
import type { Shard } from './shard.js';

const NOBODY = -1;
/** Whoever gets a packet with this mask answers it, whatever it knows. */
const ASKED_ALL = -1;

/**
 * What becomes of a packet of which this shard knows nothing: another one may have its connection, since
 * who distributes packets below does not know connections. Those who may know are asked one after the
 * other, by giving them the packet; the last one answers.
 */
export class Handover {
  /** The link whose packets are distributed; on others every packet is ours. */
  by: Interface | null = null;
  /** Shards that know nothing of what is looked at. */
  asked = 0;
  #to = NOBODY;
  readonly #self: number;
  readonly #all: number;
  readonly #late = new LateSegments();

  constructor(
    readonly shard: Shard,
    private readonly counters: Counters,
  ) {
    this.#self = 1 << shard.index;
    this.#all = (1 << shard.count) - 1;
  }

  /**
   * Whether a port is among those that this shard gives to its own connections: any shard can tell from
   * it whose they are. One that another shard listens on is nobody's.
   */
  mayTake(port: number): boolean {
    const { shard } = this;
    return port % shard.count === shard.index && (shard.listeners(port) & ~this.#self) === 0;
  }

  /** A connection of this shard is no more. */
  ended(tcb: Tcb, now: number): void {
    this.#late.ended(tcb, tcb.rcvNxt, now);
  }

  /**
   * Whether a segment of no connection was overtaken, on its way from another shard, by segments that came
   * here at once, up to the end of its connection: nobody has done wrong who could be told by a reset.
   */
  isOvertaken(segment: Segment, now: number): boolean {
    return this.asked !== 0 && (segment.flags & SYN) === 0 && this.#late.has(segment, now);
  }

  /** Whether {@link pass} is to be called for a segment of which this shard has no connection. */
  isElsewhere(segment: Segment, by: Interface): boolean {
    if (by !== this.by || this.asked === ASKED_ALL) return false;
    const opens = (segment.flags & (SYN | ACK | RST)) === SYN;
    this.#to = opens ? this.#listenerFor(segment) : this.#nextFor(segment.dstPort);
    return this.#to !== NOBODY;
  }

  /** The same for an error about a segment of which this shard has no connection. */
  isErrorElsewhere(quoted: Segment, by: Interface): boolean {
    if (by !== this.by || this.asked === ASKED_ALL) return false;
    this.#to = this.#nextFor(quoted.srcPort);
    return this.#to !== NOBODY;
  }

  /** Gives the packet to the shard that was found, which sees it as it arrived here. */
  pass(bytes: Uint8Array, offset: number, length: number, segmentSize: number): Drop {
    const { shard, counters } = this;
    const asked = this.#others() === 0 ? ASKED_ALL : this.asked | this.#self;
    if (!shard.pass(this.#to, asked, bytes, offset, length, segmentSize)) {
      return Drop.SHARD_QUEUE_FULL;
    }
    counters.shardOutPackets++;
    return Drop.NONE;
  }

  #others(): number {
    return this.shard.alive & ~this.asked & ~this.#self;
  }

  /**
   * The same hash brings every SYN of a connection to the same shard while all of them run, so that it
   * is ours if we listen. When one has ended, another may know of the connection: all are asked first.
   */
  #listenerFor({ dstPort, srcPort }: Segment): number {
    const { shard } = this;
    const others = this.#others();
    if ((shard.alive & this.#all) !== this.#all && others !== 0) return lowest(others);
    const listening = shard.listeners(dstPort) & shard.alive;
    if ((listening & this.#self) !== 0 || listening === 0) return NOBODY;
    return nth(listening, srcPort);
  }

  /** The shard that gives out the port, if any does, and then the others. */
  #nextFor(port: number): number {
    const others = this.#others();
    if (others === 0) return NOBODY;
    const owner = port % this.shard.count;
    return port >= EPHEMERAL_FIRST && (others & (1 << owner)) !== 0 ? owner : lowest(others);
  }
}

function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** One of the bits of a mask that is not 0, by a number. */
function nth(mask: number, number: number): number {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  let rest = mask;
  for (let skip = number % bits; skip > 0; skip--) rest &= rest - 1;
  return lowest(rest);
}
