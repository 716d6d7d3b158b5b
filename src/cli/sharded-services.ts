import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { type Shards, startShards } from '../workers/module.js';
import type { ShardedServices, ShardsSettings } from './platform.js';
import { END, type ShardNews, type ShardServices } from './serve-shard.js';

import { mergedStreams } from './serve-streams.js';

/** Starts the services in several threads. */
export async function startShardedServices(settings: ShardsSettings): Promise<ShardedServices> {
  const { workers, address, services, onLine, ...device } = settings;
  const ports: Record<string, number> = {};
  const serving: Promise<void>[] = [];
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const shards = await startShards(new URL('./serve-shard.js', import.meta.url), {
    workers,
    address,
    ...definedOf(device),
    worker: { workerData: services satisfies ShardServices },
    onWorker(worker, index) {
      worker.on('error', fail);
      worker.on('exit', () => fail(new Error(`worker ${index} has ended`)));
      serving[index] = new Promise((resolve) => {
        worker.on('message', (news: ShardNews) => {
          if (news.kind === 'line') onLine(news.text);
          if (news.kind !== 'serving') return;
          Object.assign(ports, news.ports);
          resolve();
        });
      });
    },
  });
  shards.on('lost', fail);
  await Promise.race([Promise.all(serving), failed]);
  return {
    device: shards.device,
    ports,
    failed,
    counters: () => shards.counters(),
    sockets: (limit) => shards.sockets(limit),
    metrics: () => shards.metrics(),
    streams: mergedStreams(shards.device, () => shards.workers),
    close: () => endAll(shards),
    abandon: () => void shards.close(),
  };
}

function definedOf<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const defined = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as ReturnType<typeof definedOf<T>>;
}

async function endAll(shards: Shards): Promise<void> {
  await Promise.all(shards.workers.map((worker) => (worker === null ? null : ended(worker))));
  await shards.close();
}

async function ended(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit');
  const done = new Promise<void>((resolve) => {
    worker.on('message', (news: ShardNews) => news.kind === 'ended' && resolve());
  });
  worker.postMessage(END);
  await Promise.race([done, gone]);
}
