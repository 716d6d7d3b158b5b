/** The beginning of a thread that is a shard: brings up its stack, then loads the program. */

import { syncBuiltinESMExports } from 'node:module';
import threads, { type MessagePort } from 'node:worker_threads';
import { captureLink } from '../link/capture.js';
import type { Link } from '../link/link.js';
import { openTun } from '../link/tun.js';
import { WatchedLink } from '../link/watched-link.js';
import { giveHost } from '../net/default-host.js';
import { Stack } from '../net/stack.js';
import { systemEpoch } from '../runtime/system.js';
import type { Host } from '../stack/host.js';
import type { Shard } from '../stack/shard.js';
import { socketList } from '../stack/socket-list.js';
import { Board } from './board.js';
import type { Boot, Order, Report, ShardAnswers } from './boot.js';
import { type CurrentShard, setShard } from './current.js';
import { ShardBus } from './shard-bus.js';

const { boot, data } = threads.workerData as { boot: Boot; data: unknown };
// The program's own.
(threads as { workerData: unknown }).workerData = data;
syncBuiltinESMExports();
begin(boot);

function begin({ control, module, ...boot }: Boot): void {
  const { index, count } = boot;
  const clockOffset = systemEpoch() - boot.epoch;
  const board = new Board(boot.board, count);
  const bus = new ShardBus(index, count, boot.secret, clockOffset, board);
  for (const peer of boot.peers) bus.addPeer(peer.index, peer.port);
  const device = new WatchedLink(openTun({ ...boot.device, queue: true, up: false }));
  device.lost.catch((error) => tell(control, { kind: 'lost', error }));
  const link = captureLink(device, null);
  const stack = stackOf(boot, link, bus);
  const current: CurrentShard = { index, count, stack, link, clockOffset };
  giveHost(stack.host);
  setShard(current);
  // Peers hear of the end, unless the thread is terminated.
  process.on('exit', () => {
    stack.host.leave();
    // At once, so that the kernel brings to other queues what nobody would read here.
    link.close();
  });
  control.on('message', (order: Order) => {
    switch (order.kind) {
      case 'peer':
        bus.addPeer(order.index, order.port);
        break;
      case 'start':
        load(module, current, control);
        break;
      case 'ask':
        tell(control, {
          kind: 'answer',
          id: order.id,
          answer: ANSWERS[order.question](stack.host, order.limit),
        });
    }
  });
  tell(control, { kind: 'attached' });
}

function stackOf(boot: Omit<Boot, 'control' | 'module'>, link: Link, shard: Shard) {
  const { address, acceptAny, tcp } = boot;
  try {
    return new Stack({
      link,
      address,
      shard,
      ...(acceptAny === undefined ? {} : { acceptAny }),
      ...(tcp === undefined ? {} : { tcp }),
    });
  } catch (error) {
    link.close();
    throw error;
  }
}

/** An error of the program ends the thread, as one of a process' main module does. */
function load(module: string, current: CurrentShard, control: MessagePort): void {
  begun(module, current).then(
    () => {
      tell(control, { kind: 'ready' });
      // The program alone decides how long the thread lives.
      control.unref();
    },
    (error) => {
      process.nextTick(() => {
        throw error;
      });
    },
  );
}

async function begun(module: string, current: CurrentShard): Promise<void> {
  const { start } = (await import(module)) as { start?: unknown };
  if (typeof start === 'function') await start(current);
}

const ANSWERS: {
  [K in keyof ShardAnswers]: (host: Host, limit: number) => ShardAnswers[K];
} = {
  counters: (host) => host.counters.snapshot(),
  sockets: socketList,
  metrics: (host) => host.metrics(),
  close(host) {
    host.close();
    return null;
  },
};

function tell(control: MessagePort, report: Report): void {
  control.postMessage(report);
}
