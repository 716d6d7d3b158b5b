import type { Server, Socket } from 'node:net';
import { describe } from 'vitest';
import { attempt, both, connected, freePort, type Net, serve, show, turns, until } from './both.js';

const EVENTS = 'connect ready data end finish close error timeout';
const NODE_MAJOR = Number.parseInt(process.versions.node, 10);
type Loose = (...args: unknown[]) => unknown;

describe('onread', () => {
  const text = 'a stream of bytes that is longer than the buffer';

  both('a buffer', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end(text));
    let received = '';
    const buffer = Buffer.alloc(8);
    const client = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(this: unknown, length: number, bytes: Uint8Array) {
          received += Buffer.from(bytes.subarray(0, length)).toString();
          if (bytes !== buffer || this !== client || length > 8) log.note('another');
          return true;
        },
      },
    } as never);
    log.watch('client', client, EVENTS);
    await until(client, 'close');
    log.note(`${received} ${client.bytesRead}`);
    server.close();
  });

  both('a function that gives buffers', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end(text));
    let received = '';
    let asked = 0;
    let reads = 0;
    const client = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: () => Buffer.alloc(++asked * 4),
        callback: (length: number, bytes: Uint8Array) => {
          reads++;
          received += Buffer.from(bytes.subarray(0, length)).toString();
        },
      },
    } as never);
    log.watch('client', client, EVENTS);
    await until(client, 'close');
    log.note(`${received} ${asked - reads}`);
    server.close();
  });

  both('a callback that stops, and goes on later', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end(text));
    const parts: string[] = [];
    const client: Socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: Buffer.alloc(20),
        callback: (length: number, bytes: Uint8Array) => {
          parts.push(Buffer.from(bytes.subarray(0, length)).toString());
          return parts.length === 2;
        },
      },
    } as never);
    log.watch('client', client, EVENTS);
    await until(client, 'connect');
    await turns();
    log.note(`${parts.length}`);
    client.resume();
    await turns();
    log.note(`${parts.length}`);
    client.pause();
    client.resume();
    await until(client, 'close');
    log.note(parts.join(''));
    server.close();
  });

  const USELESS: Record<string, unknown> = {
    null: null,
    'without a callback': { buffer: Buffer.alloc(4) },
    'without a buffer': { callback: () => true },
    'a wrong buffer': { buffer: 'x', callback: () => true },
  };
  for (const [title, onread] of Object.entries(USELESS)) {
    both(`of no use: ${title}`, async (net, log) => {
      const { server, port } = await serve(net, (socket) => socket.end('x'));
      const client = net.connect({ port, host: '127.0.0.1', onread } as never);
      log.watch('client', client, EVENTS);
      await until(client, 'close');
      server.close();
    });
  }
});

describe('signals', () => {
  both('aborted before', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}).resume());
    const client = net.connect({
      port,
      host: '127.0.0.1',
      signal: AbortSignal.abort(),
    } as never) as Socket;
    log.watch('client', client, EVENTS);
    await turns();
    log.note(`${client.readyState} ${client.destroyed}`);
    client.destroy();
    server.close();
  });

  both('aborted while it connects, with a reason', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}).resume());
    const abort = new AbortController();
    const client = net.connect({ port, host: '127.0.0.1', signal: abort.signal } as never);
    log.watch('client', client as Socket, EVENTS);
    (client as Socket).on('error', (error) => log.note(show(error.cause)));
    abort.abort(new Error('enough'));
    await until(client as Socket, 'close');
    server.close();
  });

  both('of listen, aborted before', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, 'listening close error');
    server.listen({ port: 0, signal: AbortSignal.abort() });
    log.note(`${server.listening}`);
    await until(server, 'close');
  });

  both('of listen, with a connection', async (net, log) => {
    const abort = new AbortController();
    const server = net.createServer((socket) => socket.on('error', () => {}).resume());
    log.watch('server', server, 'listening close error');
    server.listen({ port: 0, host: '127.0.0.1', signal: abort.signal });
    await until(server, 'listening');
    const client = net.connect((server.address() as { port: number }).port, '127.0.0.1');
    await until(server, 'connection');
    abort.abort();
    log.note(`${server.listening}`);
    client.destroy();
    await until(server, 'close');
  });
});

describe('limits', () => {
  for (const limit of [0, 1, 2, null, undefined, Number.NaN]) {
    both(`maxConnections ${limit}`, async (net, log) => {
      const { server, port } = await serve(net, (socket) => {
        log.note('connection');
        socket.on('error', () => {}).resume();
      });
      server.maxConnections = limit as number;
      server.on('drop', (data) => log.note(`drop ${Object.keys(data ?? {})}`));
      const clients: Socket[] = [];
      for (let i = 0; i < 3; i++) {
        const client = net.connect(port, '127.0.0.1').on('error', () => {});
        const told = Promise.race([until(server, 'connection'), until(server, 'drop')]);
        clients.push(client.resume());
        await told;
      }
      await turns();
      server.getConnections((_error, count) => log.note(`${count}`));
      for (const client of clients) client.destroy();
      server.close();
      await until(server, 'close');
    });
  }

  // As documented since Node.js 22.13; before, the option is not known.
  if (NODE_MAJOR >= 22) {
    both('a block list of a server', async (net, log) => {
      const blockList = new net.BlockList();
      blockList.addAddress('127.0.0.1');
      const { server, port } = await serve(net, () => log.note('connection'), {
        blockList,
      } as never);
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      client.resume();
      await until(client, 'close');
      log.note(`${(server as unknown as { blockList: unknown }).blockList === blockList}`);
      server.close();
    });

    both('a block list of a client', async (net, log) => {
      const blockList = new net.BlockList();
      blockList.addSubnet('127.0.0.0', 8);
      const client = net.connect({ port: 9, host: '127.0.0.1', blockList } as never) as Socket;
      log.watch('client', client, `connectionAttempt ${EVENTS}`);
      await until(client, 'close');
    });

    both('a block list of a client that has several addresses', async (net, log) => {
      const { server, port } = await serve(net, (socket) => socket.end());
      const blockList = new net.BlockList();
      blockList.addAddress('127.0.0.2');
      const addresses = [2, 1].map((last) => ({ address: `127.0.0.${last}`, family: 4 }));
      const lookup = (_host: string, _options: object, callback: Loose) =>
        callback(null, addresses);
      const client = net.connect({ port, host: 'name.test', lookup, blockList } as never) as Socket;
      log.watch('client', client, `connectionAttemptFailed connectionAttempt ${EVENTS}`);
      client.resume();
      await until(client, 'close');
      server.close();
    });

    both('a block list that is none', async (net, log) => {
      for (const blockList of [5, {}, 'x', [], null, 0]) {
        log.note(attempt(() => new net.Socket({ blockList } as never)));
        log.note(attempt(() => net.createServer({ blockList } as never)));
      }
    });
  }
});

describe('ends', () => {
  for (const allowHalfOpen of [false, true]) {
    for (const pauseOnConnect of [false, true]) {
      both(`allowHalfOpen ${allowHalfOpen}, pauseOnConnect ${pauseOnConnect}`, async (net, log) => {
        const options = { allowHalfOpen, pauseOnConnect };
        const { client, peer } = await connected(net, options, { allowHalfOpen });
        log.watch('client', client, EVENTS);
        log.watch('peer', peer, EVENTS);
        log.note(`${peer.allowHalfOpen} ${peer.readableFlowing} ${client.readableFlowing}`);
        client.end('question');
        await turns();
        log.note(`${peer.readableLength} ${peer.readyState} ${client.readyState}`);
        peer.resume();
        await turns();
        log.note(`${peer.readyState} ${client.readyState}`);
        peer.end('answer');
        await turns();
        log.note(`${peer.readyState} ${client.readyState} ${client.destroyed}`);
        client.destroy();
        peer.destroy();
        // Which of the two ends tells of its close first is nobody's promise.
        log.lines.sort((a, b) => Number(a.startsWith('peer')) - Number(b.startsWith('peer')));
      });
    }
  }
});

describe('high-water marks', () => {
  for (const highWaterMark of [0, 1, 10, 100_000, -1]) {
    both(`of a server: ${highWaterMark}`, async (net, log) => {
      const { client, peer } = await connected(net, { highWaterMark } as never);
      log.note(`${peer.readableHighWaterMark} ${peer.writableHighWaterMark}`);
      log.note(`${peer.write('x')} ${peer.write('y'.repeat(20))} ${peer.writableNeedDrain}`);
      client.destroy();
      peer.on('error', () => {}).destroy();
    });
  }

  for (const [size, text] of [
    [10, 'plain'],
    [4, 'ünïcödé'],
    [40, 'é'.repeat(30)],
  ] as const) {
    both(`of a client before it is connected: ${size} for ${text.length}`, async (net, log) => {
      const { server, port } = await serve(net, (socket) => socket.resume());
      const client = net.connect({ port, host: '127.0.0.1', writableHighWaterMark: size } as never);
      const socket = client as Socket;
      log.note(`${socket.write(text)} ${socket.writableLength} ${socket.bytesWritten}`);
      log.note(`${socket.write(Buffer.from(text))} ${socket.writableLength}`);
      log.note(`${socket.bytesWritten} ${socket.writableNeedDrain}`);
      await until(socket, 'connect');
      await turns();
      log.note(`${socket.writableLength} ${socket.bytesWritten} ${socket.writableNeedDrain}`);
      socket.end();
      await until(socket, 'close');
      server.close();
    });
  }
});

describe('the settings of the module', () => {
  const SETTERS = ['setDefaultAutoSelectFamily', 'setDefaultAutoSelectFamilyAttemptTimeout'];
  for (const name of SETTERS) {
    both(name, async (net, log) => {
      const module = net as unknown as Record<string, Loose>;
      const getter = name.replace('set', 'get');
      const before = module[getter]!();
      for (const value of [0, 1, 5, 600, 1.5, -1, '5', true, false, null, undefined, 2 ** 40]) {
        log.note(attempt(() => module[name]!(value)));
        log.note(show(module[getter]!()));
      }
      module[name]!(before);
    });
  }

  both('_normalizeArgs', async (net, log) => {
    const { _normalizeArgs } = net as unknown as Record<string, Loose>;
    for (const args of [[], [1], ['1'], ['/x'], [1, 'h'], [{ port: 2 }], [1, () => {}], [null]]) {
      const [options, listener] = _normalizeArgs!(args) as unknown[];
      log.note(`${show(options)} ${typeof listener}`);
    }
  });
});

describe('listening', () => {
  const FORMS: Record<string, unknown[]> = {
    'a port and a backlog': [0, 7],
    'a port, a host and a backlog': [0, '127.0.0.1', 7],
    'a string as port': ['0'],
    'an object': [{ port: 0 }],
    'an object with a port that is undefined': [{ port: undefined }],
    'an object with a port that is null': [{ port: null }],
    exclusive: [{ port: 0, exclusive: true }],
    'a host that is empty': [{ port: 0, host: '' }],
    'a descriptor that is none': [{ fd: 999 }],
    'a descriptor that is negative': [{ fd: -1, port: 0 }],
    'a name that there is not': [0, 'no-such-name.invalid'],
    'a wrong host': [{ port: 0, host: 5 }],
    'a wrong signal': [{ port: 0, signal: {} }],
    'a path that is a number': [{ path: 5 }],
    'a wrong port': [{ port: true }],
    'a port of NaN': [Number.NaN],
    'a port of 1.5': [1.5],
    'a boolean': [false],
    'an empty string': [''],
  };
  for (const [title, args] of Object.entries(FORMS)) {
    both(title, async (net, log) => {
      const server = net.createServer();
      log.watch('server', server, 'listening close');
      server.on('error', (error: NodeJS.ErrnoException) => {
        // How a resolver says no depends on the machine's.
        log.note(error.syscall === 'getaddrinfo' ? 'no such name' : `error ${show(error)}`);
      });
      let thrown = false;
      const copy = args.map((each) =>
        typeof each === 'object' && each !== null ? { ...each } : each,
      );
      try {
        (server.listen as Loose)(...copy, () => log.note('callback'));
      } catch (error) {
        thrown = true;
        log.note(`throws ${show(error)}`);
      }
      log.note(`${server.listening}`);
      if (!thrown) await Promise.race([until(server, 'listening'), until(server, 'error')]);
      if (server.listening) {
        server.close();
        await until(server, 'close');
      }
    });
  }

  both('with the handle of another server', async (net, log) => {
    const { server: first, port } = await serve(net, () => log.note('first'));
    const second = net.createServer((socket) => {
      log.note('second');
      socket.end();
    });
    (second.listen as Loose)(first);
    await until(second, 'listening');
    log.note(`${(second.address() as { port: number }).port === port}`);
    const client = net.connect(port, '127.0.0.1');
    client.resume();
    await until(client, 'close');
    second.close();
    log.note(`${first.listening}`);
    first.close();
  });

  both('_connectionKey', async (net, log) => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await until(server, 'listening');
    log.note(show((server as unknown as Record<string, unknown>)._connectionKey));
    server.close();
  });
});

describe('connecting again', () => {
  const AGAIN: Record<string, (net: Net, socket: Socket, port: number) => unknown> = {
    'while it is connected': (_net, socket, port) => socket.connect(port, '127.0.0.1'),
    'while it is connected, twice': (_net, socket, port) => {
      socket.once('connect', () => socket.connect(port, '127.0.0.1'));
      socket.connect(port, '127.0.0.1');
    },
    'after a destroy in the same turn': (_net, socket, port) =>
      socket.destroy().connect(port, '127.0.0.1'),
    'in its close': (_net, socket, port) => {
      socket.once('close', () => socket.connect(port, '127.0.0.1'));
      socket.destroy();
    },
  };
  for (const [title, again] of Object.entries(AGAIN)) {
    both(title, async (net, log) => {
      const peers: Socket[] = [];
      const { server, port } = await serve(net, (socket) => {
        peers.push(socket.on('error', () => {}).resume());
      });
      const socket = net.connect(port, '127.0.0.1');
      await until(socket, 'connect');
      log.watch('socket', socket, 'connect ready data end finish close timeout');
      socket.on('error', ({ code, syscall }: NodeJS.ErrnoException) =>
        log.note(`${syscall} ${code}`),
      );
      again(net, socket, port);
      log.note(`${socket.connecting} ${socket.readyState} ${socket.destroyed}`);
      await turns(30);
      log.note(`${socket.connecting} ${socket.readyState} ${socket.destroyed} ${peers.length}`);
      socket.on('error', () => {}).destroy();
      for (const peer of peers) peer.destroy();
      server.close();
      await until(server, 'close');
    });
  }

  both('an accepted socket', async (net, log) => {
    const { client, peer, port } = await connected(net);
    peer.on('error', (error) => log.note((error as NodeJS.ErrnoException).code!));
    peer.connect(port, '127.0.0.1');
    await until(peer, 'close');
    client.destroy();
  });

  both('after it was refused', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const socket = net.connect(await freePort(net), '127.0.0.1');
    log.watch('socket', socket, EVENTS);
    await until(socket, 'close');
    socket.connect(port, '127.0.0.1');
    await until(socket, 'close');
    server.close();
  });
});

if (NODE_MAJOR >= 24) {
  describe('the type of service', () => {
    both('set and got', async (net, log) => {
      const socket = new net.Socket({ typeOfService: 8 } as never) as Socket & {
        setTypeOfService(tos: unknown): Socket;
        getTypeOfService(): number;
      };
      log.note(`${socket.getTypeOfService()} ${socket.setTypeOfService(16) === socket}`);
      for (const tos of [-1, 256, 1.5, 'x', Number.NaN, undefined]) {
        log.note(attempt(() => socket.setTypeOfService(tos)));
      }
      log.note(`${socket.getTypeOfService()} ${new net.Socket().listenerCount('end')}`);
    });
  });
}

describe('keep-alive', () => {
  both('of a server, in seconds', async (net, log) => {
    for (const delay of [0, 1, 999, 1000, 2500, -5, 1e9]) {
      const server = net.createServer({ keepAlive: true, keepAliveInitialDelay: delay }) as Server;
      const { keepAlive, keepAliveInitialDelay } = server as unknown as Record<string, unknown>;
      log.note(`${keepAlive} ${keepAliveInitialDelay}`);
    }
  });
});
