import { EventEmitter } from 'node:events';
import type { Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { inherits, inspect } from 'node:util';
import { describe } from 'vitest';
import { both, connected, type Net, serve, until } from './both.js';

type Function = (this: unknown, ...args: unknown[]) => unknown;
type Loose = Record<string, (...args: unknown[]) => unknown>;

/** The classes as the functions that they are in Node. */
function functions(net: Net): { Socket: Function; Server: Function; Stream: Function } {
  return net as never;
}

describe('classes', () => {
  both('without new', async (net, log) => {
    const { Socket, Server, Stream } = functions(net);
    const socket = Socket({ allowHalfOpen: true }) as Socket;
    log.note(`${socket instanceof net.Socket} ${socket.allowHalfOpen} ${Stream === Socket}`);
    const server = Server({ pauseOnConnect: true }, () => {}) as Server;
    log.note(`${server instanceof net.Server} ${server.listenerCount('connection')}`);
    log.note(`${Stream() instanceof net.Socket}`);
  });

  both('their names, lengths and chains', async (net, log) => {
    for (const each of [net.Socket, net.Server]) {
      log.note(`${each.name} ${each.length} ${each.prototype.constructor === (each as unknown)}`);
    }
    log.note(`${Object.getPrototypeOf(net.Socket) === Duplex}`);
    log.note(`${Object.getPrototypeOf(net.Socket.prototype) === Duplex.prototype}`);
    log.note(`${Object.getPrototypeOf(net.Server) === EventEmitter}`);
    log.note(`${Object.getPrototypeOf(net.Server.prototype) === EventEmitter.prototype}`);
    log.note(`${new net.Socket().constructor === net.Socket}`);
    log.note(inspect(new net.Socket()).split(' ')[0]!);
    log.note(`${net.createConnection === (net.connect as unknown)}`);
  });

  both('a class that extends Socket', async (net, log) => {
    class Mine extends net.Socket {
      mine = 1;
      override setNoDelay(on?: boolean): this {
        log.note(`setNoDelay ${on}`);
        return super.setNoDelay(on);
      }
    }
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const socket = new Mine();
    socket.setNoDelay(true);
    socket.connect(port, '127.0.0.1');
    log.watch('socket', socket, 'connect data end close');
    await until(socket, 'close');
    log.note(`${socket instanceof net.Socket} ${socket.mine} ${socket.bytesRead}`);
    server.close();
  });

  both('a function that inherits from Socket', async (net, log) => {
    function Mine(this: Socket & { mine: string }, options: object) {
      functions(net).Socket.call(this, options);
      this.mine = 'yes';
    }
    inherits(Mine, net.Socket);
    const { server, port } = await serve(net, (socket) => socket.end('x'));
    const socket = new (Mine as unknown as new (options: object) => Socket & { mine: string })({});
    socket.connect(port, '127.0.0.1');
    log.watch('socket', socket, 'connect data end close');
    await until(socket, 'close');
    log.note(`${socket instanceof net.Socket} ${socket instanceof Mine} ${socket.mine}`);
    server.close();
  });

  both('a function that inherits from Server', async (net, log) => {
    function Mine(this: Server, listener: () => void) {
      functions(net).Server.call(this, { noDelay: true }, listener);
    }
    inherits(Mine, net.Server);
    const server = new (Mine as unknown as new (listener: () => void) => Server)(() =>
      log.note('connection'),
    );
    log.watch('server', server, 'listening close');
    server.listen(0, '127.0.0.1');
    await until(server, 'listening');
    const client = net.connect((server.address() as { port: number }).port, '127.0.0.1');
    await until(server, 'connection');
    client.destroy();
    server.close();
    log.note(`${(server as unknown as { noDelay: boolean }).noDelay} ${server instanceof Mine}`);
  });

  both('a patched prototype is what everyone gets', async (net, log) => {
    const { prototype } = net.Socket as unknown as { prototype: Loose };
    const original = prototype.connect!;
    prototype.connect = function (...args) {
      log.note('patched connect');
      return original.apply(this, args);
    };
    try {
      const { server, port } = await serve(net, (socket) => socket.end());
      const client = net.connect(port, '127.0.0.1');
      client.resume();
      await until(client, 'close');
      server.close();
    } finally {
      prototype.connect = original;
    }
  });

  both('expandos stay', async (net, log) => {
    const { client, peer } = await connected(net);
    const wide = client as unknown as Record<string, unknown>;
    wide._httpMessage = { a: 1 };
    wide.parser = null;
    client.destroy();
    peer.destroy();
    await until(client, 'close');
    log.note(inspect([wide._httpMessage, wide.parser, wide._handle]));
  });

  both('the own properties of a server', async (net, log) => {
    const server = net.createServer({ keepAlive: true, keepAliveInitialDelay: 2500 });
    const own = server as unknown as Record<string, unknown>;
    for (const name of [
      ...['_connections', '_handle', '_usingWorkers', '_workers', '_unref', 'allowHalfOpen'],
      ...['pauseOnConnect', 'noDelay', 'keepAlive', 'keepAliveInitialDelay', 'highWaterMark'],
    ]) {
      log.note(`${name} ${Object.hasOwn(own, name)} ${inspect(own[name])}`);
    }
  });

  both('the own properties of a socket', async (net, log) => {
    const socket = new net.Socket() as unknown as Record<string, unknown>;
    for (const name of [
      ...['connecting', '_hadError', '_parent', '_host', '_closeAfterHandlingError', '_sockname'],
      ...['_pendingData', '_pendingEncoding', 'server', '_server', 'allowHalfOpen', 'timeout'],
    ]) {
      log.note(`${name} ${Object.hasOwn(socket, name)} ${inspect(socket[name])}`);
    }
  });

  const HANDLE = ['close', 'ref', 'unref', 'hasRef', 'getAsyncId', 'readStart', 'readStop'];
  both('the handle', async (net, log) => {
    const { client, peer, server } = await connected(net);
    const handle = (client as unknown as { _handle: Loose & { reading: boolean; fd: number } })
      ._handle;
    for (const name of [...HANDLE, 'getsockname', 'getpeername', 'setNoDelay', 'setKeepAlive']) {
      log.note(`${name} ${typeof handle[name]}`);
    }
    const name: Record<string, unknown> = {};
    handle.getpeername!(name);
    log.note(`${handle.reading} ${typeof handle.fd} ${handle.hasRef!()} ${Object.keys(name)}`);
    client.destroy();
    peer.destroy();
    await until(client, 'close');
    log.note(`${(client as unknown as { _handle: null })._handle} ${server.listening}`);
  });

  both('the enumerable members of a socket', async (net, log) => {
    const names: string[] = [];
    for (const name in new net.Socket()) names.push(name);
    const known =
      /^(bytes|local|remote|connect$|set(Timeout|NoDelay|KeepAlive)|pause|pending|ref$)/;
    log.note(
      names
        .filter((name) => known.test(name))
        .sort()
        .join(' '),
    );
  });
});
