import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../../src/net/socket.js';
import { Stack } from '../../../src/net/stack.js';
import type { Alarm, Runtime } from '../../../src/runtime/runtime.js';
import { systemRuntime } from '../../../src/runtime/system.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The real world, with a count of what is taken from it and not given back. */
function countingRuntime() {
  const system = systemRuntime();
  const armed = new Set<object>();
  const counts = { holds: 0, armed };
  const runtime: Runtime = {
    now: () => system.now(),
    random: (length) => system.random(length),
    defer: (task) => system.defer(task),
    yield: (task) => system.yield(task),
    alarm(ring): Alarm {
      const key = {};
      const alarm = system.alarm(() => {
        armed.delete(key);
        ring();
      });
      return {
        set(at) {
          armed.add(key);
          alarm.set(at);
        },
        clear() {
          armed.delete(key);
          alarm.clear();
        },
      };
    },
    holder() {
      const holder = system.holder();
      return {
        hold() {
          counts.holds++;
          holder.hold();
        },
        release() {
          counts.holds--;
          holder.release();
        },
      };
    },
  };
  return { runtime, counts };
}

interface Parts {
  client: Socket;
  /** Resolves when the server has accepted. */
  accepted: Promise<Socket>;
}

/** Callbacks in which a socket is destroyed, and what makes them happen. */
const CALLBACKS: Record<string, (parts: Parts) => unknown> = {
  connectionAttempt: ({ client }) => client.on('connectionAttempt', () => client.destroy()),
  connect: ({ client }) => client.on('connect', () => client.destroy()),
  ready: ({ client }) => client.on('ready', () => client.destroy()),
  timeout: ({ client }) => client.setTimeout(1, () => client.destroy()),
  'a timeout that is not reached': async ({ client, accepted }) => {
    client.setTimeout(100_000);
    await accepted;
    client.destroy();
  },
  connection: async ({ accepted }) => (await accepted).destroy(),
  data: async ({ client, accepted }) => {
    client.on('data', () => client.destroy());
    (await accepted).write('x'.repeat(1000));
  },
  readable: async ({ client, accepted }) => {
    client.on('readable', () => client.destroy());
    (await accepted).write('x');
  },
  end: async ({ client, accepted }) => {
    client.on('end', () => client.destroy()).resume();
    (await accepted).end();
  },
  finish: ({ client }) => client.on('finish', () => client.destroy()).end('x'),
  close: ({ client }) => client.on('close', () => client.destroy()).destroy(),
  'the callback of a write': ({ client }) => client.write('x', () => client.destroy()),
  'the callback of an end': ({ client }) => client.end('x', () => client.destroy()),
  'a write that is stuck': async ({ client, accepted }) => {
    (await accepted).pause();
    client.write(new Uint8Array(16 << 20));
    setImmediate(() => client.destroy());
  },
  drain: async ({ client, accepted }) => {
    client.on('drain', () => client.destroy());
    client.write(new Uint8Array(4 << 20));
    (await accepted).resume();
  },
  'an error': ({ client }) => {
    client.on('error', () => client.destroy());
    client.destroy(new Error('mine'));
  },
  'a reset': async ({ client, accepted }) => {
    await accepted;
    client.resetAndDestroy();
  },
  'a tick after connect': ({ client }) =>
    client.on('connect', () => process.nextTick(() => client.destroy())),
};

describe('sockets destroyed in any callback leave nothing behind', () => {
  for (const [title, act] of Object.entries(CALLBACKS)) {
    it(title, async () => {
      const { runtime, counts } = countingRuntime();
      const stack = new Stack({ runtime, tcp: { msl: 1, finWait2Timeout: 20 } });
      const gone: WeakRef<Socket>[] = [];
      const server = stack.net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', () => resolve(null)));
      const { port } = server.address() as { port: number };
      for (let round = 0; round < 4; round++) await once(stack, server, port, act, gone);
      // A listener that was never called holds its socket, and is ours.
      server.removeAllListeners('connection');
      await new Promise((resolve) => server.close(() => resolve(null)));
      const left = () => [
        stack.host.connectionCount,
        stack.connections().length,
        server._connections,
        counts.holds,
      ];
      await expect.poll(left, { timeout: 10_000 }).toEqual([0, 0, 0, 0]);
      await expect.poll(() => counts.armed.size, { timeout: 10_000 }).toBe(0);
      const alive = () => {
        collect();
        return gone.filter((socket) => socket.deref() !== undefined).length;
      };
      await expect.poll(alive, { timeout: 10_000 }).toBe(0);
      expect(gone.length).toBeGreaterThanOrEqual(4);
      stack.close();
    });
  }
});

/** One connection, destroyed as `act` does it, and its other end after it. */
async function once(
  stack: Stack,
  server: ReturnType<Stack['net']['createServer']>,
  port: number,
  act: (parts: Parts) => unknown,
  gone: WeakRef<Socket>[],
): Promise<void> {
  const accepted = new Promise<Socket>((resolve) => {
    server.removeAllListeners('connection').once('connection', (socket) => {
      gone.push(new WeakRef(socket));
      socket.on('error', () => {}).on('end', () => socket.destroy());
      resolve(socket);
    });
  });
  const client = stack.net.connect(port, '127.0.0.1');
  client.on('error', () => {});
  gone.push(new WeakRef(client));
  const closed = new Promise((resolve) => client.on('close', () => resolve(null)));
  const done = act({ client, accepted });
  await closed;
  await (done instanceof Promise ? done : null);
  // The server's end, if there is one, reads the end and closes.
  const peers = gone.map((socket) => socket.deref()).filter((socket) => socket !== client);
  for (const peer of peers) peer?.resume();
}
