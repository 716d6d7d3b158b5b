import { AsyncResource } from 'node:async_hooks';
import { lookup as dnsLookup } from 'node:dns';
import { EventEmitter } from 'node:events';
import type { AddressInfo, DropArgument, ServerOpts } from 'node:net';
import { isIP } from 'node:net';
import type { Connection, ConnectionHandler, Listener, Transport } from '../stack/connection.js';
import { normalizeArguments } from './connect-options.js';
import {
  alreadyListening,
  codeOf,
  invalidArgType,
  invalidArgValue,
  listenException,
  serverNotRunning,
} from './errors.js';
import type { Socket, SocketServer } from './socket.js';
import type { SocketOptions } from './socket-options.js';
import { validateAbortSignal, validateFunction, validateNumber, validatePort } from './validate.js';

export type ConnectionListener = (socket: Socket) => void;
/** Options of `new Server()`, as `net.createServer` has them. */
export interface ServerOptions extends ServerOpts {
  highWaterMark?: number;
  captureRejections?: boolean;
}

/** A connection above `maxConnections`: ended as soon as the host lets us. */
class Dropped implements ConnectionHandler {
  readonly #connection: Connection;
  constructor(connection: Connection) {
    this.#connection = connection;
  }
  established(): void {
    this.#connection.close();
  }
  readable(): void {}
  writable(): void {}
  finished(): void {}
  closed(): void {}
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
export class Server extends EventEmitter implements SocketServer {
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** ms before the first keep-alive probe; 0 keeps the host's configuration. */
  keepAliveInitialDelay: number;
  highWaterMark: number | undefined;
  /** Connections above this number are ended, with a 'drop' event. */
  maxConnections?: number;
  _connections = 0;
  _unref = false;

  #listener: Listener | null = null;
  #held = false;
  /** The asynchronous context of `listen`, in which connections are accepted. */
  #context: AsyncResource | null = null;
  /** Counts `listen` calls, so that a lookup that ends after a close is without effect. */
  #listening = 0;
  #socketOptions: SocketOptions = {};

  constructor(options?: ServerOptions | ConnectionListener | null, listener?: ConnectionListener) {
    const given = typeof options === 'function' ? {} : checkOptions(options);
    super({ captureRejections: given.captureRejections });
    const onConnection = typeof options === 'function' ? options : listener;
    if (typeof onConnection === 'function') this.on('connection', onConnection);
    const { keepAliveInitialDelay } = given;
    if (keepAliveInitialDelay !== undefined) {
      validateNumber(keepAliveInitialDelay, 'options.keepAliveInitialDelay');
    }
    this.allowHalfOpen = given.allowHalfOpen || false;
    this.pauseOnConnect = !!given.pauseOnConnect;
    this.noDelay = Boolean(given.noDelay);
    this.keepAlive = Boolean(given.keepAlive);
    this.keepAliveInitialDelay = Math.max(0, keepAliveInitialDelay ?? 0);
    this.highWaterMark = given.highWaterMark;
  }

  /** The host below. */
  get _transport(): Transport {
    throw new TypeError(
      'A Server belongs to a stack: use stack.net.Server or createNet(transport)',
    );
  }

  /** The class of accepted sockets. */
  get _Socket(): new (
    options?: SocketOptions,
  ) => Socket {
    throw new TypeError(
      'A Server belongs to a stack: use stack.net.Server or createNet(transport)',
    );
  }

  // Listening.

  listen(...args: unknown[]): this {
    const [options, callback] = normalizeArguments(args);
    if (this.listening) throw alreadyListening();
    if (callback !== null) this.once('listening', callback);
    const first = args[0];
    const anyPort = args.length === 0 || typeof first === 'function' || first === undefined;
    if (anyPort || first === null) options.port = 0;
    if ('port' in options && (options.port === undefined || options.port === null))
      options.port = 0;
    const backlog = this.#backlog(options.backlog, args);
    this.#closeOnAbort(options.signal);
    const { port, host } = options;
    if (typeof port === 'number' || typeof port === 'string') {
      const number = validatePort(port, 'options.port');
      if (host) this.#listenOn(String(host), number, backlog);
      else this.#open('0.0.0.0', number, backlog);
      return this;
    }
    if (typeof options.path === 'string') return this.#refusePath(options.path);
    if (!('port' in options || 'path' in options)) {
      const reason = 'must have the property "port" or "path"';
      throw invalidArgValue('options', options, reason);
    }
    throw invalidArgValue('options', options);
  }

  /** From the options, or the second or third of `(port, host, backlog)`. */
  #backlog(option: unknown, args: readonly unknown[]): number | undefined {
    const value =
      Number(args.length > 1 && args[1]) || Number(args.length > 2 && args[2]) || option;
    const number = typeof value === 'number' ? value : Number(value ?? 0);
    return number > 0 ? Math.trunc(number) : undefined;
  }

  #closeOnAbort(signal: unknown): void {
    if (signal === undefined) return;
    validateAbortSignal(signal, 'options.signal');
    const { aborted } = signal as AbortSignal;
    const close = (): void => {
      this.close();
    };
    if (aborted) process.nextTick(close);
    else {
      (signal as AbortSignal).addEventListener('abort', close, { once: true });
      this.once('close', () => (signal as AbortSignal).removeEventListener('abort', close));
    }
  }

  #refusePath(path: string): this {
    process.nextTick(() => this.emit('error', listenException('ENOTSUP', 'listen', path)));
    return this;
  }

  #listenOn(host: string, port: number, backlog: number | undefined): void {
    const turn = ++this.#listening;
    const found = (error: Error | null, address: string): void => {
      if (turn !== this.#listening) return;
      if (error) this.emit('error', error);
      else if (isIP(address) === 6) this.#fail('EADDRNOTAVAIL', address, port);
      else this.#open(address, port, backlog);
    };
    const known = host === 'localhost' ? '127.0.0.1' : host === '::' ? '0.0.0.0' : host;
    if (isIP(known)) process.nextTick(found, null, known);
    else dnsLookup(host, { family: 4 }, found);
  }

  #open(address: string, port: number, backlog: number | undefined): void {
    const context = new AsyncResource('TUNTCPSERVER');
    const accept = (connection: Connection): ConnectionHandler =>
      context.runInAsyncScope(this.#accept, this, connection);
    try {
      this.#listener = this._transport.listen({ address, port, backlog }, accept);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#fail(code, address, port);
      return;
    }
    this.#context = context;
    this.#socketOptions = {
      allowHalfOpen: this.allowHalfOpen,
      noDelay: this.noDelay,
      keepAlive: this.keepAlive,
      keepAliveInitialDelay: this.keepAliveInitialDelay,
    };
    if (this.highWaterMark !== undefined) this.#socketOptions.highWaterMark = this.highWaterMark;
    this.#updateHold();
    process.nextTick(() => {
      if (this.#context === context) this.emit('listening');
    });
  }

  #fail(code: string, address: string, port: number): void {
    const error = listenException(code, 'listen', address, port);
    process.nextTick(() => this.emit('error', error));
  }

  get listening(): boolean {
    return this.#listener !== null;
  }

  address(): AddressInfo | null {
    if (this.#listener === null) return null;
    return { address: this.#listener.address, family: 'IPv4', port: this.#listener.port };
  }

  // Accepting.

  #accept(connection: Connection): ConnectionHandler {
    if (this.maxConnections && this._connections >= this.maxConnections) {
      process.nextTick(() => this.emit('drop', dropArgument(connection)));
      return new Dropped(connection);
    }
    const socket = new this._Socket(this.#socketOptions);
    this._connections++;
    return socket._adopt(connection, this, this.pauseOnConnect);
  }

  /** @internal */
  _onConnection(socket: Socket): void {
    this.emit('connection', socket);
  }

  /** @internal */
  _onDestroyed(): void {
    this._connections--;
    this._emitCloseIfDrained();
  }

  // Ending.

  /** Stops accepting; 'close' is emitted when the connections that there are have ended. */
  close(callback?: (error?: Error) => void): this {
    if (typeof callback === 'function') {
      if (this.#listener !== null) this.once('close', callback);
      else this.once('close', () => callback(serverNotRunning()));
    }
    this.#listening++;
    this.#listener?.close();
    this.#listener = null;
    this.#context = null;
    this.#updateHold();
    this._emitCloseIfDrained();
    return this;
  }

  _emitCloseIfDrained(): void {
    if (this.#listener !== null || this._connections > 0) return;
    process.nextTick(() => this.emit('close'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#listener === null) return;
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
    validateFunction(callback, 'callback');
    process.nextTick(callback, null, this._connections);
    return this;
  }

  ref(): this {
    this._unref = false;
    this.#updateHold();
    return this;
  }

  unref(): this {
    this._unref = true;
    this.#updateHold();
    return this;
  }

  #updateHold(): void {
    const wanted = this.#listener !== null && !this._unref;
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this._transport.hold();
    else this._transport.release();
  }
}

function dropArgument(connection: Connection): DropArgument {
  return {
    localAddress: connection.localAddress,
    localPort: connection.localPort,
    localFamily: 'IPv4',
    remoteAddress: connection.remoteAddress,
    remotePort: connection.remotePort,
    remoteFamily: 'IPv4',
  };
}
