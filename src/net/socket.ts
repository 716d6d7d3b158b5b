import { AsyncResource } from 'node:async_hooks';
import type { BlockList } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { addAbortSignal, Duplex } from 'node:stream';
import type { ConnectionErrorCode, Transport } from '../stack/connection.js';
import { clientSocket } from './channels.js';
import type { AutoSelectFamily, ConnectArguments } from './connect-options.js';
import { normalizeArguments } from './connect-options.js';
import { connectToPath, lookupAndConnect } from './connecting.js';
import { type Chunk, Endpoint } from './endpoint.js';
import {
  closedBeforeConnection,
  endedByPeer,
  errnoException,
  invalidArgType,
  invalidHandleType,
  missingArgs,
  socketClosed,
} from './errors.js';
import { encodeAll, gather } from './gather.js';
import type { HandleOwner } from './handle.js';
import { Handle } from './handle.js';
import { IdleTimer } from './idle-timer.js';
import { NODE_MAJOR } from './node-version.js';
import type { ReadSink } from './read-sink.js';
import { readSink } from './read-sink.js';
import type { SocketOptions } from './socket-options.js';
import {
  checkBlockList,
  refuseForeign,
  refuseUnsupported,
  streamOptions,
} from './socket-options.js';
import {
  validateAbortSignal,
  validateDuration,
  validateFunction,
  validateInt32,
} from './validate.js';

type Callback = (error?: Error | null) => void;
type Data = Buffer | string;

/** What a socket tells the server that accepted it. */
export interface SocketServer {
  _connections: number;
  _emitCloseIfDrained?(): void;
}

/** Keep-alive in the form that takes all of it at once. */
export interface KeepAliveOptions {
  enable?: boolean;
  /** ms before the first probe; 0 keeps the host's configuration. */
  initialDelay?: number;
  /** ms between probes; the host's configuration has it. */
  interval?: number;
  /** Probes without an answer; the host's configuration has it. */
  count?: number;
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

/** Delays of keep-alive are counted in whole seconds, as Node does: ms, a multiple of 1000. */
function wholeSeconds(ms: unknown): number {
  return Math.max(0, Math.trunc(Number(ms) / 1000) || 0) * 1000;
}

/**
 * A TCP connection in the shape of `net.Socket`. Sockets are made by the classes and functions of
 * {@link createNet}, which tie them to a transport; this base class has none.
 */
export class Socket extends Endpoint implements HandleOwner {
  /** ms of silence after which 'timeout' is emitted; undefined before {@link setTimeout}. */
  declare timeout: number | undefined;
  /** Remote addresses that are not connected to. */
  declare blockList?: BlockList;
  /** `address:port` of each that was tried, when there were several. */
  declare autoSelectFamilyAttemptedAddresses?: string[];
  declare resetAndClosing?: boolean;
  declare _aborted?: boolean;
  /** The server that accepted this socket, or null. */
  server: unknown = null;
  _server: SocketServer | null = null;

  #noDelay = false;
  #keepAlive = false;
  #keepAliveDelay = 0;
  #typeOfService: number | undefined;
  #sink: ReadSink | null = null;
  #idle: IdleTimer | null = null;
  /** Of the latest {@link setTimeout}, in which 'timeout' is emitted. */
  #timeoutContext: AsyncResource | null = null;
  /** What the handle had not yet taken when it was last looked at; 0 when nothing waits. */
  #lastWriteQueueSize = 0;

  constructor(options?: SocketOptions | number) {
    const given: SocketOptions & DuplexOptions =
      typeof options === 'number' ? { fd: options } : (options ?? {});
    refuseUnsupported(given);
    super(streamOptions(given));
    if (given.signal) addAbortSignal(given.signal, this);
    refuseForeign(given, (handle) => handle instanceof Handle);
    this.#noDelay = Boolean(given.noDelay);
    if (given.congestionControl !== undefined) this.setCongestionControl(given.congestionControl);
    this.#keepAlive = Boolean(given.keepAlive);
    this.#keepAliveDelay = wholeSeconds(given.keepAliveInitialDelay);
    if (given.typeOfService !== undefined) {
      this.#typeOfService = validateInt32(given.typeOfService, 'options.typeOfService', 0, 255);
    }
    this.#sink = readSink(this, given);
    this.on('end', onEnd);
    if (given.handle) this.#take(given.handle, given);
    if (given.signal) this.#noteAbort(given.signal);
    const blockList = checkBlockList(given.blockList);
    if (blockList !== undefined) this.blockList = blockList;
  }

  /** The host below. */
  get _transport(): Transport {
    throw new TypeError(
      'A Socket belongs to a stack: use stack.net.Socket or createNet(transport)',
    );
  }

  get _autoSelectFamily(): AutoSelectFamily {
    return { enabled: true, attemptTimeout: 250 };
  }

  #take(handle: Handle, options: SocketOptions & DuplexOptions): void {
    this.#own(handle);
    if (options.readable === false) return;
    if (options.pauseOnCreate) {
      handle.reading = false;
      (this as { readableFlowing: boolean | null }).readableFlowing = false;
    } else if (!options.manualStart) this.read(0);
  }

  #own(handle: Handle): void {
    this._handle = handle;
    handle.owner = this;
    this.#sink?.prepare();
    handle.sink = this.#sink;
  }

  #noteAbort(signal: AbortSignal): void {
    validateAbortSignal(signal, 'options.signal');
    const note = (): void => {
      this._aborted = true;
    };
    process.nextTick(() => {
      if (signal.aborted) note();
      else signal.addEventListener('abort', note, { once: true });
    });
    this.once('close', () => signal.removeEventListener('abort', note));
  }

  // Connecting.

  connect(...args: unknown[]): this {
    const [given, listener] = normalizeArguments(args);
    const options = given as ConnectArguments;
    if (NODE_MAJOR >= 22) clientSocket.publish({ socket: this });
    if (listener !== null) this.once('connect', listener);
    if (this._parent?.connecting) return this;
    if (options.port === undefined && (options.path === undefined || options.path === null)) {
      throw missingArgs('options', 'port', 'path');
    }
    if (this.write !== Duplex.prototype.write) this.write = Duplex.prototype.write;
    if (this.destroyed) {
      this._handle = null;
      this._peername = undefined;
      this._sockname = null;
    }
    if (options.noDelay) this.#noDelay = true;
    if (options.keepAlive) this.#keepAlive = true;
    if (options.keepAliveInitialDelay) {
      this.#keepAliveDelay = wholeSeconds(options.keepAliveInitialDelay);
    }
    if (!this._handle) this.#newHandle();
    this._unrefTimer();
    this.connecting = true;
    if (options.path) connectToPath(this, options.path);
    else lookupAndConnect(this, options, this._autoSelectFamily);
    return this;
  }

  #newHandle(): void {
    (this as unknown as { _undestroy(): void })._undestroy();
    this._sockname = null;
    this.#own(new Handle(this._transport));
  }

  /** @internal */
  _replaceHandle(): void {
    this._handle?.close();
    this.#newHandle();
  }

  /** @internal */
  _afterConnect(): void {
    const handle = this._handle!;
    this.connecting = false;
    this._sockname = null;
    this._unrefTimer();
    if (this.#noDelay) handle.setNoDelay(true);
    if (this.#typeOfService) handle.connection?.setTypeOfService(this.#typeOfService);
    if (this.#keepAlive) handle.setKeepAlive(true, this.#keepAliveDelay);
    this.emit('connect');
    this.emit('ready');
    if (this.readable && !this.isPaused()) this.read(0);
  }

  /** The options that the server has set on an accepted connection. @internal */
  _setAccepted(noDelay: boolean, keepAlive: boolean, keepAliveDelay: number): void {
    if (noDelay) this.setNoDelay(true);
    if (keepAlive) this.setKeepAlive(true, keepAliveDelay);
  }

  // Reading.

  /** @internal */
  _onReadError(code: ConnectionErrorCode | 'ENOBUFS'): void {
    this.destroy(errnoException(code, 'read'));
  }

  override _read(size: number): void {
    const handle = this._handle;
    if (this.connecting || !handle) this.once('connect', () => this._read(size));
    else if (!handle.reading) handle.readStart();
  }

  #resumeSink(): void {
    if (this.#sink === null || this.connecting) return;
    if (this._handle?.reading === false) this._handle.readStart();
  }

  override pause(): this {
    if (this.#sink !== null && !this.connecting) this._handle?.readStop();
    return super.pause();
  }

  override resume(): this {
    this.#resumeSink();
    return super.resume();
  }

  override read(size?: number): unknown {
    this.#resumeSink();
    return super.read(size);
  }

  // Writing.

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    super.end(chunk, encoding as BufferEncoding, callback as Callback);
    return this;
  }

  override _write(data: Data, encoding: BufferEncoding, callback: Callback): void {
    this._writeGeneric(false, data, encoding, callback);
  }

  override _writev(chunks: Chunk[], callback: Callback): void {
    this._writeGeneric(true, chunks, '', callback);
  }

  _writeGeneric(
    isMany: boolean,
    data: Data | Chunk[],
    encoding: BufferEncoding | '',
    callback: Callback,
  ): void {
    if (this.connecting) {
      this.#whenConnected(isMany, data, encoding, callback);
      return;
    }
    this._pendingData = null;
    this._pendingEncoding = '';
    const handle = this._handle;
    if (!handle) {
      callback(socketClosed());
      return;
    }
    this._unrefTimer();
    const code = handle.writeError;
    if (code !== null) callback(errnoException(code, 'write'));
    else if (isMany) this.#writeMany(handle, data as Chunk[], callback);
    else this.#writeOne(handle, data as Data, encoding as BufferEncoding, callback);
  }

  #whenConnected(
    isMany: boolean,
    data: Data | Chunk[],
    encoding: BufferEncoding | '',
    callback: Callback,
  ): void {
    this._pendingData = data;
    this._pendingEncoding = encoding;
    const unanswered = (): void => {
      callback(closedBeforeConnection());
    };
    this.once('connect', () => {
      this.off('close', unanswered);
      this._writeGeneric(isMany, data, encoding, callback);
    });
    this.once('close', unanswered);
  }

  #writeOne(handle: Handle, data: Data, encoding: BufferEncoding, callback: Callback): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : data;
    this.#wrote(handle, handle.write(bytes, callback), callback);
  }

  #writeMany(handle: Handle, chunks: Chunk[], callback: Callback): void {
    const bytes = gather(chunks);
    if (bytes !== null) {
      this.#wrote(handle, handle.writeCopy(bytes, callback), callback);
      return;
    }
    const length = encodeAll(chunks);
    this.#wrote(handle, handle.writev(chunks as { chunk: Buffer }[], length, callback), callback);
  }

  #wrote(handle: Handle, done: boolean, callback: Callback): void {
    this.#lastWriteQueueSize = done ? 0 : handle.writeQueueSize;
    if (done) callback();
  }

  override _final(callback: Callback): void {
    if (NODE_MAJOR >= 22 ? this.connecting : this.pending) {
      this.once('connect', () => this._final(callback));
      return;
    }
    if (!this._handle?.shutdown(callback)) callback();
  }

  // Ending.

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  /** Ends the connection with RST. */
  resetAndDestroy(): this {
    if (this._handle?.isPipe) throw invalidHandleType();
    if (!this._handle) this.destroy(socketClosed());
    else if (this.connecting) this.once('connect', () => this._reset());
    else this._reset();
    return this;
  }

  _reset(): this {
    this.resetAndClosing = true;
    return this.destroy();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.connecting = false;
    this.#idle?.stop();
    const handle = this._handle;
    if (handle) {
      this._keepCounts(handle);
      const hadError = error !== null;
      const closed = (): void => {
        this.emit('close', hadError);
      };
      if (this.resetAndClosing) {
        this.resetAndClosing = false;
        handle.reset(closed);
      } else handle.close(closed);
      this._handle = null;
      this._sockname = null;
      callback(error);
    } else {
      callback(error);
      process.nextTick(() => this.emit('close'));
    }
    const server = this._server;
    if (!server) return;
    server._connections--;
    server._emitCloseIfDrained?.();
  }

  // Options.

  /** Emits 'timeout' after `ms` without activity, once for each silence; 0 turns it off. */
  setTimeout(ms: number, callback?: () => void): this {
    if (this.destroyed) return this;
    this.timeout = ms;
    const duration = validateDuration(ms, 'msecs');
    if (duration === 0) {
      this.#idle?.pause();
      if (callback === undefined) return this;
      validateFunction(callback, 'callback');
      return this.removeListener('timeout', callback);
    }
    this.#timeoutContext = new AsyncResource('TUNTCPTIMEOUT');
    this.#idle ??= new IdleTimer(this._transport.runtime, () => {
      this.#timeoutContext?.runInAsyncScope(this._onTimeout, this);
    });
    this.#idle.start(duration);
    if (callback === undefined) return this;
    validateFunction(callback, 'callback');
    return this.once('timeout', callback);
  }

  /** There was activity. */
  _unrefTimer(): void {
    if (this.#idle !== null) this.#idle.touch();
    this._parent?._unrefTimer?.();
  }

  _onTimeout(): void {
    const last = this.#lastWriteQueueSize;
    const now = this._handle?.writeQueueSize ?? 0;
    if (last > 0 && this._handle && last !== now) {
      // A write gets on: that is activity.
      this.#lastWriteQueueSize = now;
      this._unrefTimer();
      return;
    }
    this.emit('timeout');
  }

  setNoDelay(enable?: boolean): this {
    const on = enable === undefined ? true : Boolean(enable);
    if (this._handle && on !== this.#noDelay) this._handle.setNoDelay(on);
    this.#noDelay = on;
    return this;
  }

  /**
   * `initialDelay`: ms before the first probe, in whole seconds; 0 keeps the host's configuration,
   * which also has the time between probes and their number.
   */
  setKeepAlive(enable?: boolean | KeepAliveOptions, initialDelay?: number): this {
    if (enable !== null && typeof enable === 'object') {
      return this.setKeepAlive(enable.enable, enable.initialDelay);
    }
    const on = Boolean(enable);
    const delay = wholeSeconds(initialDelay);
    const changed = on !== this.#keepAlive || (on && delay !== this.#keepAliveDelay);
    this.#keepAlive = on;
    this.#keepAliveDelay = delay;
    if (changed) this._handle?.setKeepAlive(on, delay);
    return this;
  }

  /** The eight bits of IPv4's type of service; the lower two are for ECN and are TCP's. */
  setTypeOfService(tos: number): this {
    if (Number.isNaN(tos)) throw invalidArgType('tos', 'of type number', tos);
    this.#typeOfService = validateInt32(tos, 'tos', 0, 255);
    this._handle?.connection?.setTypeOfService(this.#typeOfService);
    return this;
  }

  getTypeOfService(): number {
    return this.#typeOfService ?? 0;
  }

  ref(): this {
    if (this._handle) this._handle.ref();
    else this.once('connect', this.ref);
    return this;
  }

  unref(): this {
    if (this._handle) this._handle.unref();
    else this.once('connect', this.unref);
    return this;
  }
}
