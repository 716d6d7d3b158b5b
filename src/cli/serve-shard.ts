/** What runs in each thread of `tuntcp serve --workers`. */

import { parentPort, workerData } from 'node:worker_threads';
import { Recorder } from '../stack/recorder.js';
import type { CurrentShard } from '../workers/module.js';
import { finsDelivered, withEnd } from './orderly-close.js';
import { testLine, watchLine } from './serve-output.js';
import { startServices } from './services.js';

export interface ShardServices {
  dir: string | null;
  httpPort: number;
  verbose: boolean;
  json: boolean;
}

/** What the thread tells. */
export type ShardNews =
  | { kind: 'serving'; ports: Readonly<Record<string, number>> }
  | { kind: 'line'; text: string }
  | { kind: 'ended' };

/** The only thing that it is told. */
export const END = 'end';

export async function start({ index, stack }: CurrentShard): Promise<void> {
  const { dir, httpPort, verbose, json } = workerData as ShardServices;
  const recorder = new Recorder();
  stack.host.addTrace(recorder);
  const { net, endAll } = withEnd(stack.net);
  const say = (text: string) => tell({ kind: 'line', text });
  const services = await startServices(net, {
    recorder,
    dir,
    httpPort,
    iperf3: index === 0,
    ...(verbose && {
      watch: (...event) => say(watchLine(json, ...event)),
      onTest: (end) => say(testLine(json, end)),
    }),
  });
  parentPort!.on('message', async (message) => {
    if (message !== END) return;
    services.close();
    endAll();
    await finsDelivered(stack.host);
    tell({ kind: 'ended' });
  });
  tell({ kind: 'serving', ports: services.ports });
}

function tell(news: ShardNews): void {
  parentPort!.postMessage(news);
}
