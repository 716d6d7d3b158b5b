import type { RxBatch } from '../base/batch.js';

/** Most shards that there can be: masks of them are int32. */
export const MAX_SHARDS = 31;

/**
 * One of several hosts that have the same addresses, each with the packets of some connections: what it
 * knows of the others, and how packets get to them. A mask has bit i set for shard i.
 */
export interface Shard {
  /** From 0 on. */
  readonly index: number;
  /** 1 to {@link MAX_SHARDS}, whether or not all run. */
  readonly count: number;
  /** 32 unpredictable bytes, the same for all: initial sequence numbers and ports come from them. */
  readonly secret: Uint8Array;
  /** ms to add to this host's time, for one that all shards have in common. */
  readonly clockOffset: number;
  /** The shards that take packets now. */
  readonly alive: number;
  /** The shards that listen on a port. */
  listeners(port: number): number;
  /** Tells the others whether this one listens on a port. */
  setListening(port: number, listens: boolean): void;
  /**
   * Copies an IPv4 packet for another shard, which gets it after {@link flush}.
   * @param asked the shards that know nothing of it
   * @param segmentSize as in {@link RxBatch.segmentSize}
   * @returns false when too many wait there already
   */
  pass(
    to: number,
    asked: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    segmentSize: number,
  ): boolean;
  flush(): void;
  /** From now on `receive` gets what others pass; called once, by the host. */
  open(receive: (batch: RxBatch, asked: number) => void): void;
  /** Takes no more packets, and listens no more. */
  close(): void;
}
