import type { Duplex } from 'node:stream';
import type { ConnectionInfo } from '../stack/connection.js';

/** What services need of a socket; `node:net`'s and ours both have it, `info` is ours alone. */
export interface ServiceSocket extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  setNoDelay(on?: boolean): this;
  info?(): ConnectionInfo | null;
}

export interface ServiceServer {
  listen(port: number, listening?: () => void): this;
  close(closed?: (error?: Error) => void): this;
  address(): unknown;
  on(event: 'error', listener: (error: Error) => void): this;
}

/** The part of the shape of `node:net` that services use, so that they run on the kernel's TCP too. */
export interface NetModule {
  createServer(
    options: { allowHalfOpen?: boolean },
    connection: (socket: ServiceSocket) => void,
  ): ServiceServer;
}

/** The same for services that connect. */
export interface ConnectModule {
  connect(options: { host: string; port: number; allowHalfOpen: boolean }): ServiceSocket;
}
