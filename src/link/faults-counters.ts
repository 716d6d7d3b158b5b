/** Why a packet got no further. */
export type FaultReason =
  /** An exact fault. */
  | 'rule'
  /** The path is dead. */
  | 'dead'
  /** Longer than the path's MTU. */
  | 'mtu'
  /** Random loss. */
  | 'loss'
  /** Bursty loss. */
  | 'burst'
  /** The queue was full. */
  | 'queue'
  | 'codel'
  /** More is on its way than the link keeps. */
  | 'limit';

/** What the faults have done in one direction. Packets are those that super-packets are cut into. */
export class PathCounters {
  /** Packets that came in, and their bytes. */
  packets = 0;
  bytes = 0;
  /** Packets that went out at the other end, copies and ICMP from the path included. */
  delivered = 0;
  /** Packets lost, by reason. */
  readonly lost: Record<FaultReason, number> = {
    rule: 0,
    dead: 0,
    mtu: 0,
    loss: 0,
    burst: 0,
    queue: 0,
    codel: 0,
    limit: 0,
  };
  corrupted = 0;
  duplicated = 0;
  /** Packets held back so that others overtake them. */
  reordered = 0;
  /** CE set. */
  marked = 0;
  /** ICMP messages sent for packets of this direction. */
  icmp = 0;
  /** Most packets and bytes that ever waited in the queue. */
  queuePacketsMax = 0;
  queueBytesMax = 0;
  /** Packets that left the queue, the sum of the times in ms that they waited, and the longest. */
  queued = 0;
  queueDelaySum = 0;
  queueDelayMax = 0;

  /** Packets lost for whatever reason. */
  get lostInAll(): number {
    return Object.values(this.lost).reduce((sum, n) => sum + n, 0);
  }

  /** The mean time in ms that packets waited in the queue. */
  get queueDelayMean(): number {
    return this.queued === 0 ? 0 : this.queueDelaySum / this.queued;
  }
}
