import type { AddressInfo, Server } from 'node:net';
import { describe } from 'vitest';
import { attempt, both, connected, namePort, serve, until } from './both.js';

const SERVER = 'listening connection close error drop';

function portOf(server: Server): number {
  return namePort((server.address() as AddressInfo).port);
}

describe('servers', () => {
  both('listening comes after the turn, the address at once', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, SERVER);
    log.note(`${server.listening} ${server.address()}`);
    server.listen(0, () => log.note('callback'));
    log.note(`${server.listening} ${(server.address() as AddressInfo).port > 0}`);
    await until(server, 'listening');
    server.close(() => log.note('closed'));
    log.note(`${server.listening} ${server.address()}`);
    await until(server, 'close');
  });

  both('listening with a host comes later', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, SERVER);
    server.listen(0, '127.0.0.1', () => log.note('callback'));
    log.note(`${server.listening} ${server.address()}`);
    await until(server, 'listening');
    const { address, family } = server.address() as AddressInfo;
    log.note(`${address} ${family}`);
    server.close();
    await until(server, 'close');
  });

  both('the forms of listen', async (net, log) => {
    const forms: unknown[][] = [
      [0],
      [0, '127.0.0.1'],
      [0, '127.0.0.1', 5],
      [0, 5],
      [{ port: 0, host: '127.0.0.1', backlog: 3 }],
      ['0'],
      [{ port: '0' }],
      [],
      [undefined],
      [null],
      [0, 'localhost'],
    ];
    for (const form of forms) {
      const server = net.createServer();
      let called = 0;
      log.note(
        attempt(() => (server.listen as (...args: unknown[]) => void)(...form, () => called++)),
      );
      await until(server, 'listening');
      log.note(`${called} ${portOf(server) > 0}`);
      server.close();
      await until(server, 'close');
    }
  });

  both('listen twice', async (net, log) => {
    const server = net.createServer().listen(0);
    log.note(attempt(() => server.listen(0)));
    server.close();
    log.watch('server', server, SERVER);
    await until(server, 'close');
  });

  both('listen again after close', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, SERVER);
    for (let round = 0; round < 2; round++) {
      server.listen(0, '127.0.0.1');
      await until(server, 'listening');
      server.close();
      await until(server, 'close');
    }
  });

  both('an address in use', async (net, log) => {
    const { server, port } = await serve(net, () => {});
    const second = net.createServer();
    log.watch('second', second, SERVER);
    second.listen(port, '127.0.0.1');
    log.note(`${second.listening}`);
    await until(second, 'error');
    server.close();
    await until(server, 'close');
  });

  both('an address that is not ours', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, SERVER);
    server.listen(0, '192.0.2.1');
    await until(server, 'error');
    log.note(`${server.listening}`);
  });

  both('close waits for connections', async (net, log) => {
    const { client, peer, server } = await connected(net);
    log.watch('server', server, SERVER);
    log.watch('peer', peer, 'close');
    peer.resume();
    server.getConnections((error, count) => {
      log.note(`${error} ${count}`);
      client.end();
    });
    await until(peer, 'close');
    await new Promise((resolve) => setImmediate(resolve));
  });

  both('close without listen', async (net, log) => {
    const server = net.createServer();
    log.watch('server', server, SERVER);
    server.close((error) => log.note(`${error?.message} ${(error as NodeJS.ErrnoException).code}`));
    await until(server, 'close');
  });

  both('close twice', async (net, log) => {
    const { server } = await serve(net, () => {});
    log.watch('server', server, SERVER);
    server.close((error) => log.note(`first ${error}`));
    server.close((error) => log.note(`second ${error}`));
    await until(server, 'close');
    await new Promise((resolve) => setImmediate(resolve));
  });

  both('maxConnections and drop', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.resume());
    server.maxConnections = 1;
    const first = net.connect(port, '127.0.0.1');
    await until(server, 'connection');
    let drop = '';
    server.on('drop', (data) => {
      drop =
        `drop ${data?.localAddress} ${data?.localFamily} ${data?.localPort === port} ` +
        `${data?.remoteAddress} ${data?.remoteFamily} ${typeof data?.remotePort}`;
    });
    const second = net.connect(port, '127.0.0.1');
    log.watch('second', second, 'connect data end close error');
    await until(second, 'close');
    log.note(drop);
    first.end();
    server.close();
    await until(server, 'close');
  });

  both('pauseOnConnect', async (net, log) => {
    const { client, peer } = await connected(net, { pauseOnConnect: true });
    log.note(`${peer.isPaused()} ${peer.readableFlowing}`);
    client.end('waits');
    log.watch('peer', peer, 'data end close');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.note(`${peer.readableLength} ${peer.bytesRead}`);
    peer.resume();
    await until(peer, 'close');
  });

  both('the socket of a connection', async (net, log) => {
    const { client, peer, server, port } = await connected(net);
    log.note(
      `${peer instanceof net.Socket} ${(peer as unknown as { server: Server }).server === server}`,
    );
    log.note(
      `${peer.localPort === port} ${peer.remotePort === client.localPort} ${peer.readyState}`,
    );
    log.note(`${peer.remoteAddress} ${peer.localAddress} ${peer.allowHalfOpen} ${peer.connecting}`);
    client.end();
    peer.resume();
    await Promise.all([until(server, 'close'), until(client, 'close')]);
    log.note(`${peer.remoteAddress} ${peer.localAddress} ${client.remoteAddress}`);
  });

  both('a signal that aborts', async (net, log) => {
    const abort = new AbortController();
    const server = net.createServer();
    log.watch('server', server, SERVER);
    server.listen({ port: 0, host: '127.0.0.1', signal: abort.signal });
    await until(server, 'listening');
    abort.abort();
    await until(server, 'close');
  });

  both('asyncDispose', async (net, log) => {
    const { server } = await serve(net, () => {});
    log.watch('server', server, SERVER);
    await (server as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    log.note(`${server.listening}`);
    await (server as unknown as AsyncDisposable)[Symbol.asyncDispose]();
  });

  both('ref and unref give the server', async (net, log) => {
    const { server } = await serve(net, () => {});
    log.note(`${server.unref() === server} ${server.ref() === server}`);
    const socket = new net.Socket();
    log.note(`${socket.unref() === socket} ${socket.ref() === socket}`);
    log.note(`${socket.setNoDelay() === socket} ${socket.setKeepAlive(true, 1000) === socket}`);
    server.close();
    await until(server, 'close');
  });
});
