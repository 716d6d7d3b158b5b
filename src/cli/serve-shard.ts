/** What runs in each thread of `tuntcp serve --workers`. */

import { parentPort, workerData } from 'node:worker_threads';
import { Recorder } from '../stack/recorder.js';
import type { TraceEvent } from '../stack/trace-event.js';
import type { CurrentShard } from '../workers/module.js';
import { captureSource } from './control/capture-source.js';
import { relay } from './control/relay.js';
import { StreamSource } from './control/stream.js';
import { traceSource } from './control/trace-source.js';
import { finsDelivered, withEnd } from './orderly-close.js';
import { testLine, watchLine } from './serve-output.js';
import type { StreamOrder } from './serve-streams.js';
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

/** What it is told, besides a {@link StreamOrder}. */
export const END = 'end';

export async function start(current: CurrentShard): Promise<void> {
  const { index, stack } = current;
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
  parentPort!.on('message', async (message: typeof END | StreamOrder) => {
    if (message !== END) {
      stream(message, current);
      return;
    }
    services.close();
    endAll();
    await finsDelivered(stack.host);
    tell({ kind: 'ended' });
  });
  tell({ kind: 'serving', ports: services.ports });
}

function stream({ stream: name, options, port }: StreamOrder, current: CurrentShard): void {
  const { link, stack } = current;
  relay(port, () =>
    name === 'capture'
      ? captureSource(link, options)
      : merged(traceSource(stack.host, link.name, options), current),
  );
}

/** The events of a trace with times that all threads have in common, and numbers that none has twice. */
function merged(source: StreamSource, { index, count, clockOffset }: CurrentShard): StreamSource {
  const translate = (event: TraceEvent): TraceEvent => ({
    ...event,
    time: event.time + clockOffset,
    ...('at' in event && { at: event.at + clockOffset }),
    connection: event.connection && {
      ...event.connection,
      id: event.connection.id * count + index,
    },
  });
  return new StreamSource((outlet) =>
    source.start({
      get room() {
        return outlet.room;
      },
      item: (value, number) => {
        return outlet.item(Array.isArray(value) ? value.map(translate) : value, number);
      },
      lose: (number) => outlet.lose(number),
      end: () => outlet.end(),
    }),
  );
}

function tell(news: ShardNews): void {
  parentPort!.postMessage(news);
}
