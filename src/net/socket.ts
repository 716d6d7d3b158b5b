import { isIP } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { Duplex } from 'node:stream';
import type { Connection, ConnectionErrorCode, Transport } from '../stack/connection.js';
import { checkCongestionControl } from '../tcp/congestion.js';
import type { ConnectArguments } from './connect-options.js';
import { checkConnectOptions, normalizeArguments } from './connect-options.js';
import { Endpoint } from './endpoint.js';
import {
  closedBeforeConnection,
  codeOf,
  endedByPeer,
  errnoException,
  hostPortException,
  invalidAddress,
  missingArgs,
  socketClosed,
} from './errors.js';
import type { HandleOwner, ReadSink } from './handle.js';
import { Handle } from './handle.js';
import { IdleTimer } from './idle-timer.js';
import { resolveHost } from './lookup.js';
import type { SocketOptions } from './socket-options.js';
import { readSink, refuseUnsupported } from './socket-options.js';
import { validateDuration, validateFunction } from './validate.js';

type Callback = (error?: Error | null) => void;
type Chunks = { chunk: Buffer; encoding: BufferEncoding }[];

/** What a socket tells the server that accepted it. */
export interface SocketServer {
  _onConnection(socket: Socket): void;
  _onDestroyed(): void;
}

function onEnd(this: Socket): void {
  if (!this.allowHalfOpen) this.write = writeAfterEnd;
}

/** `write` of a socket that is not half-open, once the peer has ended. */
function writeAfterEnd(
  this: Socket,
  chunk: unknown,
  encoding?: unknown,
  callback?: unknown,
): boolean {
  if (!this.writableEnded) {
    return Duplex.prototype.write.call(
      this,
      chunk,
      encoding as BufferEncoding,
      callback as Callback,
    );
  }
  const done = typeof encoding === 'function' ? encoding : callback;
  const error = endedByPeer();
  if (typeof done === 'function') process.nextTick(done as Callback, error);
  this.destroy(error);
  return false;
}

/**
 * A TCP connection in the shape of `net.Socket`. Sockets are made by the classes and functions of
 * {@link createNet}, which tie them to a transport; this base class has none.
 */
export class Socket extends Endpoint implements HandleOwner {
  /** ms of silence after which 'timeout' is emitted; undefined before {@link setTimeout}. */
  timeout: number | undefined;
  /** The server that accepted this socket, or null. */
  server: unknown = null;
  _server: SocketServer | null = null;
  _host: string | null = null;

  #noDelay = false;
  /** Null: the host's. */
  #congestionControl: string | null = null;
  #keepAlive = false;
  #keepAliveDelay = 0;
  #unreferenced = false;
  #resetting = false;
  /** The stream asked for data before there was a handle. */
  #readWanted = false;
  #hadHandle = false;
  #sink: ReadSink | null = null;
  /** Where we connect to, for error messages; `local` only if it was asked for. */
  #target: { address: string; port: number; local: string } | null = null;
  /** A write or an end that waits for the connection. */
  #whenConnected: (() => void) | null = null;
  #idle: IdleTimer | null = null;

  constructor(options: SocketOptions | number = {}) {
    const given: SocketOptions & DuplexOptions =
      typeof options === 'number' ? { fd: options } : (options ?? {});
    refuseUnsupported(given);
    super({
      ...given,
      allowHalfOpen: Boolean(given.allowHalfOpen),
      emitClose: false,
      autoDestroy: true,
      decodeStrings: true,
    });
    if (given.noDelay) this.#noDelay = true;
    if (given.congestionControl !== undefined) this.setCongestionControl(given.congestionControl);
    if (given.keepAlive) this.#keepAlive = true;
    if (given.keepAliveInitialDelay) this.#keepAliveDelay = given.keepAliveInitialDelay;
    this.#sink = readSink(this, given);
    this.on('end', onEnd);
  }

  /** The host below. */
  get _transport(): Transport {
    throw new TypeError(
      'A Socket belongs to a stack: use stack.net.Socket or createNet(transport)',
    );
  }

  // Connecting.

  connect(...args: unknown[]): this {
    const [given, listener] = normalizeArguments(args);
    const options = given as ConnectArguments;
    if (options.path) return this.#refusePipe(options.path);
    if (options.port === undefined) throw missingArgs('options', 'port', 'path');
    if (this.write === writeAfterEnd) this.write = Socket.prototype.write;
    if (this.destroyed) this.#revive();
    if (options.noDelay) this.#noDelay = true;
    if (options.keepAlive) this.#keepAlive = true;
    if (options.keepAliveInitialDelay) this.#keepAliveDelay = options.keepAliveInitialDelay;
    if (listener !== null) this.once('connect', listener);
    const port = checkConnectOptions(options);
    this._onActivity();
    this.connecting = true;
    this.#hadHandle = true;
    const host = options.host || 'localhost';
    if (isIP(host)) {
      process.nextTick(() => {
        if (this.connecting) this.#open(host, port, options);
      });
    } else {
      this._host = host;
      this.#lookup(host, port, options);
    }
    return this;
  }

  #refusePipe(path: string): this {
    this.connecting = true;
    process.nextTick(() => this.destroy(hostPortException('ENOTSUP', 'connect', path)));
    return this;
  }

  #revive(): void {
    (this as unknown as { _undestroy(): void })._undestroy();
    this._forgetPeer();
    this.#whenConnected = null;
    this.#readWanted = false;
  }

  #lookup(host: string, port: number, options: ConnectArguments): void {
    resolveHost(host, options, (error, address, family) => {
      this.emit('lookup', error, address, family, host);
      if (!this.connecting) return;
      if (error) process.nextTick(() => this.destroy(error));
      else if (address === undefined || isIP(address) === 0) {
        process.nextTick(() => this.destroy(invalidAddress(String(address))));
      } else {
        this._onActivity();
        this.#open(address, port, options);
      }
    });
  }

  #open(address: string, port: number, options: ConnectArguments): void {
    const { localAddress, localPort } = options;
    const local = localAddress && localPort ? `${localAddress}:${localPort}` : '';
    this.emit('connectionAttempt', address, port, isIP(address));
    if (!this.connecting) return;
    const before = this._handle?.connection;
    if (before) {
      const code = before.state === 'SYN_SENT' ? 'EALREADY' : 'EISCONN';
      const name = `${before.localAddress}:${before.localPort}`;
      this.destroy(hostPortException(code, 'connect', address, port, name));
      return;
    }
    this.#target = { address, port, local };
    if (isIP(address) === 6) {
      this.destroy(hostPortException('ENETUNREACH', 'connect', address, port, local || ':::0'));
      return;
    }
    const transport = this._transport;
    const handle = new Handle(this, transport, true);
    // As in Node, what does not fit into 16 bits is cut off.
    const cut = localPort === undefined ? undefined : localPort & 0xffff;
    try {
      const request = { remoteAddress: address, remotePort: port, localAddress, localPort: cut };
      const connection = transport.connect(request, handle);
      if (this.#congestionControl !== null) {
        connection.setCongestionControl(this.#congestionControl);
      }
      handle.attach(connection);
    } catch (error) {
      this.destroy(this.#connectError(error, localAddress, localPort));
      return;
    }
    this.#setHandle(handle);
  }

  #connectError(error: unknown, localAddress?: string, localPort?: number): Error {
    const code = codeOf(error);
    if (code === undefined) return error as Error;
    const { address, port, local } = this.#target!;
    if (localAddress !== undefined || localPort !== undefined) {
      if (code.startsWith('EADDR')) {
        return hostPortException(code, 'bind', localAddress ?? '0.0.0.0', localPort);
      }
    }
    return hostPortException(code, 'connect', address, port, local || '0.0.0.0:0');
  }

  #setHandle(handle: Handle): void {
    this._handle = handle;
    this.#hadHandle = true;
    handle.sink = this.#sink;
    if (this.#unreferenced) handle.unref();
    if (this.#readWanted) handle.readStart();
    this.#readWanted = false;
  }

  /** Takes over a connection that `server` has accepted. @internal */
  _adopt(connection: Connection, server: SocketServer, paused: boolean): Handle {
    const handle = new Handle(this, this._transport, false);
    handle.attach(connection);
    this.#setHandle(handle);
    this.server = server;
    this._server = server;
    if (paused) (this as { readableFlowing: boolean | null }).readableFlowing = false;
    else this.read(0);
    return handle;
  }

  /** @internal */
  _onEstablished(): void {
    const connection = this._handle!.connection!;
    if (this.#noDelay) connection.setNoDelay(true);
    if (this.#keepAlive) connection.setKeepAlive(true, this.#keepAliveDelay);
    if (!this.connecting) {
      this._server?._onConnection(this);
      return;
    }
    this.connecting = false;
    this._onActivity();
    this.emit('connect');
    const waiting = this.#whenConnected;
    this.#whenConnected = null;
    waiting?.();
    this.emit('ready');
    if (this.readable && !this.isPaused()) this.read(0);
  }

  /** @internal */
  _onBroken(code: ConnectionErrorCode, syscall: 'connect' | 'read'): void {
    if (syscall === 'read') {
      this.destroy(errnoException(code, syscall));
      return;
    }
    const { address, port, local } = this.#target!;
    const error = hostPortException(code, syscall, address, port, local);
    this.emit('connectionAttemptFailed', address, port, isIP(address), error);
    this.destroy(error);
  }

  // Reading.

  override _read(_size: number): void {
    if (this._handle !== null) this._handle.readStart();
    else this.#readWanted = true;
  }

  override pause(): this {
    if (this.#sink !== null && !this.connecting) this._handle?.readStop();
    return super.pause();
  }

  override resume(): this {
    if (this.#sink !== null && !this.connecting) this._handle?.readStart();
    return super.resume();
  }

  override read(size?: number): unknown {
    if (this.#sink !== null && !this.connecting) this._handle?.readStart();
    return super.read(size);
  }

  // Writing.

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    if (this.connecting) {
      this.#wait(() => this._write(chunk, _encoding, callback), callback);
      return;
    }
    const handle = this.#writableHandle(callback);
    if (handle?.write(chunk, callback)) callback();
  }

  override _writev(chunks: Chunks, callback: Callback): void {
    if (this.connecting) {
      this.#wait(() => this._writev(chunks, callback), callback);
      return;
    }
    const handle = this.#writableHandle(callback);
    if (handle === null) return;
    let length = 0;
    for (let i = 0; i < chunks.length; i++) length += chunks[i]!.chunk.length;
    if (handle.writev(chunks, length, callback)) callback();
  }

  /** The handle to write to; null, with the error given to `callback`, when writing is no use. */
  #writableHandle(callback: Callback): Handle | null {
    const handle = this._handle;
    if (handle === null) {
      callback(socketClosed());
      return null;
    }
    this._onActivity();
    const code = handle.writeError;
    if (code === null) return handle;
    callback(errnoException(code, 'write'));
    return null;
  }

  /** Keeps `task` until the connection is there; when it never comes, `callback` hears of it. */
  #wait(task: () => void, callback: Callback): void {
    const unanswered = (): void => {
      callback(closedBeforeConnection());
    };
    this.#whenConnected = () => {
      this.off('close', unanswered);
      task();
    };
    this.once('close', unanswered);
  }

  override _final(callback: Callback): void {
    if (this.pending) {
      this.once('connect', () => this._final(callback));
      return;
    }
    const handle = this._handle;
    if (handle === null) {
      callback();
      return;
    }
    handle.shutdown();
    // Not at once: a destroy in this turn comes before 'finish'.
    process.nextTick(callback);
  }

  // Ending.

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  /** Ends the connection with RST. */
  resetAndDestroy(): this {
    if (this.connecting) this.once('connect', () => this.#reset());
    else if (this._handle !== null) this.#reset();
    else this.destroy(socketClosed());
    return this;
  }

  #reset(): void {
    this.#resetting = true;
    this.destroy();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.connecting = false;
    this.#idle?.stop();
    const handle = this._handle;
    if (handle !== null) {
      handle.close(this.#resetting);
      this._dropHandle(handle);
    }
    this.#resetting = false;
    callback(error);
    if (this.#hadHandle) {
      this.#hadHandle = false;
      const hadError = error !== null;
      this._transport.runtime.yield(() => this.emit('close', hadError));
    } else process.nextTick(() => this.emit('close'));
    const server = this._server;
    this._server = null;
    server?._onDestroyed();
  }

  // Options.

  /** Emits 'timeout' after `ms` without activity, once for each silence; 0 turns it off. */
  setTimeout(ms: number, callback?: () => void): this {
    if (this.destroyed) return this;
    this.timeout = ms;
    const duration = validateDuration(ms, 'msecs');
    if (callback !== undefined) validateFunction(callback, 'callback');
    if (duration === 0) {
      this.#idle?.stop();
      if (callback !== undefined) this.removeListener('timeout', callback);
      return this;
    }
    this.timeout = duration;
    if (callback !== undefined) this.once('timeout', callback);
    this.#idle ??= new IdleTimer(this._transport.runtime, () => this._onTimeout());
    this.#idle.start(duration);
    return this;
  }

  /** @internal */
  _onActivity(): void {
    if (this.#idle !== null) this.#idle.touch();
  }

  _onTimeout(): void {
    this.emit('timeout');
  }

  setNoDelay(enable?: boolean): this {
    const on = enable === undefined ? true : Boolean(enable);
    if (on !== this.#noDelay && !this.connecting) this._handle?.connection?.setNoDelay(on);
    this.#noDelay = on;
    return this;
  }

  /**
   * Another congestion control than the host's, now or before connecting, as Linux's TCP_CONGESTION.
   * @throws TypeError (ERR_INVALID_ARG_VALUE) when there is none of this name
   */
  setCongestionControl(name: string): this {
    checkCongestionControl(name);
    this.#congestionControl = name;
    this._handle?.connection?.setCongestionControl(name);
    return this;
  }

  /** `initialDelay`: ms before the first probe; 0 keeps the host's configuration. */
  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    const on = Boolean(enable);
    const delay = Math.trunc(Number(initialDelay)) || 0;
    const changed = on !== this.#keepAlive || (on && delay !== this.#keepAliveDelay);
    this.#keepAlive = on;
    this.#keepAliveDelay = delay;
    if (changed && !this.connecting) this._handle?.connection?.setKeepAlive(on, delay);
    return this;
  }

  ref(): this {
    this.#unreferenced = false;
    this._handle?.ref();
    return this;
  }

  unref(): this {
    this.#unreferenced = true;
    this._handle?.unref();
    return this;
  }
}
