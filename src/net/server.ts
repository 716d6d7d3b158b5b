import { addAbortListener, EventEmitter } from 'node:events';
import type { AddressInfo, BlockList, DropArgument, ServerOpts } from 'node:net';
import { isIP } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import type { Transport } from '../stack/connection.js';
import { serverListen, serverSocket } from './channels.js';
import { isPipeName, normalizeArguments, toNumber } from './connect-options.js';
import { stem } from './constructible.js';
import {
  alreadyListening,
  invalidArgType,
  invalidArgValue,
  listenException,
  serverNotRunning,
} from './errors.js';
import type { Handle, SocketName } from './handle.js';
import { resolveListenHost } from './lookup.js';
import { NODE_MAJOR } from './node-version.js';
import { ServerHandle } from './server-handle.js';
import type { Socket, SocketServer } from './socket.js';
import { checkBlockList, type SocketOptions } from './socket-options.js';
import { validateAbortSignal, validateNumber, validatePort } from './validate.js';

export type ConnectionListener = (socket: Socket) => void;
/** Options of `new Server()`, as `net.createServer` has them. */
export interface ServerOptions extends ServerOpts {
  highWaterMark?: number;
  /** Remote addresses whose connections are closed at once. */
  blockList?: BlockList;
}

type Options = Record<string, unknown>;
/** The sockets of connections that a server accepts. */
type SocketClass = new (options?: SocketOptions) => Socket;

// In Node's own words.
const ABSTRACT_FOR_ALL =
  'can not set readableAll or writableAllt to true when path is abstract unix socket';

function withoutStack(): TypeError {
  return new TypeError('A Server belongs to a stack: use stack.net.Server or createNet(transport)');
}

function checkOptions(options: unknown): ServerOptions {
  if (options === undefined || options === null) return {};
  if (typeof options !== 'object') throw invalidArgType('options', 'of type object', options);
  return options as ServerOptions;
}

/**
 * A TCP server in the shape of `net.Server`. Servers are made by the classes and functions of
 * {@link createNet}, which tie them to a transport; this base class has none.
 */
export class Server extends stem(EventEmitter) implements SocketServer {
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** Seconds before the first keep-alive probe; 0 keeps the host's configuration. */
  keepAliveInitialDelay: number;
  highWaterMark: number;
  declare blockList?: BlockList;
  /** Connections above this number are closed, with a 'drop' event. */
  declare maxConnections?: number;
  declare _connectionKey?: string;
  declare _pipeName?: string;
  _connections = 0;
  _handle: ServerHandle | null = null;
  _usingWorkers = false;
  _workers: unknown[] = [];
  _unref = false;
  /** Counts calls of `listen` and `close`, so that a lookup that ends later is without effect. */
  _listeningId = 1;

  constructor(options?: ServerOptions | ConnectionListener | null, listener?: ConnectionListener) {
    super();
    const onConnection = typeof options === 'function' ? options : listener;
    const given = typeof options === 'function' ? {} : checkOptions(options);
    if (typeof onConnection === 'function') this.on('connection', onConnection);
    const { keepAliveInitialDelay: delay, highWaterMark } = given;
    if (delay !== undefined) validateNumber(delay, 'options.keepAliveInitialDelay');
    if (highWaterMark !== undefined) validateNumber(highWaterMark, 'options.highWaterMark');
    this.allowHalfOpen = given.allowHalfOpen || false;
    this.pauseOnConnect = !!given.pauseOnConnect;
    this.noDelay = Boolean(given.noDelay);
    this.keepAlive = Boolean(given.keepAlive);
    this.keepAliveInitialDelay = Math.trunc(Math.max(0, delay ?? 0) / 1000) || 0;
    const fallback = getDefaultHighWaterMark(false);
    this.highWaterMark = (highWaterMark ?? -1) < 0 ? fallback : highWaterMark!;
    const blockList = checkBlockList(given.blockList);
    if (blockList !== undefined) this.blockList = blockList;
  }

  /** The host below. */
  get _transport(): Transport {
    throw withoutStack();
  }

  /** The class of accepted sockets. */
  get _Socket(): SocketClass {
    throw withoutStack();
  }

  // Listening.

  listen(...args: unknown[]): this {
    const [given, callback] = normalizeArguments(args);
    if (this._handle) throw alreadyListening();
    serverListen.asyncStart.publish({ server: this, options: given });
    if (callback !== null) this.once('listening', callback);
    const backlog = toNumber(args.length > 1 && args[1]) || toNumber(args.length > 2 && args[2]);
    const options = (given._handle || given.handle || given) as Options;
    this._listeningId++;
    if ((options as unknown) instanceof ServerHandle) return this.#share(options as never);
    this.#closeOnAbort(options.signal);
    if (typeof options.fd === 'number' && options.fd >= 0) {
      this.#fail('EINVAL', null, null);
      return this;
    }
    const isAnyPort =
      args.length === 0 ||
      typeof args[0] === 'function' ||
      (options.port === undefined && 'port' in options) ||
      options.port === null;
    if (isAnyPort) options.port = 0;
    if (typeof options.port === 'number' || typeof options.port === 'string') {
      const port = validatePort(options.port, 'options.port');
      this.#listenOn(options.host, port, Number(options.backlog || backlog));
      return this;
    }
    if (options.path && isPipeName(options.path)) {
      return this.#listenPath(options, Number(options.backlog || backlog));
    }
    const reason = 'must have the property "port" or "path"';
    const isWithout = !('port' in options || 'path' in options);
    throw invalidArgValue('options', options, isWithout ? reason : undefined);
  }

  #closeOnAbort(signal: unknown): void {
    if (signal === undefined) return;
    validateAbortSignal(signal, 'options.signal');
    const close = (): void => {
      this.close();
    };
    if ((signal as AbortSignal).aborted) process.nextTick(close);
    else {
      const disposable = addAbortListener(signal as AbortSignal, close);
      this.once('close', () => disposable[Symbol.dispose]());
    }
  }

  /** Listens with the handle of another server, whose connections are ours from now on. */
  #share(handle: ServerHandle): this {
    this.#adopt(handle, null, -1, -1);
    return this;
  }

  #listenPath(options: Options, backlog: number): this {
    const path = options.path as string;
    const { readableAll, writableAll } = options as {
      readableAll?: boolean;
      writableAll?: boolean;
    };
    if (path.startsWith('\0') && (readableAll || writableAll)) {
      throw invalidArgValue('options', options, ABSTRACT_FOR_ALL);
    }
    this._pipeName = path;
    const handle = new ServerHandle(this._transport);
    const open = { path, readableAll, writableAll, backlog: backlog || undefined };
    const failed = (code: string): void => {
      this.#emitError(listenException(code, 'listen', path, -1));
    };
    if (handle.listenPath(open, failed)) this.#adopt(handle, path, -1, -1);
    return this;
  }

  #listenOn(host: unknown, port: number, backlog: number): void {
    if (!host) {
      this._listen2('0.0.0.0', port, 4, backlog);
      return;
    }
    const turn = this._listeningId;
    resolveListenHost(host as string, (error, address, family) => {
      if (turn !== this._listeningId) return;
      if (error) this.emit('error', error);
      else this._listen2(address, port, family || isIP(address), backlog);
    });
  }

  /** Node's own name for the step that begins to listen, which programs wrap. */
  _listen2(address: string, port: number, family: number, backlog?: number): void {
    const handle = new ServerHandle(this._transport);
    const limit = Math.trunc(Number(backlog)) || 0;
    const code = handle.listen(address, port, limit > 0 ? limit : undefined);
    if (code === null) this.#adopt(handle, address, port, family);
    else this.#fail(code, address, port);
  }

  #adopt(handle: ServerHandle, address: string | null, port: number, family: number): void {
    this._handle = handle;
    handle.owner = this;
    serverListen.asyncEnd.publish({ server: this });
    this._connectionKey = `${family}:${address}:${port}`;
    if (this._unref) this.unref();
    process.nextTick(() => {
      if (this._handle) this.emit('listening');
    });
  }

  #fail(code: string, address: string | null, port: number | null): void {
    const error = listenException(code, 'listen', address, port);
    process.nextTick(() => this.emit('error', error));
    serverListen.error.publish({ server: this, error });
  }

  #emitError(error: Error): void {
    serverListen.error.publish({ server: this, error });
    this.emit('error', error);
  }

  get listening(): boolean {
    return !!this._handle;
  }

  address(): AddressInfo | string | null {
    if (!this._handle || this._handle.isPipe) return this._pipeName || null;
    const name: SocketName = {};
    this._handle.getsockname(name);
    return name as AddressInfo;
  }

  // Accepting.

  /** @internal */
  _onConnection(handle: Handle): void {
    if (this.#isFull()) {
      if (handle.isPipe) this.emit('drop');
      else this.emit('drop', dropArgument(handle));
      handle.close();
      return;
    }
    if (this.#isBlocked(handle)) {
      handle.close();
      return;
    }
    const socket = new this._Socket({
      handle,
      allowHalfOpen: this.allowHalfOpen,
      pauseOnCreate: this.pauseOnConnect,
      readable: true,
      writable: true,
      readableHighWaterMark: this.highWaterMark,
      writableHighWaterMark: this.highWaterMark,
    } as SocketOptions);
    socket._setAccepted(this.noDelay, this.keepAlive, this.keepAliveInitialDelay * 1000);
    this._connections++;
    socket.server = this;
    socket._server = this;
    this.emit('connection', socket);
    serverSocket.publish({ socket });
  }

  #isFull(): boolean {
    const { maxConnections: limit } = this;
    if (limit === undefined || limit === null) return false;
    // Before Node.js 22 a limit of 0 was none.
    if (NODE_MAJOR < 22 && !limit) return false;
    return this._connections >= limit;
  }

  #isBlocked(handle: Handle): boolean {
    const name: SocketName = {};
    if (this.blockList === undefined || !handle.getpeername(name)) return false;
    return this.blockList.check(name.address!, 'ipv4');
  }

  // Ending.

  /** Stops accepting; 'close' is emitted when the connections that there are have ended. */
  close(callback?: (error?: Error) => void): this {
    this._listeningId++;
    if (typeof callback === 'function') {
      if (this._handle) this.once('close', callback);
      else this.once('close', () => callback(serverNotRunning()));
    }
    this._handle?.close();
    this._handle = null;
    this._emitCloseIfDrained();
    return this;
  }

  _emitCloseIfDrained(): void {
    if (this._handle || this._connections) return;
    process.nextTick(() => this.emit('close'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this._handle) return;
    await new Promise<void>((resolve, reject) => {
      this.close((error) => (error ? reject(error) : resolve()));
    });
  }

  override [EventEmitter.captureRejectionSymbol](
    error: Error,
    event: string | symbol,
    socket: Socket,
  ): void {
    if (event === 'connection') socket.destroy(error);
    else this.emit('error', error);
  }

  // The rest.

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this._connections);
    return this;
  }

  ref(): this {
    this._unref = false;
    this._handle?.ref();
    return this;
  }

  unref(): this {
    this._unref = true;
    this._handle?.unref();
    return this;
  }
}

function dropArgument(handle: Handle): DropArgument {
  const local: SocketName = {};
  const remote: SocketName = {};
  handle.getsockname(local);
  handle.getpeername(remote);
  return Object.assign(Object.create(null) as DropArgument, {
    localAddress: local.address,
    localPort: local.port,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteFamily: remote.family,
  });
}
