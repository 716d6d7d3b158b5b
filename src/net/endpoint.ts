import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import type { ConnectionInfo } from '../stack/connection.js';
import type { Handle } from './handle.js';

const FAMILY = 'IPv4';

/** What a socket says of itself: its two ends, how far it is, and what has passed through it. */
export abstract class Endpoint extends Duplex {
  connecting = false;
  _handle: Handle | null = null;

  /** The remote end if it was asked for, which outlives the connection as in Node. */
  #peer: AddressInfo | null = null;
  /** The counts of a handle that is no more. */
  #bytesRead = 0;
  #bytesWritten = 0;

  /** Lets go of the handle, and keeps what it has counted. @internal */
  protected _dropHandle(handle: Handle): void {
    this.#bytesRead = handle.bytesRead;
    this.#bytesWritten = handle.bytesWritten;
    this._handle = null;
  }

  /** Before another connection is made. @internal */
  protected _forgetPeer(): void {
    this.#peer = null;
  }

  /** A snapshot of the TCP connection for people and tools; null before and after it. */
  info(): ConnectionInfo | null {
    return this._handle?.connection?.info() ?? null;
  }

  get pending(): boolean {
    return this._handle === null || this.connecting;
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
    return this._handle === null ? undefined : this.writableLength;
  }

  get bytesRead(): number {
    return (this._handle?.bytesRead ?? this.#bytesRead) + 0;
  }

  /** Bytes written, those that wait in the stream included. */
  get bytesWritten(): number {
    const dispatched = this._handle?.bytesWritten ?? this.#bytesWritten;
    return dispatched + this.#undispatched();
  }

  #undispatched(): number {
    if (this._handle !== null && !this.connecting) {
      const state = this as unknown as { writableBuffer?: { chunk: Uint8Array }[] };
      let length = 0;
      for (const { chunk } of state.writableBuffer ?? []) length += chunk.length;
      return length;
    }
    return this.connecting ? this.writableLength : 0;
  }

  address(): AddressInfo | Record<string, never> {
    const connection = this.connecting ? null : this._handle?.connection;
    if (!connection) return {};
    return { address: connection.localAddress, family: FAMILY, port: connection.localPort };
  }

  get localAddress(): string | undefined {
    return this.connecting ? undefined : this._handle?.connection?.localAddress;
  }

  get localPort(): number | undefined {
    return this.connecting ? undefined : this._handle?.connection?.localPort;
  }

  get localFamily(): string | undefined {
    return this.localAddress === undefined ? undefined : FAMILY;
  }

  #peerName(): AddressInfo | null {
    const connection = this.connecting ? null : this._handle?.connection;
    if (connection && this.#peer === null) {
      const { remoteAddress: address, remotePort: port } = connection;
      this.#peer = { address, family: FAMILY, port };
    }
    return this.#peer;
  }

  get remoteAddress(): string | undefined {
    return this.#peerName()?.address;
  }

  get remotePort(): number | undefined {
    return this.#peerName()?.port;
  }

  get remoteFamily(): string | undefined {
    return this.#peerName()?.family;
  }
}
