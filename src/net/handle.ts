import { AsyncResource } from 'node:async_hooks';
import type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
  Transport,
} from '../stack/connection.js';
import { ActiveOpen } from './active-open.js';
import { closings } from './closing.js';
import { codeOf, errnoException } from './errors.js';
import { ipv4Of, ipv6Error } from './ipv6.js';
import { NODE_MAJOR } from './node-version.js';
import { Outgoing, type WriteCallback } from './outgoing.js';
import { connectPath } from './pipe.js';
import type { ReadSink } from './read-sink.js';
import { rethrow } from './rethrow.js';
import { proceedSoon } from './soon.js';
import { Waiter } from './waiter.js';

/** What a handle tells the socket that it belongs to. */
export interface HandleOwner {
  push(chunk: Uint8Array | null): boolean;
  read(size: number): unknown;
  destroy(): unknown;
  /** Reading failed. */
  _onReadError(code: ConnectionErrorCode | 'ENOBUFS'): void;
  /** Bytes were received or sent. */
  _unrefTimer(): void;
}

/** An accepted connection is complete, and the first chance to tell of it. */
export type Announce = (handle: Handle) => void;
/** The outcome of {@link Handle.connect}: null, or why it failed. */
export type ConnectDone = (code: ConnectionErrorCode | null) => void;
interface Chunk {
  chunk: Uint8Array;
}

/** An address with its port, as Node's handles give it. */
export interface SocketName {
  address?: string;
  family?: string;
  port?: number;
}

function nameInto(out: SocketName, address: string, port: number): void {
  out.address = address;
  out.family = 'IPv4';
  out.port = port;
}

/**
 * One socket's end of a {@link Connection}: what `_handle` is in Node. It turns "there is something"
 * and "there is room" into pushes and write callbacks, defers bad news until the user looks, and
 * keeps the process alive exactly while something is under way: connecting, reading or writing.
 * Each callback runs in the async context in which what it answers was asked for.
 */
export class Handle extends AsyncResource implements ConnectionHandler {
  connection: Connection | null = null;
  owner: HandleOwner | null = null;
  /** The stream wants data. */
  reading = false;
  // A double from the start, for the reason given in `tcp/sender-variables.ts`.
  bytesRead = -0;
  sink: ReadSink | null = null;

  readonly transport: Transport;
  /** A Unix domain socket of the kernel's. */
  isPipe = false;
  #announce: Announce | null = null;
  /** Null where the peer has connected. */
  #active: ActiveOpen | null = null;
  /** False until the user has had a turn to add listeners; nothing is delivered before. */
  #live = false;
  #referenced = true;
  #held = false;
  #closed = false;
  /** `reading` was asked for during a push. */
  #asked = false;
  /** A push is under way, or the turn between one and the next. */
  #pulling = false;
  #ended = false;
  #broken: ConnectionErrorCode | null = null;
  /** The host has let go of the connection. */
  #over = false;
  /** What the user's buffer had no room for. */
  #rest: Uint8Array | null = null;

  /** The latest write; null before the first. */
  #outgoing: Outgoing | null = null;

  constructor(transport: Transport) {
    super('TUNTCP');
    this.transport = transport;
  }

  /** No file descriptor of the kernel's. */
  get fd(): number {
    return -1;
  }

  /** Takes over an accepted connection; `announce` is called when it is complete. */
  accept(connection: Connection, announce: Announce): void {
    this.connection = connection;
    this.#announce = announce;
  }

  // What the host calls.

  established(): void {
    const announce = this.#announce;
    if (announce !== null) {
      this.#announce = null;
      announce(this);
      return;
    }
    if (this.#active !== null) this.#active.mayRepeat = true;
    this.#connected(null);
    this.goLive();
  }

  /** Delivers from the next tick on: the user has had the chance to listen. */
  goLive(): void {
    this.#pulling = true;
    proceedSoon(this);
  }

  readable(): void {
    if (this.#live && this.reading && !this.#pulling) this.#run(this.#pull);
  }

  writable(): void {
    const outgoing = this.#outgoing;
    if (outgoing === null || outgoing.waiter === null || this.connection === null) return;
    this.owner?._unrefTimer();
    if (outgoing.fill(this.connection)) this.#finishWrite(outgoing);
  }

  finished(): void {}

  closed(error: ConnectionErrorCode | null): void {
    this.#over = true;
    this.#broken = error;
    if (this.#isConnecting() && error !== null) this.#connected(error);
    else if (error === null && this.#isCutOff()) this.#run(this.#abandon);
    else if (this.#live && !this.#pulling) this.#run(this.#conclude);
  }

  /** Over without a FIN from the peer: the host was closed. */
  #isCutOff(): boolean {
    const { connection } = this;
    return connection !== null && !connection.ended && connection.readableLength === 0;
  }

  #abandon(): void {
    this.owner?.destroy();
  }

  #connected(code: ConnectionErrorCode | null): void {
    const active = this.#active;
    if (active === null || active.waiter === null) return;
    const { waiter } = active;
    active.waiter = null;
    waiter.tell(code);
    this.#updateHold();
  }

  // What the socket calls.

  /** Chooses the local end; null, or the code of what is wrong with it. */
  bindTo(address: string, port: number | undefined): string | null {
    // As in Node, what does not fit into 16 bits is cut off.
    const cut = port === undefined ? 0 : port & 0xffff;
    const four = ipv4Of(address);
    if (four === null) return ipv6Error(address);
    const code = this.transport.bindError?.(four, cut) ?? null;
    if (code !== null) return code;
    const active = this.#ownActive();
    active.localAddress = four;
    active.localPort = cut;
    return null;
  }

  /** Connects; null, or the code of what stops it at once, and `done` is not called then. */
  connect(address: string, port: number, done: ConnectDone): string | null {
    if (this.#isConnecting()) return 'EALREADY';
    const active = this.#ownActive();
    if (this.connection !== null) {
      if (!active.mayRepeat) return 'EISCONN';
      active.mayRepeat = false;
      this.#await(done);
      this.transport.runtime.yield(() => this.#connected(null));
      return null;
    }
    const remoteAddress = ipv4Of(address);
    if (remoteAddress === null) return ipv6Error(address);
    const { localAddress, localPort, congestionControl } = active;
    try {
      const request = { remoteAddress, remotePort: port, localAddress, localPort };
      this.connection = this.transport.connect(request, this);
      // In the same turn, so that its SYN asks for ECN if the control needs it.
      if (congestionControl) this.connection.setCongestionControl(congestionControl);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      return code;
    }
    this.#await(done);
    return null;
  }

  /** Connects to a Unix domain socket. */
  connectPath(path: string, done: ConnectDone): string | null {
    if (this.connection !== null) return this.#isConnecting() ? 'EALREADY' : 'EISCONN';
    this.isPipe = true;
    this.connection = connectPath(path, this);
    this.#await(done);
    return null;
  }

  #await(done: ConnectDone): void {
    this.#ownActive().waiter = new Waiter('TUNTCPCONNECT', done);
    this.#updateHold();
  }

  #ownActive(): ActiveOpen {
    this.#active ??= new ActiveOpen();
    return this.#active;
  }

  #isConnecting(): boolean {
    return this.#active !== null && this.#active.waiter !== null;
  }

  #isWriting(): boolean {
    return this.#outgoing !== null && this.#outgoing.waiter !== null;
  }

  getsockname(out: SocketName): void {
    if (this.isPipe) return;
    if (this.connection !== null) {
      nameInto(out, this.connection.localAddress, this.connection.localPort);
    } else if (this.#active?.localAddress !== undefined) {
      nameInto(out, this.#active.localAddress, this.#active.localPort ?? 0);
    }
  }

  /** True when there is a remote end, whose name is then in `out`. */
  getpeername(out: SocketName): boolean {
    if (this.connection === null || this.#isConnecting() || this.isPipe) return false;
    nameInto(out, this.connection.remoteAddress, this.connection.remotePort);
    return true;
  }

  /** Reads on, and delivers what is there already. */
  readStart(): void {
    this.#asked = true;
    this.reading = true;
    if (this.#ended) return;
    if (this.#live && !this.#pulling) this.#pull();
    this.#updateHold();
  }

  readStop(): void {
    this.reading = false;
    this.#updateHold();
  }

  /** Takes `bytes`; true when all are in the send buffer, otherwise `done` is called when they are. */
  write(bytes: Uint8Array, done: WriteCallback): boolean {
    const outgoing = this.#ownOutgoing();
    outgoing.bytesWritten += bytes.length;
    outgoing.one(bytes);
    return this.#send(outgoing, done);
  }

  /** As {@link write}; `bytes` are the caller's again when this returns. */
  writeCopy(bytes: Uint8Array, done: WriteCallback): boolean {
    if (this.write(bytes, done)) return true;
    this.#outgoing!.own();
    return false;
  }

  /** As {@link write}, for several chunks of `length` bytes in all. */
  writev(chunks: readonly Chunk[], length: number, done: WriteCallback): boolean {
    const outgoing = this.#ownOutgoing();
    outgoing.bytesWritten += length;
    outgoing.many(chunks);
    return this.#send(outgoing, done);
  }

  #ownOutgoing(): Outgoing {
    this.#outgoing ??= new Outgoing();
    return this.#outgoing;
  }

  get bytesWritten(): number {
    return this.#outgoing === null ? 0 : this.#outgoing.bytesWritten + 0;
  }

  /** Bytes that were written and wait for room in the send buffer. */
  get writeQueueSize(): number {
    return this.#outgoing?.length ?? 0;
  }

  /** Why writing is of no use, or null. */
  get writeError(): ConnectionErrorCode | 'EPIPE' | null {
    return this.#over ? (this.#broken ?? 'EPIPE') : null;
  }

  /** Half-closes and calls `done`, in a later turn. False when there is nothing left to close. */
  shutdown(done: () => void): boolean {
    if (this.connection === null || this.#over) return false;
    this.transport.runtime.yield(() => {
      if (!this.#over) this.connection?.shutdown();
      done();
    });
    return true;
  }

  setNoDelay(on: boolean): void {
    this.connection?.setNoDelay(on);
  }

  /** For the connection that there is, or the one that will be. */
  setCongestionControl(name: string): void {
    if (this.connection === null) this.#ownActive().congestionControl = name;
    else this.connection.setCongestionControl(name);
  }

  /** `initialDelay` in ms before the first probe; 0 keeps the host's configuration. */
  setKeepAlive(on: boolean, initialDelay: number): void {
    this.connection?.setKeepAlive(on, initialDelay);
  }

  /** Lets go of the connection; nothing is delivered after it, and `done` is called in a later turn. */
  close(done?: () => void): void {
    this.#release(false, done);
  }

  /** As {@link close}, with RST. */
  reset(done?: () => void): void {
    this.#release(true, done);
  }

  #release(reset: boolean, done: (() => void) | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const { connection } = this;
    const connecting = this.#isConnecting();
    this.connection = null;
    this.#active = null;
    this.reading = false;
    this.#rest = null;
    const written = this.#outgoing?.drop() ?? null;
    this.#updateHold();
    if (connection !== null && !this.#over) {
      if (reset || connecting) connection.abort();
      else connection.close();
    }
    if (done === undefined && written === null) return;
    closings(this.transport.runtime).add(() => {
      // After 'error' and before 'close', as when libuv cancels a write.
      written?.tell(NODE_MAJOR >= 22 ? errnoException('ECANCELED', 'write') : null);
      if (done !== undefined) this.runInAsyncScope(done);
    });
  }

  ref(): void {
    this.#referenced = true;
    this.#updateHold();
  }

  unref(): void {
    this.#referenced = false;
    this.#updateHold();
  }

  hasRef(): boolean {
    return this.#referenced && !this.#closed;
  }

  /** What `node:http` asks of a handle when it keeps a connection for the next request. */
  getAsyncId(): number {
    return this.asyncId();
  }

  // Inside.

  #run(task: () => void): void {
    try {
      this.runInAsyncScope(task, this);
    } catch (error) {
      rethrow(error);
      // What it was in the middle of goes on.
      if (this.#live) this.goLive();
    }
  }

  /** The next tick after {@link goLive} or after a push. */
  proceed(): void {
    this.#pulling = false;
    if (this.connection === null) return;
    this.#live = true;
    this.#run(this.#conclude);
  }

  /** Delivers what is there, and then bad news to whoever is reading or writing. */
  #conclude(): void {
    if (this.reading) this.#pull();
    const busy = (this.reading && !this.#ended) || this.#isWriting();
    if (this.#broken !== null && busy && !this.#pulling) this.#raise();
  }

  #raise(): void {
    if (this.connection === null) return;
    this.reading = false;
    this.#updateHold();
    this.owner?._onReadError(this.#broken!);
  }

  /** Delivers one chunk, or what comes after the last one; a next chunk has to wait for a tick. */
  #pull(): void {
    const { connection, owner } = this;
    if (connection === null || owner === null || this.#ended) return;
    const chunk = this.#rest ?? connection.read();
    if (chunk !== null) this.#deliver(owner, chunk);
    else if (connection.ended) {
      this.#ended = true;
      owner.push(null);
      owner.read(0);
    } else if (this.#broken !== null) this.#raise();
    this.#updateHold();
  }

  #deliver(owner: HandleOwner, chunk: Uint8Array): void {
    this.#pulling = true;
    this.#asked = false;
    let more = false;
    try {
      owner._unrefTimer();
      if (this.sink !== null) more = this.#pour(this.sink, chunk);
      else {
        this.bytesRead += chunk.length;
        more = owner.push(chunk);
      }
    } finally {
      this.#pulling = false;
    }
    if (!more && !this.#asked) this.reading = false;
    if (this.reading && this.#hasMore()) this.goLive();
  }

  /** Hands the user a piece of the size of the user's buffer, and keeps the rest. */
  #pour(sink: ReadSink, chunk: Uint8Array): boolean {
    const length = sink.take(chunk);
    if (length === 0) {
      this.owner?._onReadError('ENOBUFS');
      return false;
    }
    this.bytesRead += length;
    this.#rest = length < chunk.length ? chunk.subarray(length) : null;
    return sink.tell(length);
  }

  #hasMore(): boolean {
    const { connection } = this;
    if (connection === null || this.#ended) return false;
    const waiting = this.#rest !== null || connection.readableLength > 0;
    return waiting || connection.ended || this.#broken !== null;
  }

  #send(outgoing: Outgoing, done: WriteCallback): boolean {
    if (outgoing.fill(this.connection!)) return true;
    outgoing.waiter = new Waiter('TUNTCPWRITE', done);
    this.#updateHold();
    return false;
  }

  #finishWrite(outgoing: Outgoing): void {
    outgoing.drop()?.tell(null);
    this.#updateHold();
  }

  #updateHold(): void {
    const wanted =
      this.#referenced &&
      this.connection !== null &&
      (this.#isConnecting() || (this.reading && !this.#ended) || this.#isWriting());
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this.transport.hold();
    else this.transport.release();
  }
}
