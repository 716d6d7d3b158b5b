import type { AddressInfo, Socket as NodeSocket } from 'node:net';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { ConnectArguments } from '../net/connect-options.js';
import type { NetModule } from '../net/create-net.js';
import type { Socket } from '../net/socket.js';

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
  connect: typeof tls.connect = tls.connect,
): TLSSocket {
  const { timeout } = options as { timeout?: number };
  if (options.socket) return tieToParent(connect(options, listener));
  const socket = net.connect(connectionOptions(options));
  return overSocket(socket, () => {
    const secure = connect({ ...options, socket: socket as unknown as NodeSocket }, listener);
    if (timeout) secure.setTimeout(timeout);
    return tieToParent(secure);
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

/** The C++ end of a stream in JavaScript, which a `TLSSocket` asks for what it does not do itself. */
interface ParentHandle {
  getpeername?(out: Partial<AddressInfo>): number;
  getsockname?(out: Partial<AddressInfo>): number;
  ref?(): void;
  unref?(): void;
  setNoDelay?(enable: boolean): number;
  setKeepAlive?(enable: boolean, seconds: number): number;
}

/**
 * Over a stream in JavaScript a `TLSSocket` has no addresses, and neither `ref`, `unref`, `setNoDelay`
 * nor `setKeepAlive` reach what is below. This makes them reach a socket of ours.
 */
export function tieToParent(secure: TLSSocket): TLSSocket {
  const { _handle: handle, _parent: socket } = secure as unknown as {
    _handle: { _parent?: ParentHandle } | null;
    _parent?: Partial<Socket>;
  };
  const parent = handle?._parent;
  if (!parent || !socket || parent.getpeername || !('remoteFamily' in socket)) return secure;
  parent.getpeername = (out) => {
    const { remoteAddress: address, remotePort: port, remoteFamily: family } = socket;
    Object.assign(out, { address, port, family });
    return 0;
  };
  parent.getsockname = (out) => {
    const { localAddress: address, localPort: port, localFamily: family } = socket;
    Object.assign(out, { address, port, family });
    return 0;
  };
  parent.ref = () => void socket.ref?.();
  parent.unref = () => void socket.unref?.();
  parent.setNoDelay = (enable) => {
    socket.setNoDelay?.(enable);
    return 0;
  };
  parent.setKeepAlive = (enable, seconds) => {
    socket.setKeepAlive?.(enable, seconds * 1000);
    return 0;
  };
  return secure;
}
