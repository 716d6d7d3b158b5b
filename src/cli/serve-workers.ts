import type { HostSettings } from './arguments.js';
import { MAX_SOCKETS } from './control/questions.js';
import type { Io } from './io.js';
import type { LossyOutput } from './lossy-output.js';
import { announce, jsonLine } from './serve-output.js';
import type { ShardServices } from './serve-shard.js';
import { openViews } from './serve-views.js';
import { closeWithin, type StopRequests } from './shutdown.js';

/** `tuntcp serve` on several threads. */
export interface WorkersOptions {
  workers: number;
  device: string | undefined;
  settings: HostSettings;
  metricsPort: number | null;
  services: ShardServices;
}

/** Serves until it is asked to stop; the exit status. */
export async function serveOnWorkers(
  io: Io,
  output: LossyOutput,
  stop: StopRequests,
  { workers, device, settings, metricsPort, services }: WorkersOptions,
): Promise<number> {
  const { json } = services;
  const shards = await io.platform.shards({
    ...settings,
    workers,
    name: device,
    services,
    onLine: (line) => output.write(line),
  });
  try {
    const views = await openViews(io, {
      device: shards.device,
      address: settings.address,
      metricsPort,
      metrics: () => shards.metrics(),
      questions: (identity) => ({
        identity: () => identity,
        counters: () => shards.counters(),
        sockets: () => shards.sockets(Math.ceil(MAX_SOCKETS / workers)),
        ...shards.streams,
      }),
    });
    announce(output, json, shards.device, settings, shards.ports);
    try {
      const reason = await Promise.race([stop.first, shards.failed]);
      if (json) output.write(jsonLine({ event: 'stopping', reason }));
      const impatient = stop.second.then(() => 130);
      const code = await Promise.race([closeWithin(shards).then(() => 0), impatient]);
      if (json) output.write(jsonLine({ event: 'stopped', code }));
      return code;
    } finally {
      views.close();
    }
  } finally {
    shards.abandon();
  }
}
