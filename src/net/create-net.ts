import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { Transport } from '../stack/connection.js';
import type { ConnectArguments, ConnectListener } from './connect-options.js';
import { normalizeArguments } from './connect-options.js';
import type { ConnectionListener, ServerOptions } from './server.js';
import { Server } from './server.js';
import { Socket } from './socket.js';
import type { SocketOptions } from './socket-options.js';

/** `connect` and `createConnection`: Node's forms for TCP. */
export interface Connect {
  (options: ConnectArguments & { timeout?: number }, listener?: ConnectListener): Socket;
  (port: number | string, host: string, listener?: ConnectListener): Socket;
  (port: number | string, listener?: ConnectListener): Socket;
}

/** What `node:net` exports, on a host of ours. */
export interface NetModule {
  createServer(options?: ServerOptions, listener?: ConnectionListener): Server;
  createServer(listener: ConnectionListener): Server;
  connect: Connect;
  createConnection: Connect;
  Socket: new (options?: SocketOptions) => Socket;
  /** The same class as `Socket`. */
  Stream: new (
    options?: SocketOptions,
  ) => Socket;
  Server: new (
    options?: ServerOptions | ConnectionListener,
    listener?: ConnectionListener,
  ) => Server;
  isIP: typeof isIP;
  isIPv4: typeof isIPv4;
  isIPv6: typeof isIPv6;
  BlockList: typeof BlockList;
  SocketAddress: typeof SocketAddress;
  getDefaultAutoSelectFamily(): boolean;
  setDefaultAutoSelectFamily(value: boolean): void;
  /** ms */
  getDefaultAutoSelectFamilyAttemptTimeout(): number;
  setDefaultAutoSelectFamilyAttemptTimeout(value: number): void;
}

/**
 * A module in the shape of `node:net` on `transport`, which may be given as a function that makes it
 * on first use.
 */
export function createNet(transport: Transport | (() => Transport)): NetModule {
  let host = typeof transport === 'function' ? null : transport;
  const get = (): Transport => (host ??= (transport as () => Transport)());
  const classes = bind(get);
  const connect = (...args: unknown[]): Socket => {
    const [options] = normalizeArguments(args);
    const socket = new classes.Socket(options as SocketOptions);
    if (options.timeout) socket.setTimeout(options.timeout as number);
    return socket.connect(...args);
  };
  return {
    createServer: (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener) =>
      new classes.Server(options, listener),
    connect,
    createConnection: connect,
    ...classes,
    Stream: classes.Socket,
    isIP,
    isIPv4,
    isIPv6,
    BlockList,
    SocketAddress,
    ...autoSelectFamily(),
  };
}

type Classes = Pick<NetModule, 'Socket' | 'Server'>;

function bind(get: () => Transport): Classes {
  const bound = {
    Socket: class extends Socket {
      override get _transport(): Transport {
        return get();
      }
    },
    Server: class extends Server {
      override get _transport(): Transport {
        return get();
      }
      override get _Socket(): Classes['Socket'] {
        return bound.Socket;
      }
    },
  };
  return bound;
}

/** Settings for programs that have them; the host has one address family, so they change nothing. */
function autoSelectFamily() {
  let enabled = true;
  let attemptTimeout = 250;
  return {
    getDefaultAutoSelectFamily: () => enabled,
    setDefaultAutoSelectFamily: (value: boolean) => {
      enabled = value;
    },
    getDefaultAutoSelectFamilyAttemptTimeout: () => attemptTimeout,
    setDefaultAutoSelectFamilyAttemptTimeout: (value: number) => {
      attemptTimeout = Math.max(10, value);
    },
  };
}
