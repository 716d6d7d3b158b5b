import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import type { ConnectionInfo } from '../stack/connection.js';
import { checkCongestionControl } from '../tcp/congestion.js';
import { stem } from './constructible.js';
import type { Handle, SocketName } from './handle.js';

/** A chunk of a stream that takes strings as they are. */
export interface Chunk {
  chunk: Buffer | string;
  encoding: BufferEncoding;
}

function lengthOf({ chunk, encoding }: Chunk): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
}

/** What a socket says of itself: its two ends, how far it is, and what has passed through it. */
export abstract class Endpoint extends stem(Duplex) {
  connecting = false;
  _hadError = false;
  /** A socket around this one: what is active here is active there. */
  _parent: { connecting?: boolean; _unrefTimer?(): void } | null = null;
  _host: string | null = null;
  _closeAfterHandlingError = false;
  _sockname: SocketName | null = null;
  _peername: SocketName | undefined;
  /** What waits for the connection: one write, or those of a `writev`. */
  _pendingData: Buffer | string | readonly Chunk[] | null = null;
  _pendingEncoding = '';

  #handle: Handle | null = null;
  /** Null: the host's. */
  #congestionControl: string | null = null;
  /** The counts of a handle that is no more. */
  #bytesRead = 0;
  #bytesWritten = 0;

  get _handle(): Handle | null {
    return this.#handle;
  }

  set _handle(handle: Handle | null) {
    this.#handle = handle;
    if (this.#congestionControl !== null) handle?.setCongestionControl(this.#congestionControl);
  }

  /**
   * Another congestion control than the host's, now or before connecting, as Linux's TCP_CONGESTION.
   * @throws TypeError (ERR_INVALID_ARG_VALUE) when there is none of this name
   */
  setCongestionControl(name: string): this {
    checkCongestionControl(name);
    this.#congestionControl = name;
    this.#handle?.setCongestionControl(name);
    return this;
  }

  /** Keeps what the handle has counted. @internal */
  protected _keepCounts(handle: Handle): void {
    this.#bytesRead = handle.bytesRead + 0;
    this.#bytesWritten = handle.bytesWritten;
  }

  /** A snapshot of the TCP connection for people and tools; null before and after it. */
  info(): ConnectionInfo | null {
    return this.#handle?.connection?.info() ?? null;
  }

  get pending(): boolean {
    return !this.#handle || this.connecting;
  }

  get _connecting(): boolean {
    return this.connecting;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get bufferSize(): number | undefined {
    return this.#handle ? this.writableLength : undefined;
  }

  get bytesRead(): number {
    return this.#handle ? this.#handle.bytesRead + 0 : this.#bytesRead;
  }

  /** Bytes handed to the connection. */
  get _bytesDispatched(): number {
    return this.#handle ? this.#handle.bytesWritten : this.#bytesWritten;
  }

  /** Bytes written, those that wait in the stream included. */
  get bytesWritten(): number | undefined {
    const state = this as unknown as { writableBuffer?: Chunk[] };
    const waiting = state.writableBuffer;
    if (!waiting) return undefined;
    let length = this._bytesDispatched;
    for (const each of waiting) length += lengthOf(each);
    const data = this._pendingData;
    if (data === null) return length;
    if (typeof data === 'string' || Buffer.isBuffer(data)) {
      return length + lengthOf({ chunk: data, encoding: this._pendingEncoding as BufferEncoding });
    }
    for (const each of data) length += lengthOf(each);
    return length;
  }

  address(): AddressInfo | Record<string, never> {
    return this._getsockname() as AddressInfo;
  }

  _getsockname(): SocketName {
    if (!this.#handle) return {};
    if (this._sockname === null) {
      this._sockname = {};
      this.#handle.getsockname(this._sockname);
    }
    return this._sockname;
  }

  /** The remote end, which outlives the connection if it was asked for, as in Node. */
  _getpeername(): SocketName {
    if (!this.#handle || this.connecting) return this._peername ?? {};
    if (this._peername === undefined) {
      const name: SocketName = {};
      if (!this.#handle.getpeername(name)) return name;
      this._peername = name;
    }
    return this._peername;
  }

  get localAddress(): string | undefined {
    return this._getsockname().address;
  }

  get localPort(): number | undefined {
    return this._getsockname().port;
  }

  get localFamily(): string | undefined {
    return this._getsockname().family;
  }

  get remoteAddress(): string | undefined {
    return this._getpeername().address;
  }

  get remotePort(): number | undefined {
    return this._getpeername().port;
  }

  get remoteFamily(): string | undefined {
    return this._getpeername().family;
  }
}
