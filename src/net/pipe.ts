import net from 'node:net';
import {
  type Connection,
  type ConnectionErrorCode,
  type ConnectionHandler,
  type ConnectionInfo,
  type Listener,
  SILENT_HANDLER,
} from '../stack/connection.js';
import type { StateName } from '../tcp/state.js';

/**
 * Paths name Unix domain sockets, which are the kernel's and have no TCP in them: a program that uses
 * them beside TCP finds them where it expects. These adapt them to what a handle stands on.
 */

// Taken now, so that a process whose `node:net` is ours later on has the kernel's here.
const { connect, createServer } = net;

/** Bytes received and not read at which the kernel is left to wait. */
const READ_AHEAD = 64 * 1024;

class PipeConnection implements Connection {
  readonly localAddress = '';
  readonly localPort = 0;
  readonly remoteAddress = '';
  readonly remotePort = 0;
  handler: ConnectionHandler;
  readableLength = 0;
  readonly #kernel: net.Socket;
  readonly #received: Buffer[] = [];
  #finReceived = false;
  #code: string | null = null;

  constructor(kernel: net.Socket, handler: ConnectionHandler) {
    this.handler = handler;
    this.#kernel = kernel.unref();
    kernel.on('connect', () => this.handler.established());
    kernel.on('data', (chunk: Buffer) => this.#receive(chunk));
    kernel.on('end', () => {
      this.#finReceived = true;
      this.handler.readable();
    });
    kernel.on('drain', () => this.handler.writable());
    kernel.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ECONNRESET';
    });
    kernel.on('close', () => this.handler.closed(this.#code as ConnectionErrorCode | null));
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.readableLength += chunk.length;
    if (this.readableLength >= READ_AHEAD) this.#kernel.pause();
    this.handler.readable();
  }

  get state(): StateName {
    return this.#kernel.connecting ? 'SYN_SENT' : 'ESTABLISHED';
  }

  get ended(): boolean {
    return this.#finReceived && this.readableLength === 0;
  }

  get unacknowledged(): number {
    return this.#kernel.writableLength;
  }

  write(bytes: Uint8Array, offset = 0): number {
    if (this.#kernel.writableNeedDrain || this.#kernel.destroyed) return 0;
    // The caller may use its buffer again at once.
    this.#kernel.write(Buffer.from(bytes.subarray(offset)));
    return bytes.length - offset;
  }

  read(): Uint8Array | null {
    const chunk = this.#received.shift();
    if (chunk === undefined) return null;
    this.readableLength -= chunk.length;
    if (this.readableLength < READ_AHEAD && this.#kernel.isPaused()) this.#kernel.resume();
    return chunk;
  }

  shutdown(): void {
    this.#kernel.end();
  }

  close(): void {
    this.handler = SILENT_HANDLER;
    this.#kernel.resume().destroySoon();
  }

  abort(): void {
    this.handler = SILENT_HANDLER;
    this.#kernel.destroy();
  }

  readonly urgentLength = 0;
  setNoDelay(): void {}
  setTypeOfService(): void {}
  setUserTimeout(): void {}
  setCongestionControl(): void {}
  setKeepAlive(): void {}

  info(): ConnectionInfo {
    throw new TypeError('A Unix domain socket has no TCP connection to tell of');
  }
}

/** Connects to the Unix domain socket `path`; `handler` hears of the outcome. */
export function connectPath(path: string, handler: ConnectionHandler): Connection {
  return new PipeConnection(connect({ path, allowHalfOpen: true }), handler);
}

/** Where to listen, and who may connect, as `server.listen` has it. */
export interface PathOptions {
  path: string;
  backlog?: number;
  readableAll?: boolean;
  writableAll?: boolean;
}

/** Listens on a Unix domain socket; null when it cannot, and `failed` hears the code in a moment. */
export function listenPath(
  options: PathOptions,
  accept: (connection: Connection) => ConnectionHandler,
  failed: (code: string) => void,
): Listener | null {
  const kernel = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const connection = new PipeConnection(socket, SILENT_HANDLER);
    connection.handler = accept(connection);
    connection.handler.established();
    socket.resume();
  });
  kernel.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'EINVAL'));
  kernel.listen(options).unref();
  if (!kernel.listening) return null;
  return { address: options.path, port: 0, close: () => void kernel.close() };
}
