import type { SocketOptions } from './socket-options.js';

/** `onread` of a socket: received bytes are copied into a buffer of the user's. */
export interface OnRead {
  buffer: Uint8Array | (() => Uint8Array);
  /** False stops reading. */
  callback(length: number, buffer: Uint8Array): boolean | undefined;
}

/** The user's `onread`, called on the socket. */
export class ReadSink {
  readonly #socket: unknown;
  readonly #onread: OnRead;
  #buffer: Uint8Array | null = null;

  constructor(socket: unknown, onread: OnRead) {
    this.#socket = socket;
    this.#onread = onread;
  }

  /** Before the first read of a handle, and after each: a function is asked for the next buffer. */
  prepare(): void {
    const { buffer } = this.#onread;
    const next = typeof buffer === 'function' ? buffer() : buffer;
    if (next instanceof Uint8Array) this.#buffer = next;
  }

  /** Copies what there is room for, and gives its length; 0 when there is none at all. */
  take(chunk: Uint8Array): number {
    const buffer = this.#buffer;
    // As in Node: a function that has given no buffer loses what was received.
    if (buffer === null) return chunk.length;
    const length = Math.min(buffer.length, chunk.length);
    buffer.set(chunk.subarray(0, length));
    return length;
  }

  /** Tells the user of `length` bytes; false to read no more for now. */
  tell(length: number): boolean {
    const more = this.#onread.callback.call(this.#socket, length, this.#buffer!) !== false;
    if (typeof this.#onread.buffer === 'function') this.prepare();
    return more;
  }
}

/** Null when there is no `onread` that can be used. */
export function readSink(socket: unknown, options: SocketOptions): ReadSink | null {
  const { onread } = options;
  if (onread === null || typeof onread !== 'object') return null;
  const { buffer, callback } = onread;
  if (typeof callback !== 'function') return null;
  if (!(buffer instanceof Uint8Array) && typeof buffer !== 'function') return null;
  return new ReadSink(socket, onread);
}
