import { isIP, type Socket as NodeSocket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type Connector, connectTls } from './tls.js';

/** What `undici` tells the function that it wants a connection from. */
export interface UndiciConnectOptions {
  hostname: string;
  protocol: string;
  port: string | number;
  servername?: string | null;
  localAddress?: string | null;
  /** A connection through a proxy, over which TLS is to be spoken. */
  httpSocket?: NodeSocket;
}

export type UndiciCallback = (...args: [error: Error, socket: null] | [null, NodeSocket]) => void;
export type UndiciConnector = (options: UndiciConnectOptions, callback: UndiciCallback) => void;

export interface UndiciConnectorOptions extends ConnectionOptions {
  /** ms of silence until a connection and its TLS handshake are given up; 0: never. Default 10,000. */
  timeout?: number;
  /** Offer HTTP/2 by ALPN; the client needs `allowH2` too. */
  allowH2?: boolean;
}

/**
 * The `connect` option of `undici`'s clients, with connections of `net`:
 * `new Agent({ connect: createUndiciConnector(net) })`. That agent is the `dispatcher` of a `fetch`.
 *
 * @param options of `tls.connect` for `https:`, such as `ca`
 */
export function createUndiciConnector(
  net: Connector,
  options: UndiciConnectorOptions = {},
): UndiciConnector {
  const { timeout = 10_000, allowH2 = false, ...tlsOptions } = options;
  return (wanted, callback) => {
    const secure = wanted.protocol === 'https:';
    const host = wanted.hostname.replace(/^\[(.*)\]$/, '$1');
    const port = Number(wanted.port) || (secure ? 443 : 80);
    const common = { host, port, localAddress: wanted.localAddress ?? undefined, noDelay: true };
    const socket = secure
      ? connectTls(net, {
          ALPNProtocols: allowH2 ? ['http/1.1', 'h2'] : ['http/1.1'],
          servername: wanted.servername || (isIP(host) ? undefined : host),
          ...tlsOptions,
          ...common,
          socket: wanted.httpSocket,
        })
      : (net.connect(common) as unknown as NodeSocket);
    const late = (): void => {
      const error = new Error(`connect ETIMEDOUT ${host}:${port} (after ${timeout} ms)`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect' }));
    };
    const done = (error: Error | null): void => {
      socket.off('error', done).off('timeout', late).setTimeout(0);
      if (error) callback(error, null);
      else callback(null, socket);
    };
    if (timeout > 0) socket.setTimeout(timeout).once('timeout', late);
    socket.once('error', done).once(secure ? 'secureConnect' : 'connect', () => done(null));
  };
}
