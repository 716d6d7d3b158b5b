import { getDefaultHighWaterMark } from 'node:stream';
import type { Alarm, Runtime } from '../../../src/runtime/runtime.js';
import {
  type Connection,
  type ConnectionErrorCode,
  type ConnectionHandler,
  type ConnectionInfo,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  SILENT_HANDLER,
  type Transport,
} from '../../../src/stack/connection.js';
import type { StateName } from '../../../src/tcp/state.js';

/**
 * Bytes that a send buffer and a receive buffer hold: twice what makes a stream full, which depends
 * on the version of Node.js.
 */
const SEND_BUFFER = 2 * getDefaultHighWaterMark(false);
const RECEIVE_BUFFER = 2 * getDefaultHighWaterMark(false);

/** One end of an in-memory connection with bounded buffers; delivery takes a turn of the loop. */
export class FakeConnection implements Connection {
  handler: ConnectionHandler;
  peer!: FakeConnection;
  state: StateName = 'ESTABLISHED';
  congestionControl: string | null = null;
  noDelay = false;
  typeOfService = 0;
  readonly urgentLength = 0;
  keepAlive: number | null = null;
  #sendBuffer: Uint8Array[] = [];
  #sendLength = 0;
  #receiveBuffer: Uint8Array[] = [];
  readableLength = 0;
  #finSent = false;
  #finQueued = false;
  #finReceived = false;
  #wantsRoom = false;
  #scheduled = false;
  #dead = false;
  #deaf = false;

  constructor(
    handler: ConnectionHandler,
    readonly localAddress: string,
    readonly localPort: number,
    readonly remoteAddress: string,
    readonly remotePort: number,
  ) {
    this.handler = handler;
  }

  get unacknowledged(): number {
    return this.#sendLength;
  }

  get ended(): boolean {
    return this.#finReceived && this.readableLength === 0;
  }

  write(bytes: Uint8Array, offset = 0): number {
    if (this.#dead || this.#finQueued) throw new Error('write on a connection that is done');
    const left = bytes.length - offset;
    const taken = Math.min(left, SEND_BUFFER - this.#sendLength);
    if (taken > 0) this.#sendBuffer.push(Buffer.from(bytes.subarray(offset, offset + taken)));
    this.#sendLength += taken;
    if (taken < left) this.#wantsRoom = true;
    this.schedule();
    return taken;
  }

  read(): Uint8Array | null {
    const chunk = this.#receiveBuffer.shift();
    if (chunk === undefined) return null;
    this.readableLength -= chunk.length;
    this.peer.schedule();
    return chunk;
  }

  shutdown(): void {
    this.#finQueued = true;
    this.schedule();
  }

  close(): void {
    this.handler = SILENT_HANDLER;
    this.#deaf = true;
    if (this.readableLength > 0) this.#reset();
    else this.shutdown();
  }

  abort(): void {
    this.handler = SILENT_HANDLER;
    this.#reset();
  }

  #reset(): void {
    if (this.#dead) return;
    this.#dead = true;
    setImmediate(() => this.peer.fail('ECONNRESET'));
  }

  fail(code: ConnectionErrorCode): void {
    if (this.#dead) return;
    this.#dead = true;
    this.handler.closed(code);
  }

  schedule(): void {
    if (this.#scheduled || this.#dead) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#transfer();
    });
  }

  #transfer(): void {
    if (this.#dead || this.peer.#dead) return;
    const { peer } = this;
    let moved = false;
    while (this.#sendBuffer.length > 0 && peer.readableLength < RECEIVE_BUFFER) {
      const chunk = this.#sendBuffer.shift()!;
      this.#sendLength -= chunk.length;
      if (peer.#deaf) {
        peer.#dead = true;
        this.fail('ECONNRESET');
        return;
      }
      peer.#receiveBuffer.push(chunk);
      peer.readableLength += chunk.length;
      moved = true;
    }
    const fin = this.#finQueued && !this.#finSent && this.#sendBuffer.length === 0;
    if (fin) {
      this.#finSent = true;
      peer.#finReceived = true;
    }
    if (moved || fin) peer.handler.readable();
    if (moved && this.#wantsRoom && !this.#dead) {
      this.#wantsRoom = false;
      this.handler.writable();
    }
    if (fin) {
      this.handler.finished();
      if (this.#finReceived && peer.#finSent) this.#over();
    }
  }

  #over(): void {
    for (const end of [this, this.peer]) {
      if (end.#dead) continue;
      end.#dead = true;
      end.state = 'CLOSED';
      end.handler.closed(null);
    }
  }

  setTypeOfService(tos: number): void {
    this.typeOfService = tos;
  }

  setUserTimeout(): void {}

  setNoDelay(on: boolean): void {
    this.noDelay = on;
  }

  setCongestionControl(name: string): void {
    this.congestionControl = name;
  }

  setKeepAlive(on: boolean, initialDelay: number): void {
    this.keepAlive = on ? initialDelay : null;
  }

  info(): ConnectionInfo {
    throw new Error('not faked');
  }
}

interface Listening extends Listener {
  accept: (connection: Connection) => ConnectionHandler;
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const runtime: Runtime = {
  now: () => performance.now(),
  random: (length) => new Uint8Array(length),
  defer: (task) => queueMicrotask(task),
  yield: (task) => {
    setImmediate(task);
  },
  alarm(ring): Alarm {
    let timer: NodeJS.Timeout | undefined;
    return {
      set(at) {
        clearTimeout(timer);
        if (at === Infinity) return;
        timer = setTimeout(ring, Math.max(1, at - performance.now())).unref();
      },
      clear() {
        clearTimeout(timer);
      },
    };
  },
  holder: () => ({ hold() {}, release() {} }),
};

/** A host with 127.0.0.1 only, whose connections never lose anything. */
export class FakeTransport implements Transport {
  readonly runtime: Runtime;
  holds = 0;
  readonly connections: FakeConnection[] = [];
  readonly #listeners = new Map<number, Listening>();
  #nextPort = 40_000;

  constructor(over: Partial<Runtime> = {}) {
    this.runtime = { ...runtime, ...over };
  }

  listen(options: ListenOptions, accept: Listening['accept']): Listener {
    const port = options.port || this.#nextPort++;
    const address = options.address ?? '0.0.0.0';
    if (address !== '0.0.0.0' && !address.startsWith('127.')) throw failure('EADDRNOTAVAIL');
    if (this.#listeners.has(port)) throw failure('EADDRINUSE');
    const listener = { address, port, accept, close: () => void this.#listeners.delete(port) };
    this.#listeners.set(port, listener);
    return listener;
  }

  connect(options: ConnectOptions, handler: ConnectionHandler): Connection {
    const { remoteAddress, remotePort, localAddress = '127.0.0.1' } = options;
    if (!localAddress.startsWith('127.')) throw failure('EADDRNOTAVAIL');
    if (!remoteAddress.startsWith('127.')) throw failure('ENETUNREACH');
    const port = options.localPort || this.#nextPort++;
    const near = new FakeConnection(handler, localAddress, port, remoteAddress, remotePort);
    const far = new FakeConnection(SILENT_HANDLER, remoteAddress, remotePort, localAddress, port);
    near.peer = far;
    far.peer = near;
    near.state = 'SYN_SENT';
    this.connections.push(near, far);
    setImmediate(() => {
      const listener = this.#listeners.get(remotePort);
      if (listener === undefined) return near.fail('ECONNREFUSED');
      setImmediate(() => {
        far.handler = listener.accept(far);
        far.handler.established();
      });
      near.state = 'ESTABLISHED';
      near.handler.established();
    });
    return near;
  }

  bindError(address: string): 'EADDRNOTAVAIL' | null {
    return address === '0.0.0.0' || address.startsWith('127.') ? null : 'EADDRNOTAVAIL';
  }

  hold(): void {
    this.holds++;
  }

  release(): void {
    this.holds--;
  }
}
