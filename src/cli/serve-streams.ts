import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { systemEpoch } from '../runtime/system.js';
import type { TraceEvent } from '../stack/trace-event.js';
import { DEFAULT_SNAPLEN } from '../wire/pcapng.js';
import type {
  CaptureEnd,
  CaptureItem,
  CaptureRequest,
  Streams,
  TraceEnd,
  TraceItem,
  TraceRequest,
} from './control/protocol.js';
import { mergedSource } from './control/relay.js';
import type { StreamSource } from './control/stream.js';

/** Asks a thread for a stream. */
export interface StreamOrder {
  stream: keyof Streams;
  options: unknown;
  port: MessagePort;
}

/** The streams of several threads, each as one. */
export function mergedStreams(
  device: string,
  workers: () => readonly (Worker | null)[],
): { [K in keyof Streams]: (options: unknown) => StreamSource } {
  const open = (stream: keyof Streams, options: unknown) => () =>
    workers().flatMap((worker) => {
      if (worker === null) return [];
      const { port1, port2 } = new MessageChannel();
      const order: StreamOrder = { stream, options, port: port2 };
      worker.postMessage(order, [port2]);
      return [port1];
    });
  return {
    capture: (options) => {
      const { snaplen = DEFAULT_SNAPLEN, count } = (options ?? {}) as CaptureRequest;
      return mergedSource<Uint8Array>(open('capture', options), {
        header: { device, snaplen } satisfies CaptureItem,
        limit: count ?? Infinity,
        cut: firstBlocks,
        done: (captured): CaptureEnd => ({ captured }),
      });
    },
    trace: (options) => {
      const { count } = (options ?? {}) as TraceRequest;
      return mergedSource<TraceEvent[]>(open('trace', options), {
        header: { device, epoch: systemEpoch() } satisfies TraceItem,
        limit: count ?? Infinity,
        cut: (events, wanted) => events.slice(0, wanted),
        done: (events): TraceEnd => ({ events }),
      });
    },
  };
}

/** The first `count` blocks of pcapng. */
function firstBlocks(bytes: Uint8Array, count: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let i = 0; i < count; i++) at += view.getUint32(at + 4, true);
  return bytes.subarray(0, at);
}
