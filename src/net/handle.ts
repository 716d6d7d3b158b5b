import { AsyncResource } from 'node:async_hooks';
import type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
  Transport,
} from '../stack/connection.js';

/** What a handle tells the socket that it belongs to. */
export interface HandleOwner {
  push(chunk: Uint8Array | null): boolean;
  read(size: number): unknown;
  destroy(): unknown;
  /** The handshake is complete. */
  _onEstablished(): void;
  /** The connection broke; `syscall` is what the user was doing. */
  _onBroken(code: ConnectionErrorCode, syscall: 'connect' | 'read'): void;
  /** Bytes were received or sent. */
  _onActivity(): void;
}

/** `onread` of a socket: received bytes are copied into a buffer of the user's. */
export interface ReadSink {
  buffer: Uint8Array | (() => Uint8Array);
  /** False stops reading. */
  callback(length: number, buffer: Uint8Array): boolean | undefined;
}

type WriteCallback = (error?: Error | null) => void;
interface Chunk {
  chunk: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** An exception of the user's code is the process's to know, and must not unwind the host. */
function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

/**
 * One socket's end of a {@link Connection}: what `_handle` is in Node. It turns "there is something"
 * and "there is room" into pushes and write callbacks, defers bad news until the user looks, and
 * keeps the process alive exactly while something is under way: connecting, reading or writing.
 * The user's code runs in the async context in which the handle was made.
 */
export class Handle extends AsyncResource implements ConnectionHandler {
  connection: Connection | null = null;
  /** The stream wants data. */
  reading = false;
  // Doubles from the start, for the reason given in `tcp/tcb.ts`.
  bytesRead = -0;
  bytesWritten = -0;
  sink: ReadSink | null = null;

  readonly #owner: HandleOwner;
  readonly #transport: Transport;
  #connecting: boolean;
  /** False until the user has had a turn to add listeners; nothing is delivered before. */
  #live = false;
  #referenced = true;
  #held = false;
  /** `reading` was asked for during a push. */
  #asked = false;
  #pulling = false;
  #ended = false;
  #broken: ConnectionErrorCode | null = null;
  /** The host has let go of the connection. */
  #over = false;

  #outgoing: Uint8Array = NOTHING;
  #offset = 0;
  #queue: readonly Chunk[] | null = null;
  #queueIndex = 0;
  #written: WriteCallback | null = null;

  constructor(owner: HandleOwner, transport: Transport, connecting: boolean) {
    super('TUNTCP');
    this.#owner = owner;
    this.#transport = transport;
    this.#connecting = connecting;
  }

  attach(connection: Connection): void {
    this.connection = connection;
    this.#updateHold();
  }

  // What the host calls.

  established(): void {
    this.#connecting = false;
    this.#run(this.#announce);
    process.nextTick(goLive, this);
  }

  readable(): void {
    if (this.#live && this.reading && !this.#pulling) this.#run(this.#pull);
  }

  writable(): void {
    if (this.#written !== null) this.#run(this.#flush);
  }

  finished(): void {}

  closed(error: ConnectionErrorCode | null): void {
    this.#over = true;
    this.#broken = error;
    if (this.#connecting && error !== null) {
      this.#connecting = false;
      this.#run(this.#fail);
    } else if (error === null && this.#isCutOff()) {
      this.#run(this.#abandon);
    } else if (this.#live) {
      this.#run(this.#conclude);
    }
  }

  /** Over without a FIN from the peer: the host was closed. */
  #isCutOff(): boolean {
    const { connection } = this;
    return connection !== null && !connection.ended && connection.readableLength === 0;
  }

  #abandon(): void {
    this.#owner.destroy();
  }

  // What the socket calls.

  /** Reads on, and delivers what is there already. */
  readStart(): void {
    this.#asked = true;
    if (this.reading || this.#ended) return;
    this.reading = true;
    if (this.#live && !this.#pulling) this.#pull();
    this.#updateHold();
  }

  readStop(): void {
    this.reading = false;
    this.#updateHold();
  }

  /** Takes `bytes`; true when all are in the send buffer, otherwise `done` is called when they are. */
  write(bytes: Uint8Array, done: WriteCallback): boolean {
    this.bytesWritten += bytes.length;
    this.#outgoing = bytes;
    this.#offset = 0;
    return this.#send(done);
  }

  /** As {@link write}, for several chunks of `length` bytes in all. */
  writev(chunks: readonly Chunk[], length: number, done: WriteCallback): boolean {
    this.bytesWritten += length;
    this.#queue = chunks;
    this.#queueIndex = 1;
    this.#outgoing = chunks[0]!.chunk;
    this.#offset = 0;
    return this.#send(done);
  }

  /** Why writing is of no use, or null. */
  get writeError(): ConnectionErrorCode | 'EPIPE' | null {
    return this.#over ? (this.#broken ?? 'EPIPE') : null;
  }

  shutdown(): void {
    if (!this.#over) this.connection?.shutdown();
  }

  /** Lets go of the connection; nothing is delivered after it. */
  close(reset: boolean): void {
    const { connection } = this;
    if (connection === null) return;
    this.connection = null;
    this.reading = false;
    this.#outgoing = NOTHING;
    this.#queue = null;
    const written = this.#written;
    this.#written = null;
    this.#updateHold();
    if (!this.#over) {
      if (reset || this.#connecting) connection.abort();
      else connection.close();
    }
    // After 'error' and before 'close', as when libuv cancels a write.
    if (written !== null) this.#transport.runtime.yield(() => written(null));
  }

  ref(): void {
    this.#referenced = true;
    this.#updateHold();
  }

  unref(): void {
    this.#referenced = false;
    this.#updateHold();
  }

  /** What `node:http` asks of a handle when it keeps a connection for the next request. */
  getAsyncId(): number {
    return this.asyncId();
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  // Inside.

  #run(task: () => void): void {
    try {
      this.runInAsyncScope(task, this);
    } catch (error) {
      rethrow(error);
      // What it was in the middle of goes on.
      if (this.#live) process.nextTick(goLive, this);
    }
  }

  #announce(): void {
    this.#owner._onEstablished();
    this.#updateHold();
  }

  #fail(): void {
    this.#owner._onBroken(this.#broken!, 'connect');
  }

  /** After `established()`, one turn of the tick queue later. */
  start(): void {
    if (this.connection === null) return;
    this.#live = true;
    this.#run(this.#conclude);
  }

  /** Delivers what is there, and then bad news to whoever is reading or writing. */
  #conclude(): void {
    if (this.reading && !this.#pulling) this.#pull();
    if (this.#broken !== null && (this.reading || this.#written !== null)) this.#raise();
  }

  #raise(): void {
    if (this.connection === null) return;
    this.reading = false;
    this.#updateHold();
    this.#owner._onBroken(this.#broken!, 'read');
  }

  #pull(): void {
    this.#pulling = true;
    try {
      this.#deliver();
    } finally {
      this.#pulling = false;
      this.#updateHold();
    }
  }

  #deliver(): void {
    const owner = this.#owner;
    while (this.reading) {
      // The user may have destroyed the socket in the course of the last push.
      const chunk = this.connection === null ? null : this.connection.read();
      if (chunk === null) break;
      this.bytesRead += chunk.length;
      owner._onActivity();
      this.#asked = false;
      const more = this.sink === null ? owner.push(chunk) : this.#pour(this.sink, chunk);
      if (!more && !this.#asked) this.reading = false;
    }
    if (!this.reading || this.connection === null) return;
    if (this.connection.ended) {
      this.reading = false;
      this.#ended = true;
      owner.push(null);
      owner.read(0);
    } else if (this.#broken !== null) {
      this.#raise();
    }
  }

  /** Hands a chunk to the user in pieces of the size of the user's buffer. */
  #pour(sink: ReadSink, chunk: Uint8Array): boolean {
    let more = true;
    for (let at = 0; at < chunk.length; ) {
      const buffer = typeof sink.buffer === 'function' ? sink.buffer() : sink.buffer;
      const length = Math.min(buffer.length, chunk.length - at);
      buffer.set(chunk.subarray(at, at + length));
      at += length;
      if (sink.callback(length, buffer) === false) more = false;
      if (this.connection === null) return false;
    }
    return more;
  }

  #send(done: WriteCallback): boolean {
    if (this.#fill()) return true;
    this.#written = done;
    this.#updateHold();
    return false;
  }

  /** Moves what waits into the send buffer; true when nothing is left. */
  #fill(): boolean {
    const connection = this.connection!;
    for (;;) {
      const left = this.#outgoing.length - this.#offset;
      const taken = left > 0 ? connection.write(this.#outgoing, this.#offset) : 0;
      if (taken < left) {
        this.#offset += taken;
        return false;
      }
      if (this.#queue === null || this.#queueIndex === this.#queue.length) break;
      this.#outgoing = this.#queue[this.#queueIndex++]!.chunk;
      this.#offset = 0;
    }
    this.#outgoing = NOTHING;
    this.#queue = null;
    return true;
  }

  #flush(): void {
    if (this.connection === null) return;
    this.#owner._onActivity();
    if (!this.#fill()) return;
    const written = this.#written!;
    this.#written = null;
    written(null);
    this.#updateHold();
  }

  #updateHold(): void {
    const wanted =
      this.#referenced &&
      this.connection !== null &&
      (this.#connecting || this.reading || this.#written !== null);
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this.#transport.hold();
    else this.#transport.release();
  }
}

function goLive(handle: Handle): void {
  handle.start();
}
