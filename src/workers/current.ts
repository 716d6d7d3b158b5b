import type { Stack } from '../net/stack.js';

/** The shard that this thread is. */
export interface CurrentShard {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
  readonly stack: Stack;
}

/** Null in a thread that no {@link startShards} has started. */
export let shard: CurrentShard | null = null;

/** @internal */
export function setShard(current: CurrentShard): void {
  shard = current;
}
