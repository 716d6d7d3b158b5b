import type { AddressInfo, BlockList, Server as NodeServer, Socket as NodeSocket } from 'node:net';
import type { NetModule } from '../net/create-net.js';
import type { Server } from '../net/server.js';
import type { Socket } from '../net/socket.js';
import { reachThroughStreams } from './stream-handle.js';
import { endsAbove } from './tls.js';

/**
 * Node's last step of `listen`, after the arguments are understood and the name is looked up. Node
 * keeps it a method, which may be replaced, and calls it with `address` null where none was asked for.
 */
export interface Listening extends NodeServer {
  _listen2(
    address: string | null,
    port: number,
    family: number,
    backlog: number,
    fd?: number,
  ): void;
  _handle: unknown;
  _connections: number;
  _emitCloseIfDrained(): void;
  // What the constructor made of its options.
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** s */
  keepAliveInitialDelay: number;
  highWaterMark?: number;
  /** Since Node.js 22.13. */
  blockList?: BlockList;
}

const LOCALHOST = '127.0.0.1';

/** What `net.Server` asks of its `_handle`, answered by a server of ours. */
class ListenHandle {
  readonly #server: Server;
  constructor(server: Server) {
    this.#server = server;
  }
  getsockname(out: Partial<AddressInfo>): number {
    Object.assign(out, this.#server.address());
    return 0;
  }
  close(): void {
    this.#server.close();
  }
  ref(): void {
    this.#server.ref();
  }
  unref(): void {
    this.#server.unref();
  }
  hasRef(): boolean {
    return !(this.#server as { _unref?: boolean })._unref;
  }
}

/** The step of `listen` that makes a server of Node's take its connections from `net`. */
export function listenStep(net: Pick<NetModule, 'createServer'>): Listening['_listen2'] {
  return function (this: Listening, address, port, family, backlog) {
    reachThroughStreams();
    const inner = net.createServer({
      allowHalfOpen: this.allowHalfOpen,
      pauseOnConnect: this.pauseOnConnect,
      noDelay: this.noDelay,
      keepAlive: this.keepAlive,
      keepAliveInitialDelay: this.keepAliveInitialDelay * 1000,
      highWaterMark: this.highWaterMark,
      ...(this.blockList ? { blockList: this.blockList } : {}),
    });
    Object.defineProperty(inner, 'maxConnections', { get: () => this.maxConnections });
    const handle = new ListenHandle(inner);
    this._handle = handle;
    inner.on('connection', (socket: Socket) => take(this, socket));
    inner.on('drop', (data: unknown) => this.emit('drop', data));
    inner.on('listening', () => {
      if (this._handle === handle) this.emit('listening');
    });
    inner.on('error', (error: Error) => {
      if (this._handle === handle) this._handle = null;
      this.emit('error', error);
    });
    (this as { _connectionKey?: string })._connectionKey = `${family}:${address}:${port}`;
    if ((this as { _unref?: boolean })._unref) inner.unref();
    inner.listen({ port, ...(address ? { host: address } : {}), backlog: backlog || undefined });
  };
}

function take(server: Listening, socket: Socket): void {
  server._connections++;
  socket.once('close', () => {
    server._connections--;
    server._emitCloseIfDrained();
  });
  server.emit('connection', socket as unknown as NodeSocket);
  if ('setSecureContext' in server) endsAbove(server, socket);
}

/**
 * `server.listen(...args)`, on `net` instead of the kernel: for `http.Server`, `https.Server`,
 * `tls.Server` and the servers of `http2`. From then on the server behaves as it does on the kernel:
 * 'listening', `address()`, `close()`, `getConnections()`, `maxConnections`, `ref()` and errors.
 *
 * A `path`, an `fd` or a `handle` cannot be listened on.
 *
 * @returns `server`
 */
export function listen<S extends NodeServer>(
  net: Pick<NetModule, 'createServer'>,
  server: S,
  ...args: unknown[]
): S {
  const step = listenStep(net);
  const listening = server as unknown as Listening;
  listening._listen2 = function (address, port, family, backlog, fd) {
    if (!isTcp(this, family, fd)) {
      throw new TypeError('Only a port can be listened on here, not a path, fd or handle');
    }
    step.call(this, address, port, family, backlog);
  };
  return (server.listen as (...args: unknown[]) => S)(...ownLocalhost(args));
}

/**
 * The arguments of `listen` with `localhost` as the stack has it; Node would ask the machine, which may
 * say `::1`.
 */
export function ownLocalhost(args: readonly unknown[]): unknown[] {
  const [first, second, ...rest] = args;
  if (second === 'localhost') return [first, LOCALHOST, ...rest];
  const options = first as { host?: unknown } | null | undefined;
  if (typeof first !== 'object' || options?.host !== 'localhost') return [...args];
  return [{ ...options, host: LOCALHOST }, ...args.slice(1)];
}

/** Whether it is TCP that `_listen2` is asked for, and a socket that nobody has made yet. */
export function isTcp(server: Listening, family: number, fd: number | undefined): boolean {
  return !server._handle && typeof fd !== 'number' && family !== -1;
}
