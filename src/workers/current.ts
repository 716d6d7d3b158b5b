import type { CaptureLink } from '../link/capture.js';
import type { Stack } from '../net/stack.js';

/** The shard that this thread is. */
export interface CurrentShard {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
  readonly stack: Stack;
  /** The shard's queue of the device. Sinks can be attached to it. */
  readonly link: CaptureLink;
  /** ms to add to the time of this thread for that of the one that has started it. */
  readonly clockOffset: number;
}

/** Null in a thread that no {@link startShards} has started. */
export let shard: CurrentShard | null = null;

/** @internal */
export function setShard(current: CurrentShard): void {
  shard = current;
}
