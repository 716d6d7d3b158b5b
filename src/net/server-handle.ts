import { AsyncResource } from 'node:async_hooks';
import type { Connection, Listener, Transport } from '../stack/connection.js';
import { closings } from './closing.js';
import { codeOf } from './errors.js';
import { Handle, type SocketName } from './handle.js';
import { ipv4Of, ipv6Error } from './ipv6.js';
import { listenPath, type PathOptions } from './pipe.js';
import { rethrow } from './rethrow.js';

/** What a handle tells the server that it belongs to. */
export interface ServerHandleOwner {
  _onConnection(handle: Handle): void;
}

/** As in Node, an accepted connection belongs to no async context; its 'connection' event does. */
const NOBODY = new AsyncResource('TUNTCPACCEPT');

function newHandle(transport: Transport): Handle {
  return new Handle(transport);
}

const RESOLVED = Promise.resolve();

/**
 * A listener of the host: what `server._handle` is in Node. Connections are told of in the async
 * context in which it was made, each after what the one before has scheduled.
 */
export class ServerHandle extends AsyncResource {
  owner: ServerHandleOwner | null = null;
  /** No file descriptor of the kernel's. */
  readonly fd = -1;
  readonly transport: Transport;
  /** A Unix domain socket of the kernel's. */
  isPipe = false;
  #listener: Listener | null = null;
  #referenced = true;
  #held = false;
  /** Complete, and not told of yet. */
  readonly #ready: Handle[] = [];
  #telling = false;

  constructor(transport: Transport) {
    super('TUNTCPSERVER');
    this.transport = transport;
  }

  /** Listens; null, or the code of what is wrong. */
  listen(address: string, port: number, backlog: number | undefined): string | null {
    // With `::` a host serves all its addresses, of which ours are all IPv4.
    const four = address === '::' ? '0.0.0.0' : ipv4Of(address);
    if (four === null) return ipv6Error(address);
    try {
      const waiting = (): number => this.#ready.length;
      this.#listener = this.transport.listen(
        { address: four, port, backlog, waiting },
        (connection) => this.#accept(connection),
      );
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      return code;
    }
    this.#updateHold();
    return null;
  }

  /** Listens on a Unix domain socket; false when it cannot, and `failed` hears the code later. */
  listenPath(options: PathOptions, failed: (code: string) => void): boolean {
    this.isPipe = true;
    this.#listener = listenPath(options, (connection) => this.#accept(connection), failed);
    this.#updateHold();
    return this.#listener !== null;
  }

  #accept(connection: Connection): Handle {
    const handle = NOBODY.runInAsyncScope(newHandle, null, this.transport);
    handle.isPipe = this.isPipe;
    handle.accept(connection, this.#complete);
    return handle;
  }

  readonly #complete = (handle: Handle): void => {
    if (this.#telling) this.#ready.push(handle);
    else this.#tell(handle);
  };

  #tell(handle: Handle): void {
    this.#telling = true;
    const { owner } = this;
    try {
      if (owner === null) handle.reset();
      else this.runInAsyncScope(() => owner._onConnection(handle));
    } catch (error) {
      rethrow(error);
    }
    handle.goLive();
    void RESOLVED.then(() => process.nextTick(tellNext, this));
  }

  /** The next tick after a connection was told of. */
  next(): void {
    this.#telling = false;
    const handle = this.#ready.shift();
    if (handle !== undefined) this.#tell(handle);
  }

  getsockname(out: SocketName): void {
    if (this.#listener === null || this.isPipe) return;
    out.address = this.#listener.address;
    out.family = 'IPv4';
    out.port = this.#listener.port;
  }

  /** Stops listening; `done` is called later. */
  close(done?: () => void): void {
    this.#listener?.close();
    this.#listener = null;
    this.owner = null;
    for (const handle of this.#ready.splice(0)) handle.reset();
    this.#updateHold();
    if (done !== undefined) closings(this.transport.runtime).add(done);
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
    return this.#referenced && this.#listener !== null;
  }

  getAsyncId(): number {
    return this.asyncId();
  }

  #updateHold(): void {
    const wanted = this.#listener !== null && this.#referenced;
    if (wanted === this.#held) return;
    this.#held = wanted;
    if (wanted) this.transport.hold();
    else this.transport.release();
  }
}

function tellNext(handle: ServerHandle): void {
  handle.next();
}
