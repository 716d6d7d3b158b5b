import type { SocketConstructorOpts } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { coded, invalidArgValue } from './errors.js';
import type { ReadSink } from './handle.js';
import { validateNumber } from './validate.js';

/** Options of `new Socket()`; `fd` is refused, since no kernel has our sockets. */
export interface SocketOptions extends SocketConstructorOpts, Pick<DuplexOptions, 'highWaterMark'> {
  noDelay?: boolean;
  /** Name of a congestion control other than the host's. */
  congestionControl?: string;
  keepAlive?: boolean;
  /** ms before the first keep-alive probe; 0 keeps the host's configuration. */
  keepAliveInitialDelay?: number;
  /** Received bytes are copied into `buffer` and told to `callback`; there is no 'data' then. */
  onread?: ReadSink;
}

/** Throws for options that a socket cannot have. */
export function refuseUnsupported(options: SocketOptions & DuplexOptions): void {
  for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode'] as const) {
    if (options[name]) throw invalidArgValue(`options.${name}`, options[name], 'is not supported');
  }
  if (options.fd !== undefined && options.fd !== null) {
    validateNumber(options.fd, 'fd');
    throw coded(TypeError, 'ERR_INVALID_FD_TYPE', 'Unsupported fd type: TCP');
  }
}

/** The user's `onread`, called on `socket`; null when there is none that can be used. */
export function readSink(socket: unknown, options: SocketOptions): ReadSink | null {
  const { onread } = options;
  if (onread === null || typeof onread !== 'object') return null;
  const { buffer, callback } = onread;
  if (typeof callback !== 'function') return null;
  if (!(buffer instanceof Uint8Array) && typeof buffer !== 'function') return null;
  return { buffer, callback: (length, bytes) => callback.call(socket, length, bytes) };
}
