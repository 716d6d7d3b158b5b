import {
  type Connection,
  type ConnectionErrorCode,
  type ConnectionHandler,
  type Listener,
  SILENT_HANDLER,
} from '../../../src/stack/connection.js';
import type { Host } from '../../../src/stack/host.js';
import { strayOctet, streamBytes } from './pattern.js';
import type { CallLine } from './script.js';
import type { Result } from './subject.js';

const OK: Result = { value: 0, name: null };

function failed(name: string): Result {
  return { value: -1, name };
}

/** One descriptor: a socket that is bound, listens or is connected. */
class Descriptor implements ConnectionHandler {
  listener: Listener | null = null;
  readonly waiting: Descriptor[] = [];
  connection: Connection | null = null;
  remotePort = 0;
  error: ConnectionErrorCode | null = null;
  isOver = false;
  written = 0;
  taken = 0;
  isShut = false;
  abortsOnClose = false;
  /** Of the latest chunk, what no call has taken yet. */
  #rest: Uint8Array = new Uint8Array(0);

  established(): void {}
  readable(): void {}
  writable(): void {}
  finished(): void {}
  closed(error: ConnectionErrorCode | null): void {
    this.error = error;
    this.isOver = true;
  }

  get unread(): number {
    return this.#rest.length + (this.connection?.readableLength ?? 0);
  }

  /** As read(2) of a socket that does not block. */
  read(length: number): Result {
    const connection = this.connection;
    if (connection === null) return failed('ENOTCONN');
    const chunks: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0) this.#rest = connection.read() ?? new Uint8Array(0);
      if (this.#rest.length === 0) break;
      const chunk = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(chunk.length);
      missing -= chunk.length;
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    if (strayOctet(bytes, this.taken) >= 0) return failed('EBADDATA');
    this.taken += bytes.length;
    if (bytes.length > 0) return { value: bytes.length, name: null };
    const error = this.takeError();
    if (error !== null) return failed(error);
    return connection.ended || this.isOver ? OK : failed('EAGAIN');
  }

  write(length: number, urgent: boolean): Result {
    const connection = this.connection;
    if (connection === null) return failed('EPIPE');
    const error = this.takeError();
    if (error !== null) return failed(error);
    if (this.isOver || this.isShut) return failed('EPIPE');
    const taken = connection.write(streamBytes(this.written, length), 0, urgent);
    this.written += taken;
    return taken === 0 && length > 0 ? failed('EAGAIN') : { value: taken, name: null };
  }

  takeError(): ConnectionErrorCode | null {
    const error = this.error;
    this.error = null;
    return error;
  }

  close(): void {
    this.listener?.close();
    if (this.connection === null) return;
    if (this.abortsOnClose) this.connection.abort();
    else this.connection.close();
    this.connection.handler = SILENT_HANDLER;
  }
}

/** The system calls of scripts, made of what our host offers: {@link Host} as a transport. */
export class VirtualSockets {
  readonly #descriptors = new Map<string, Descriptor>();
  readonly #host: Host;
  readonly #port: number;
  readonly #peer: { address: string; port(flow: number): number };

  /** @param port our local port, for those who listen and for those who connect */
  constructor(host: Host, port: number, peer: { address: string; port(flow: number): number }) {
    this.#host = host;
    this.#port = port;
    this.#peer = peer;
  }

  call({ name, args, wanted }: CallLine): Result {
    const [fd = '', second = '', third = '', fourth = ''] = args;
    if (name === 'socket') {
      this.#descriptors.set(String(wanted.value?.from), new Descriptor());
      return OK;
    }
    if (name === 'state') return { value: 0, name: this.#state(fd) };
    const socket = this.#descriptors.get(fd);
    if (socket === undefined) return failed('EBADF');
    switch (name) {
      case 'bind':
        return OK;
      case 'listen':
        return this.#listen(socket, Number(second));
      case 'accept':
        return this.#accept(socket, String(wanted.value?.from));
      case 'connect':
        return this.#connect(socket, second);
      case 'read':
        return socket.read(Number(third));
      case 'write':
        return socket.write(Number(third), false);
      case 'send':
        return socket.write(Number(third), fourth.includes('MSG_OOB'));
      case 'shutdown':
        return this.#shutdown(socket, second);
      case 'close':
      case 'abort':
        if (name === 'abort') socket.abortsOnClose = true;
        socket.close();
        this.#descriptors.delete(fd);
        return OK;
      case 'setsockopt':
        return this.#setOption(socket, third, fourth);
      case 'error':
        return { value: 0, name: socket.takeError() };
      case 'unread':
        return { value: socket.unread, name: null };
      case 'cwnd': {
        const { cwnd = 0, sndMss = 1 } = socket.connection?.info() ?? {};
        return { value: Math.floor(cwnd / sndMss), name: null };
      }
      case 'retransmits':
        return { value: socket.connection?.info().retransmits ?? 0, name: null };
      default:
        return failed('ENOSYS');
    }
  }

  #listen(socket: Descriptor, backlog: number): Result {
    try {
      socket.listener = this.#host.listen({ port: this.#port, backlog }, (connection) => {
        const accepted = new Descriptor();
        accepted.connection = connection;
        accepted.remotePort = connection.remotePort;
        accepted.abortsOnClose = socket.abortsOnClose;
        socket.waiting.push(accepted);
        return accepted;
      });
      return OK;
    } catch (error) {
      return failed((error as NodeJS.ErrnoException).code ?? 'EINVAL');
    }
  }

  #accept(socket: Descriptor, fd: string): Result {
    if (socket.listener === null) return failed('EINVAL');
    const accepted = socket.waiting.shift();
    if (accepted === undefined) return failed('EAGAIN');
    this.#descriptors.set(fd, accepted);
    return OK;
  }

  #connect(socket: Descriptor, flow: string): Result {
    if (socket.listener !== null) return failed('EISCONN');
    if (socket.connection !== null) {
      return failed(socket.connection.state.startsWith('SYN_') ? 'EALREADY' : 'EISCONN');
    }
    const remotePort = this.#peer.port(flowNumber(flow));
    try {
      socket.connection = this.#host.connect(
        { remoteAddress: this.#peer.address, remotePort, localPort: this.#port },
        socket,
      );
      socket.remotePort = remotePort;
      return failed('EINPROGRESS');
    } catch (error) {
      return failed((error as NodeJS.ErrnoException).code ?? 'EINVAL');
    }
  }

  #shutdown(socket: Descriptor, how: string): Result {
    if (socket.connection === null || socket.isOver) return failed('ENOTCONN');
    if (how !== 'SHUT_WR') return failed('ENOSYS');
    socket.isShut = true;
    socket.connection.shutdown();
    return OK;
  }

  #setOption(socket: Descriptor, name: string, value: string): Result {
    const [number = 0, second = 0] = (value.match(/\d+/g) ?? []).map(Number);
    const { connection } = socket;
    switch (name) {
      case 'SO_LINGER':
        socket.abortsOnClose = number === 1 && second === 0;
        return OK;
      case 'SO_REUSEADDR':
        return OK;
    }
    if (connection === null) return failed('ENOTCONN');
    if (name === 'SO_KEEPALIVE') connection.setKeepAlive(number !== 0, 0);
    if (name === 'TCP_KEEPIDLE') connection.setKeepAlive(true, number * 1000);
    if (name === 'TCP_NODELAY') connection.setNoDelay(number !== 0);
    if (name === 'TCP_USER_TIMEOUT') connection.setUserTimeout(number);
    if (name === 'IP_TOS') connection.setTypeOfService(number);
    if (name === 'TCP_CONGESTION') {
      const control = /\w+/.exec(value)![0];
      connection.setCongestionControl(control === 'reno' ? 'newreno' : control);
    }
    return OK;
  }

  /** The state of a descriptor, or of a connection by its number (`#2`, or nothing for the first). */
  #state(what: string): string {
    const socket = this.#descriptors.get(what);
    if (socket?.listener) return this.#isOpen(socket.listener.port) ? 'LISTEN' : 'CLOSED';
    const port =
      socket === undefined || what === '' || what.startsWith('#')
        ? this.#peer.port(flowNumber(what))
        : socket.remotePort;
    for (const each of this.#host.connections()) {
      if (each.kind !== 'listener' && each.remotePort === port) return each.state;
    }
    return 'CLOSED';
  }

  #isOpen(port: number): boolean {
    for (const each of this.#host.connections()) {
      if (each.kind === 'listener' && each.localPort === port) return true;
    }
    return false;
  }
}

/** `#2` is 2; anything else the first. */
export function flowNumber(text: string): number {
  return text.startsWith('#') ? Number(text.slice(1)) : 1;
}
