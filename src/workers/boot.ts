import type { MessagePort } from 'node:worker_threads';
import type { CountersSnapshot } from '../base/counters.js';
import type { TunOptions } from '../link/tun-options.js';
import type { SocketList } from '../stack/socket-list.js';
import type { TcpConfig } from '../tcp/config.js';

/** What a thread gets to begin with. */
export interface Boot {
  index: number;
  count: number;
  /** The module that is the program. */
  module: string;
  /** Of which the shard has a queue. */
  device: Pick<TunOptions, 'name' | 'offload' | 'txQueueLength'>;
  address: string | readonly string[];
  acceptAny: boolean | undefined;
  tcp: Partial<TcpConfig> | undefined;
  secret: Uint8Array;
  /** ms since 1970 at 0 of the time that all shards have in common. */
  epoch: number;
  board: SharedArrayBuffer;
  /** To the thread that has started all of them. */
  control: MessagePort;
  /** Ways to the shards that run already. */
  peers: readonly { index: number; port: MessagePort }[];
}

/** What a thread is told. */
export type Order =
  | { kind: 'peer'; index: number; port: MessagePort }
  /** Every shard has its queue: the program may run. */
  | { kind: 'start' }
  | { kind: 'ask'; id: number; question: keyof ShardAnswers; limit: number };

/** What a thread tells. */
export type Report =
  | { kind: 'attached' }
  /** The module has been loaded, and its `start` has done its part. */
  | { kind: 'ready' }
  /** The device is gone. */
  | { kind: 'lost'; error: Error }
  | { kind: 'answer'; id: number; answer: ShardAnswers[keyof ShardAnswers] };

/** What a shard can be asked. */
export interface ShardAnswers {
  counters: CountersSnapshot;
  sockets: SocketList;
  /** In Prometheus' text format. */
  metrics: string;
  /** Resets what is open and gives back the queue. */
  close: null;
}
