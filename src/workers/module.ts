/** `tuntcp/workers`: one host on several threads, each with a share of its connections. */

export { type CurrentShard, shard } from './current.js';
export {
  type ShardSocketInfo,
  type Shards,
  type ShardsEvents,
  type ShardsOptions,
  startShards,
} from './shards.js';
