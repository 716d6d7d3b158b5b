import { EventEmitter } from 'node:events';
import {
  BlockList,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  SocketAddress,
} from 'node:net';
import { Duplex } from 'node:stream';
import type { Transport } from '../stack/connection.js';
import { clientSocket } from './channels.js';
import type {
  AutoSelectFamily,
  ConnectArguments,
  ConnectListener,
  Normalized,
} from './connect-options.js';
import { normalizeArguments, validateAttemptTimeout } from './connect-options.js';
import { constructible } from './constructible.js';
import { NODE_MAJOR } from './node-version.js';
import type { ConnectionListener, ServerOptions } from './server.js';
import { Server } from './server.js';
import { Socket } from './socket.js';
import type { SocketOptions } from './socket-options.js';
import { validateBoolean } from './validate.js';

/** `connect` and `createConnection`: Node's forms. */
export interface Connect {
  (options: ConnectArguments & { timeout?: number }, listener?: ConnectListener): Socket;
  (port: number | string, host: string, listener?: ConnectListener): Socket;
  (port: number | string, listener?: ConnectListener): Socket;
}

/** A class that may be called without `new`. */
export interface SocketConstructor {
  new (options?: SocketOptions): Socket;
  (options?: SocketOptions): Socket;
}

/** A class that may be called without `new`. */
export interface ServerConstructor {
  new (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
  (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
}

/** What `node:net` exports, on a host of ours. */
export interface NetModule {
  createServer(options?: ServerOptions, listener?: ConnectionListener): Server;
  createServer(listener: ConnectionListener): Server;
  connect: Connect;
  createConnection: Connect;
  Socket: SocketConstructor;
  /** The same class as `Socket`. */
  Stream: SocketConstructor;
  Server: ServerConstructor;
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
  _normalizeArgs(args: unknown[]): Normalized;
}

/**
 * A module in the shape of `node:net` on `transport`, which may be given as a function that makes it
 * on first use.
 */
export function createNet(transport: Transport | (() => Transport)): NetModule {
  let host = typeof transport === 'function' ? null : transport;
  const get = (): Transport => (host ??= (transport as () => Transport)());
  const defaults: AutoSelectFamily = {
    enabled: getDefaultAutoSelectFamily(),
    attemptTimeout: getDefaultAutoSelectFamilyAttemptTimeout(),
  };
  const classes = bind(get, defaults);
  const connect = (...args: unknown[]): Socket => {
    const normalized = normalizeArguments(args);
    const [options] = normalized;
    const socket = new classes.Socket(options as SocketOptions);
    if (NODE_MAJOR < 22) clientSocket.publish({ socket });
    if (options.timeout) socket.setTimeout(options.timeout as number);
    return socket.connect(normalized);
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
    ...autoSelectFamily(defaults),
    _normalizeArgs: normalizeArguments,
  };
}

type Classes = Pick<NetModule, 'Socket' | 'Server'>;

function bind(get: () => Transport, defaults: AutoSelectFamily): Classes {
  class BoundSocket extends Socket {
    override get _transport(): Transport {
      return get();
    }
    override get _autoSelectFamily(): AutoSelectFamily {
      return defaults;
    }
  }
  const socketClass = constructible(BoundSocket, 'Socket', Duplex);
  class BoundServer extends Server {
    override get _transport(): Transport {
      return get();
    }
    override get _Socket(): typeof BoundSocket {
      return socketClass;
    }
  }
  const serverClass = constructible(BoundServer, 'Server', EventEmitter);
  return {
    Socket: socketClass as unknown as SocketConstructor,
    Server: serverClass as unknown as ServerConstructor,
  };
}

/** Node's settings of what {@link AutoSelectFamily} is unless `connect` says otherwise. */
function autoSelectFamily(defaults: AutoSelectFamily) {
  return {
    getDefaultAutoSelectFamily: () => defaults.enabled,
    setDefaultAutoSelectFamily: (value: boolean) => {
      defaults.enabled = validateBoolean(value, 'value');
    },
    getDefaultAutoSelectFamilyAttemptTimeout: () => defaults.attemptTimeout,
    setDefaultAutoSelectFamilyAttemptTimeout: (value: number) => {
      defaults.attemptTimeout = validateAttemptTimeout(value, 'value');
    },
  };
}
