import type { Link } from '../link/link.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Trace } from '../tcp/trace.js';
import type {
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from './connection.js';

/** The declaration that the socket layer is written against; `host.ts` takes its place. */
export interface HostOptions {
  link?: Link;
  address?: string | string[];
  runtime?: Runtime;
  trace?: Trace | null;
}

export class Host implements Transport {
  constructor(options?: HostOptions);
  readonly runtime: Runtime;
  listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Listener;
  connect(options: ConnectOptions, handler: ConnectionHandler): Connection;
  hold(): void;
  release(): void;
  close(): void;
}
