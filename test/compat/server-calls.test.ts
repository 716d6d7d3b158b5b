import type { AddressInfo, Server, Socket } from 'node:net';
import { describe } from 'vitest';
import {
  both,
  connected,
  type Log,
  type Net,
  namePort,
  serve,
  show,
  turns,
  until,
} from './both.js';

const EVENTS = 'listening connection close error drop';

interface Case {
  server: Server;
  sockets?: Socket[];
  others?: Server[];
}

/** Each state, and how a server comes to be in it. */
const STATES: Record<string, (net: Net) => Promise<Case>> = {
  new: async (net) => ({ server: net.createServer() }),
  'about to listen': async (net) => ({ server: net.createServer().listen(0) }),
  'looking up its address': async (net) => ({ server: net.createServer().listen(0, '127.0.0.1') }),
  listening: async (net) => ({ server: (await serve(net, () => {})).server }),
  'listening, with a connection': async (net) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}).resume());
    const client = net.connect(port, '127.0.0.1').on('error', () => {});
    await Promise.all([until(server, 'connection'), until(client, 'connect')]);
    return { server, sockets: [client] };
  },
  'closed, with a connection that lives': async (net) => {
    const { client, peer, server } = await connected(net);
    peer.on('error', () => {}).resume();
    return { server, sockets: [client] };
  },
  'closed a moment ago': async (net) => {
    const { server } = await serve(net, () => {});
    return { server: server.close() };
  },
  closed: async (net) => {
    const { server } = await serve(net, () => {});
    server.close();
    await until(server, 'close');
    return { server };
  },
  'refused its port': async (net) => {
    const { server: other, port } = await serve(net, () => {});
    const server = net.createServer().on('error', () => {});
    server.listen(port, '127.0.0.1');
    await until(server, 'error');
    return { server, others: [other] };
  },
  'left before its lookup ended': async (net) => {
    const server = net.createServer().listen(0, '127.0.0.1');
    return { server: server.close() };
  },
};

type Call = (server: Server, log: Log, net: Net) => unknown;
const called = (log: Log, name: string) => (error?: Error | null, value?: unknown) =>
  log.note(`${name} called with ${show(error)} ${show(value)}`);

const CALLS: Record<string, Call> = {
  listen: (s, log) => s.listen(0, called(log, 'listen')) === s,
  'listen on an address': (s, log) => s.listen(0, '127.0.0.1', called(log, 'listen')) === s,
  'listen twice': (s) => s.listen(0).listen(0),
  'listen on a bad port': (s) => s.listen(70_000),
  'listen on an address of somebody else': (s) => s.listen(0, '192.0.2.1'),
  'listen and close': (s, log) => s.listen(0).close(called(log, 'close')) === s,
  close: (s) => s.close() === s,
  'close with a callback': (s, log) => s.close(called(log, 'close')) === s,
  'close twice': (s, log) => s.close(called(log, 'first')).close(called(log, 'second')) === s,
  'close and listen': (s, log) => s.close(called(log, 'close')).listen(0, '127.0.0.1') === s,
  address: (s) => {
    const name = s.address() as AddressInfo | null;
    return name === null ? null : [name.family.length, typeof name.port, Object.keys(name)];
  },
  listening: (s) => s.listening,
  getConnections: (s, log) => s.getConnections(called(log, 'getConnections')) === (s as unknown),
  'ref and unref': (s) => [s.unref() === s, s.ref() === s],
  'dispose of it': async (s, log) => {
    await (s as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    log.note('disposed');
  },
  'the members that programs look at': (s) => {
    const inside = s as unknown as Record<string, unknown>;
    const { _handle, _connections, _connectionKey, connections, maxConnections } = inside;
    const key = typeof _connectionKey === 'string' ? _connectionKey.replace(/.*:/, '') : 'none';
    return [_handle === null, _connections, key, connections, maxConnections];
  },
  'an emitted connection': (s, _log, net) => s.emit('connection', new net.Socket()),
};

function result(value: unknown): string {
  if (Array.isArray(value)) return value.map(result).join(' ');
  return value instanceof Promise ? 'a promise' : show(value);
}

async function over({ server, sockets = [], others = [] }: Case): Promise<void> {
  for (const socket of sockets) {
    if (socket.closed) continue;
    const closed = until(socket, 'close');
    socket.destroy();
    await closed;
  }
  for (const each of [server, ...others]) if (each.listening) each.close();
}

function portNamed(server: Server): void {
  const name = server.address() as AddressInfo | null;
  if (name !== null) namePort(name.port);
}

for (const [stateName, prepare] of Object.entries(STATES)) {
  describe(`a server that is ${stateName}`, () => {
    for (const [callName, call] of Object.entries(CALLS)) {
      both(callName, async (net, log) => {
        const made = await prepare(net);
        const { server } = made;
        portNamed(server);
        log.watch('server', server, EVENTS);
        try {
          log.note(`gives ${result(call(server, log, net))}`);
        } catch (error) {
          log.note(`throws ${show(error)}`);
        }
        log.note(`at once: ${server.listening}`);
        process.nextTick(() => log.note('next tick'));
        await turns();
        log.note(`later: ${server.listening} ${server.address() === null}`);
        await over(made);
      });
    }
  });
}
