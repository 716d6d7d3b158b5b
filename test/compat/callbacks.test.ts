import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { describe } from 'vitest';
import {
  both,
  connected,
  freePort,
  type Log,
  type Net,
  serve,
  show,
  turns,
  until,
} from './both.js';

describe('AsyncLocalStorage', () => {
  both('of servers', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (what: string) => () => log.note(`${what}: ${storage.getStore()}`);
    const server = storage.run('createServer', () => net.createServer());
    storage.run('on', () => server.on('connection', note('connection')));
    storage.run('listen', () => server.listen(0, '127.0.0.1', note('listening')));
    await until(server, 'listening');
    const { port } = server.address() as { port: number };
    const seen = storage.run('once', () => until(server, 'connection'));
    const client = storage.run('connect', () => net.connect(port, '127.0.0.1'));
    const [peer] = (await seen) as [Socket];
    storage.run('late', () => {
      for (const event of ['data', 'end', 'finish', 'close']) peer.on(event, note(`peer ${event}`));
    });
    if (client.connecting) await until(client, 'connect');
    storage.run('end', () => client.end('x', note('ended')));
    client.resume();
    const closed = until(client, 'close');
    await until(peer, 'close');
    await closed;
    storage.run('getConnections', () => server.getConnections(note('counted')));
    storage.run('close', () => server.close(note('closed')));
    await until(server, 'close');
  });

  both('of sockets', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (what: string) => () => log.note(`${what}: ${storage.getStore()}`);
    const { server, port } = await serve(net, (socket) => socket.end('hello'));
    const socket = storage.run('new', () => new net.Socket());
    for (const event of ['lookup', 'connectionAttempt', 'connect', 'ready', 'data', 'end']) {
      storage.run('on', () => socket.on(event, note(event)));
    }
    storage.run('close listener', () => socket.on('close', note('close')));
    storage.run('connect', () => socket.connect(port, '127.0.0.1', note('connected')));
    storage.run('write', () => socket.write('x', note('written')));
    await until(socket, 'close');
    server.close();
  });

  both('of a connection that fails', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (what: string) => () => log.note(`${what}: ${storage.getStore()}`);
    const port = await freePort(net);
    const socket = storage.run('connect', () => net.connect(port, '127.0.0.1'));
    storage.run('write', () => socket.write('x', note('write')));
    for (const event of ['error', 'close', 'connectionAttemptFailed']) {
      storage.run('on', () => socket.on(event, note(event)));
    }
    await until(socket, 'close');
  });

  both('of a lookup', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (what: string) => () => log.note(`${what}: ${storage.getStore()}`);
    const { server, port } = await serve(net, (socket) => socket.end('hello'));
    const lookup = (_host: string, _options: object, callback: (...answer: unknown[]) => void) =>
      storage.run('lookup', () => setImmediate(() => callback(null, '127.0.0.1', 4)));
    const options = { port, host: 'name.test', family: 4, lookup } as never;
    const socket = storage.run('connect', () => net.connect(options));
    for (const event of ['lookup', 'connectionAttempt', 'connect', 'data', 'close']) {
      socket.on(event, note(event));
    }
    await until(socket, 'close');
    server.close();
  });

  both('of a timeout', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const { client, peer } = await connected(net);
    storage.run('setTimeout', () => client.setTimeout(10, () => log.note(`${storage.getStore()}`)));
    await until(client, 'timeout');
    client.destroy();
    peer.destroy();
  });

  both('of a write that waits, and of its drain', async (net, log) => {
    const storage = new AsyncLocalStorage<string>();
    const note = (what: string) => () => log.note(`${what}: ${storage.getStore()}`);
    const { client, peer } = await connected(net);
    peer.pause();
    client.on('drain', note('drain'));
    storage.run('write', () => client.write(Buffer.alloc(32 << 20), note('written')));
    await turns();
    storage.run('resume', () => peer.resume());
    await until(client, 'drain');
    client.destroy();
    await until(peer, 'close');
  });
});

/** What reaches `uncaughtException` while `task` runs. */
async function uncaught(log: Log, task: () => Promise<void>): Promise<void> {
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => log.note(`uncaught ${error.message}`));
  try {
    await task();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
}

type Throws = (parts: { client: Socket; peer: Socket }, boom: () => never) => void;

/** Callbacks in which a program may throw, and what makes them happen. */
const THROWING: Record<string, Throws> = {
  data: ({ client, peer }, boom) => {
    peer.on('data', boom);
    client.write('x');
  },
  end: ({ client, peer }, boom) => {
    peer.on('end', boom).resume();
    client.end();
  },
  close: ({ peer }, boom) => {
    peer.on('close', boom);
    peer.destroy();
  },
  error: ({ peer }, boom) => {
    peer.on('error', boom);
    peer.destroy(new Error('first'));
  },
  finish: ({ peer }, boom) => {
    peer.on('finish', boom);
    peer.end();
  },
  'the callback of a write': ({ peer }, boom) => {
    peer.write('x', boom);
  },
  'the callback of an end': ({ peer }, boom) => {
    peer.end('x', boom);
  },
  readable: ({ client, peer }, boom) => {
    peer.on('readable', boom);
    client.write('x');
  },
  'no listener for an error': ({ peer }) => {
    peer.removeAllListeners('error');
    peer.destroy(new Error('boom'));
  },
  'the error of a reset, without a listener': ({ client, peer }) => {
    peer.removeAllListeners('error').resume();
    client.resetAndDestroy();
  },
};

describe('a callback that throws', () => {
  for (const [title, cause] of Object.entries(THROWING)) {
    both(title, async (net, log) => {
      const peers: Socket[] = [];
      const { server, port } = await serve(net, (socket) => peers.push(socket));
      const open = async (): Promise<Socket> => {
        const client = net.connect(port, '127.0.0.1').on('error', () => {});
        await Promise.all([until(server, 'connection'), until(client, 'connect')]);
        return client;
      };
      const client = await open();
      const other = await open();
      const [peer, otherPeer] = peers as [Socket, Socket];
      await uncaught(log, async () => {
        cause({ client, peer }, () => {
          throw new Error('boom');
        });
        await turns();
      });
      log.watch('other', otherPeer, 'data end close');
      other.end('still here');
      await until(otherPeer, 'close');
      log.note(`${peer.destroyed}`);
      client.destroy();
      peer.on('error', () => {}).destroy();
      server.close();
      await until(server, 'close');
    });
  }

  both('a connection listener', async (net, log) => {
    const { server, port } = await serve(net, (socket) => {
      socket.on('error', () => {}).end('served');
      throw new Error('boom');
    });
    await uncaught(log, async () => {
      for (let i = 0; i < 2; i++) {
        const client = net.connect(port, '127.0.0.1');
        log.watch('client', client, 'data end close');
        await until(client, 'close');
      }
    });
    server.close();
    await until(server, 'close');
  });

  both('a connect listener', async (net, log) => {
    const { client } = await (async () => {
      const { server, port } = await serve(net, (socket) => {
        socket.on('error', () => {}).end('served');
      });
      return { client: net.connect(port, '127.0.0.1'), server };
    })();
    await uncaught(log, async () => {
      client.on('connect', () => {
        throw new Error('boom');
      });
      await turns();
    });
    log.note(`${client.connecting} ${client.readyState} ${client.destroyed}`);
    client.destroy();
  });
});

describe('ticks', () => {
  both('a promise that waits for one chunk has the time to wait for the next', async (net, log) => {
    const { client, peer } = await connected(net);
    let received = 0;
    client.end(Buffer.alloc(1 << 20));
    while (received < 1 << 20) {
      const [chunk] = (await once(peer, 'data')) as [Buffer];
      received += chunk.length;
    }
    log.note(`${received}`);
    peer.destroy();
  });

  both('a promise that waits for one connection does for the next', async (net, log) => {
    const { server, port } = await serve(net, () => {});
    const clients = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1'));
    for (let i = 0; i < clients.length; i++) {
      const [socket] = (await once(server, 'connection')) as [Socket];
      socket.on('error', () => {});
      log.note('one');
    }
    for (const client of clients) client.destroy();
    server.close();
  });

  both('a tick and a microtask between connect and the first data', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const client = net.connect(port, '127.0.0.1');
    client.on('data', () => log.note('data'));
    client.on('connect', () => {
      process.nextTick(() => log.note('tick'));
      void Promise.resolve().then(() => log.note('microtask'));
    });
    await until(client, 'close');
    server.close();
  });

  both('sockets destroyed together close the last one first', async (net, log) => {
    const first = await connected(net);
    const second = await connected(net);
    const third = await connected(net);
    for (const [name, { client, peer }] of Object.entries({ first, second, third })) {
      peer.on('error', () => {}).resume();
      client.on('close', () => {
        log.note(`${name} closed`);
        process.nextTick(() => log.note(`tick of ${name}`));
      });
    }
    const closed = until(first.client, 'close');
    for (const { client } of [first, second, third]) client.destroy();
    await closed;
  });
});

describe('captureRejections', () => {
  const REJECTING: Record<string, (net: Net) => Server> = {
    'as an option, which a server has never looked at': (net) =>
      net.createServer({ captureRejections: false } as object),
    'as the default of all emitters': (net) => {
      EventEmitter.captureRejections = true;
      try {
        return net.createServer();
      } finally {
        EventEmitter.captureRejections = false;
      }
    },
  };
  both('as the default of all emitters', async (net, log) => {
    const server = REJECTING['as the default of all emitters']!(net);
    server.on('connection', async (socket: Socket) => {
      socket.on('error', (error) => log.note(`socket ${show(error)}`));
      throw new Error('rejected');
    });
    server.listen(0, '127.0.0.1');
    await until(server, 'listening');
    const client = net.connect((server.address() as { port: number }).port, '127.0.0.1');
    log.watch('client', client, 'end close');
    client.on('error', () => {});
    client.resume();
    await until(client, 'close');
    server.close();
  });

  both('of another event', async (net, log) => {
    const server = REJECTING['as the default of all emitters']!(net);
    server.on('listening', async () => {
      throw new Error('rejected');
    });
    server.listen(0, '127.0.0.1');
    const [error] = await until(server, 'error');
    log.note(show(error));
    server.close();
  });

  both('of a socket', async (net, log) => {
    const socket = new net.Socket({ captureRejections: true } as object);
    socket.on('mine', async () => {
      throw new Error('rejected');
    });
    socket.emit('mine');
    const [error] = await until(socket, 'error');
    log.note(`${show(error)} ${socket.destroyed}`);
  });
});

describe('diagnostics channels', () => {
  both('net.client.socket and net.server.socket', async (net, log) => {
    const client = ({ socket }: { socket: Socket }) =>
      log.note(`client ${socket instanceof net.Socket} ${socket.connecting}`);
    const accepted = ({ socket }: { socket: Socket }) =>
      log.note(`server ${socket instanceof net.Socket} ${socket.readyState}`);
    diagnostics.subscribe('net.client.socket', client as never);
    diagnostics.subscribe('net.server.socket', accepted as never);
    try {
      const { client: socket, peer } = await connected(net);
      await turns();
      log.lines.sort();
      socket.destroy();
      peer.destroy();
    } finally {
      diagnostics.unsubscribe('net.client.socket', client as never);
      diagnostics.unsubscribe('net.server.socket', accepted as never);
    }
  });

  both('tracing:net.server.listen', async (net, log) => {
    const note = (name: string) => (message: unknown) => {
      const { server, options, error } = message as Record<string, unknown>;
      log.note(`${name} ${server instanceof net.Server} ${show(options)} ${show(error)}`);
    };
    const handlers = { asyncStart: note('start'), asyncEnd: note('end'), error: note('error') };
    const { server: other, port } = await serve(net, () => {});
    const channel = diagnostics.tracingChannel('net.server.listen');
    channel.subscribe(handlers as never);
    try {
      const server = net.createServer().on('error', () => {});
      server.listen(port, '127.0.0.1');
      await until(server, 'error');
      server.listen(0);
      server.close();
    } finally {
      channel.unsubscribe(handlers as never);
      other.close();
    }
  });
});
