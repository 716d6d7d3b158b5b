import { describe } from 'vitest';
import { both, connected, freePort, serve, until } from './both.js';

const SOCKET =
  'lookup connectionAttempt connectionAttemptFailed connect ready data end finish close error timeout';

describe('connecting', () => {
  both('a client that sends, and a server that answers and ends', async (net, log) => {
    const { server, port } = await serve(net, (socket) => {
      socket.on('data', () => socket.end('pong'));
    });
    const client = net.connect(port, '127.0.0.1', () => log.note('listener'));
    log.watch('client', client, SOCKET);
    client.write('ping');
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('the properties of a socket through its life', async (net, log) => {
    const { server, port } = await serve(net, (socket) => {
      socket.on('error', () => {});
      socket.resume();
    });
    const client = new net.Socket();
    const state = (at: string) =>
      log.note(
        `${at}: ${client.readyState} ${client.connecting} ${client.pending} ${client.destroyed} ` +
          `${client.bytesRead} ${client.bytesWritten} ${JSON.stringify(client.address())} ` +
          `${client.remoteAddress} ${client.remoteFamily} ${client.localAddress} ${client.localFamily}`.replace(
            /"port":\d+/,
            '',
          ),
      );
    const plain = () => {
      const { address, family } = client.address() as { address?: string; family?: string };
      return `${address} ${family} ${typeof client.localPort} ${client.remotePort === port}`;
    };
    state('new');
    client.connect(port, '127.0.0.1');
    state('connecting');
    client.write('hello');
    state('written');
    client.on('close', () => state('close'));
    await until(client, 'connect');
    log.note(plain());
    client.end();
    log.note(client.readyState);
    await until(client, 'close');
    log.note(plain());
    server.close();
    await until(server, 'close');
  });

  both('to another loopback address, from 127.0.0.1', async (net, log) => {
    let from = '';
    const server = net.createServer((socket) => {
      from = `from ${socket.remoteAddress} to ${socket.localAddress}`;
      socket.end();
    });
    server.listen(0, '0.0.0.0');
    await until(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = net.connect({ port, host: '127.0.0.5' });
    client.resume();
    await until(client, 'connect');
    log.note(`${client.localAddress} ${client.remoteAddress}`);
    await until(client, 'close');
    log.note(from);
    server.close();
    await until(server, 'close');
  });

  both('refused', async (net, log) => {
    const port = await freePort(net);
    const client = net.connect({ port, host: '127.0.0.1' });
    log.watch('client', client, SOCKET);
    await until(client, 'close');
    log.note(`${client.readyState} ${client.destroyed} ${client.connecting}`);
  });

  both('refused, with writes and an end that wait', async (net, log) => {
    const port = await freePort(net);
    const client = net.connect({ port, host: '127.0.0.1' });
    log.watch('client', client, SOCKET);
    client.write('a', (error) => log.note(`write ${(error as NodeJS.ErrnoException)?.code}`));
    client.end('b', () => log.note('ended'));
    await until(client, 'close');
  });

  both('to localhost, with lookup', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.connect({ port, host: 'localhost', family: 4 });
    log.watch('client', client, SOCKET);
    client.resume();
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('with a lookup of the user', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const client = net.connect({
      port,
      host: 'example.test',
      family: 4,
      lookup: (host, options, callback) => {
        log.note(`lookup ${host} ${options.family}`);
        setImmediate(() => callback(null, '127.0.0.1', 4));
      },
    });
    log.watch('client', client, SOCKET);
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('with a lookup that gives several addresses', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const client = net.connect({
      port,
      host: 'example.test',
      lookup: (_host, options, callback) => {
        log.note(`all ${options.all}`);
        setImmediate(() => callback(null, [{ address: '127.0.0.1', family: 4 }]));
      },
    });
    log.watch('client', client, SOCKET);
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('with a lookup that fails', async (net, log) => {
    const client = net.connect({
      port: 1,
      host: 'example.test',
      family: 4,
      lookup: (_host, _options, callback) => {
        const error = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
        setImmediate(() => callback(error, '', 0));
      },
    });
    log.watch('client', client, SOCKET);
    await until(client, 'close');
  });

  both('destroyed in the same turn', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.connect(port, '127.0.0.1');
    log.watch('client', client, SOCKET);
    client.destroy();
    log.note(`${client.destroyed} ${client.connecting} ${client.readyState}`);
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('destroyed with an error in the same turn', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.connect(port, '127.0.0.1');
    log.watch('client', client, SOCKET);
    client.write('x', (error) => log.note(`write ${error?.message}`));
    client.destroy(new Error('enough'));
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('destroyed in connect', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}).resume());
    const client = net.connect(port, '127.0.0.1');
    client.on('connect', () => client.destroy());
    log.watch('client', client, SOCKET);
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('again after a close', async (net, log) => {
    let served = 0;
    const { server, port } = await serve(net, (socket) => socket.end(`${++served}`));
    const client = net.connect(port, '127.0.0.1');
    log.watch('client', client, SOCKET);
    await until(client, 'close');
    client.connect(port, '127.0.0.1');
    log.note(client.readyState);
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('destroyed by an AbortSignal', async (net, log) => {
    const abort = new AbortController();
    const { client, peer } = await connected(net, {}, { signal: abort.signal } as object);
    peer.on('error', () => {});
    log.watch('client', client, SOCKET);
    abort.abort();
    await until(client, 'close');
  });

  both('resetAndDestroy before the connection is there', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}));
    const client = net.connect(port, '127.0.0.1');
    log.watch('client', client, 'connect ready close error');
    client.resetAndDestroy();
    await until(client, 'close');
    log.note(`${client.destroyed}`);
    server.close();
    await until(server, 'close');
  });

  both('a write, an end and a destroy without a connection', async (net, log) => {
    for (const act of ['write', 'end', 'destroy', 'resetAndDestroy'] as const) {
      const socket = new net.Socket();
      log.watch(act, socket, SOCKET);
      if (act === 'write') socket.write('x', (error) => log.note(`write ${error?.message}`));
      else socket[act]();
      await new Promise((resolve) => setImmediate(resolve));
      log.note(`${socket.destroyed} ${socket.readyState}`);
    }
  });

  both('connect twice', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.on('error', () => {}).resume());
    const client = net.connect(port, '127.0.0.1');
    client.connect(port, '127.0.0.1');
    client.on('error', (error: NodeJS.ErrnoException & { address: string; port: number }) =>
      log.note(`${error.code} ${error.syscall} ${error.address} ${error.port === port}`),
    );
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('end before the connection is there', async (net, log) => {
    const { server, port } = await serve(net, (socket) => {
      log.watch('peer', socket, 'data end');
    });
    server.on('connection', (socket) => socket.on('close', () => server.close()));
    const client = net.connect(port, '127.0.0.1');
    client.write('a');
    client.write('b');
    client.end('c');
    log.note(`${client.bytesWritten} ${client.writableLength} ${client.readyState}`);
    await until(server, 'close');
  });

  both('a timeout set before the connection is there', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.resume());
    const client = new net.Socket();
    client.setTimeout(20);
    client.connect(port, '127.0.0.1');
    log.watch('client', client, SOCKET);
    client.on('timeout', () => client.end());
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });

  both('the options of a server and of a client', async (net, log) => {
    const { client, peer } = await connected(
      net,
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000, highWaterMark: 100 } as object,
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 2000, highWaterMark: 200 } as object,
    );
    log.note(`${client.readableHighWaterMark} ${client.writableHighWaterMark}`);
    log.note(`${peer.readableHighWaterMark} ${peer.writableHighWaterMark}`);
    client.end();
    peer.resume();
    await until(client, 'close');
  });

  both('a connect listener and connect events are once and many', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.createConnection({ port, host: '127.0.0.1' }, () => log.note('listener'));
    log.note(`${client.listenerCount('connect')}`);
    client.once('connect', () => log.note('again'));
    client.resume();
    await until(client, 'close');
    server.close();
    await until(server, 'close');
  });
});
