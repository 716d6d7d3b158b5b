import { Socket as KernelSocket, type Socket as NodeSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions, TLSSocket, connect as tlsConnect } from 'node:tls';
import type { ConnectArguments } from '../net/connect-options.js';
import type { NetModule } from '../net/create-net.js';
import type { Socket } from '../net/socket.js';
import { reachThroughStreams } from './stream-handle.js';

export type Connector = Pick<NetModule, 'connect'>;

/** Of the options of `tls.connect`, those that are about the connection below. */
const CONNECTION_OPTIONS = [
  'host',
  'port',
  'family',
  'hints',
  'lookup',
  'localAddress',
  'localPort',
  'allowHalfOpen',
  'noDelay',
  'keepAlive',
  'keepAliveInitialDelay',
  'autoSelectFamily',
  'autoSelectFamilyAttemptTimeout',
] as const;

/** The options of a connection that `options`, for TLS or HTTP, contain. */
export function connectionOptions(options: object): ConnectArguments {
  const given = options as Record<string, unknown>;
  const picked: Record<string, unknown> = {};
  for (const name of CONNECTION_OPTIONS) {
    if (given[name] !== undefined && given[name] !== null) picked[name] = given[name];
  }
  return picked as ConnectArguments;
}

/**
 * `tls.connect(options, listener)` over a socket of `net`.
 *
 * @param options as Node's; `socket`, if there is one, is used instead of a new connection
 * @param connect stands in for `tls.connect`
 */
export function connectTls(
  net: Connector,
  options: ConnectionOptions,
  listener?: () => void,
  connect: typeof tlsConnect = process.getBuiltinModule('node:tls').connect,
): TLSSocket {
  reachThroughStreams();
  const { socket: given } = options;
  if (given) return endsAbove(connect(options, listener), given);
  const { timeout } = options as { timeout?: number };
  const socket = net.connect(connectionOptions(options));
  return overSocket(socket, () => {
    const secure = connect({ ...options, socket: socket as unknown as NodeSocket }, listener);
    if (timeout) secure.setTimeout(timeout);
    return connectsWith(secure, socket);
  });
}

/** What `make` makes over `socket`, which does not outlive a failure of that. */
export function overSocket<T>(socket: Socket, make: () => T): T {
  try {
    return make();
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  }
}

/**
 * Leaves it to `secure` when `socket`, over which it is, ends: TLS may have a last thing to say when
 * the peer has ended, which Node writes past the socket.
 */
export function endsAbove<T>(secure: T, socket: Duplex): T {
  if ('resetAndDestroy' in socket && !(socket instanceof KernelSocket)) socket.allowHalfOpen = true;
  return secure;
}

/** Gives `secure` the state and the events that it has in Node when it made its connection itself. */
export function connectsWith(secure: TLSSocket, socket: Socket): TLSSocket {
  endsAbove(secure, socket);
  const state = secure as { connecting: boolean };
  state.connecting = true;
  socket.once('connect', () => {
    state.connecting = false;
    secure.emit('connect');
    secure.emit('ready');
  });
  return secure;
}
