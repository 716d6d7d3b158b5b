import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { attempt, both, type Log, type Net, show, turns, until } from './both.js';

const SOCKET =
  'connectionAttempt connectionAttemptFailed connect ready data end finish close error';

/** Runs with a path that is free; the log shows it as PATH. */
function withPath(task: (net: Net, log: Log, path: string) => Promise<void>) {
  return async (net: Net, log: Log): Promise<void> => {
    const directory = mkdtempSync(join(tmpdir(), 'tuntcp-'));
    const path = join(directory, 'socket');
    try {
      await task(net, log, path);
    } finally {
      rmSync(directory, { recursive: true });
    }
    log.lines.forEach((line, i) => {
      log.lines[i] = line.replaceAll(path, 'PATH');
    });
  };
}

describe('Unix domain sockets', () => {
  both(
    'there and back',
    withPath(async (net, log, path) => {
      const server = net.createServer((socket) => {
        log.note(`${show(socket.address())} ${socket.remoteAddress} ${socket.readyState}`);
        socket.on('data', (chunk) => socket.write(chunk));
        socket.on('end', () => log.note('peer end'));
      });
      server.listen(path, () => log.note('callback'));
      log.note(`${server.listening} ${server.address()} ${existsSync(path)}`);
      await until(server, 'listening');
      const client = net.connect(path, () => log.note('connected'));
      log.watch('client', client, SOCKET);
      client.write('hello');
      await until(client, 'data');
      log.note(`${show(client.address())} ${client.remoteAddress} ${client.bytesRead}`);
      client.end();
      await until(client, 'close');
      server.close();
      await until(server, 'close');
      log.note(`${server.listening} ${existsSync(path)}`);
    }),
  );

  both(
    'a path that nobody listens on',
    withPath(async (net, log, path) => {
      const client = net.connect({ path });
      log.watch('client', client, SOCKET);
      client.write('x', (error) => log.note(show(error)));
      await until(client, 'close');
    }),
  );

  both(
    'a path that is taken, and one that cannot be',
    withPath(async (net, log, path) => {
      const first = net.createServer().listen(path);
      await until(first, 'listening');
      for (const wanted of [path, join(path, 'below')]) {
        const server = net.createServer();
        server.listen({ path: wanted });
        log.note(`${server.listening}`);
        log.note(show((await until(server, 'error'))[0]));
      }
      first.close();
    }),
  );

  both(
    'much, both ways, and half-open',
    withPath(async (net, log, path) => {
      const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
      server.listen(path);
      await until(server, 'listening');
      const client = net.connect({ path, allowHalfOpen: true });
      let received = 0;
      client.on('data', (chunk) => {
        received += chunk.length;
      });
      for (let i = 0; i < 40; i++) client.write(Buffer.alloc(50_000, i));
      client.end('last');
      await until(client, 'close');
      log.note(`${received} ${client.bytesWritten}`);
      server.close();
    }),
  );

  both(
    'resetAndDestroy, destroy and drop',
    withPath(async (net, log, path) => {
      const server = net.createServer((socket) => socket.on('error', () => {}).resume());
      server.maxConnections = 1;
      server.on('drop', (data) => log.note(`drop ${show(data)}`));
      server.listen({ path, readableAll: true, writableAll: true, backlog: 5 });
      await until(server, 'listening');
      const client = net.connect(path);
      await until(server, 'connection');
      const second: Socket = net.connect(path).on('error', () => {});
      second.resume();
      await until(second, 'close');
      log.note(attempt(() => client.resetAndDestroy()));
      log.watch('client', client, SOCKET);
      client.destroy();
      await until(client, 'close');
      server.close();
      await turns();
    }),
  );
});
