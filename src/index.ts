export type { Link, LinkReceiver } from './link/link.js';
export type { ConnectArguments, ConnectListener } from './net/connect-options.js';
export type { Connect, NetModule } from './net/create-net.js';
export { createNet } from './net/create-net.js';
export type { SystemError } from './net/errors.js';
export type { ConnectionListener, Server, ServerOptions } from './net/server.js';
export type { Socket, SocketOptions } from './net/socket.js';
export type { StackOptions } from './net/stack.js';
export { Stack } from './net/stack.js';
export type { Alarm, Holder, Runtime } from './runtime/runtime.js';
export type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
  ConnectionInfo,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from './stack/connection.js';
export { Host } from './stack/host.js';
export type { StateName } from './tcp/state.js';
export type { Trace, Traced } from './tcp/trace.js';
