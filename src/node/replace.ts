import http from 'node:http';
import kernel from 'node:net';
import tls from 'node:tls';
import { normalizeArguments } from '../net/connect-options.js';
import { createNet, type NetModule } from '../net/create-net.js';
import { coded } from '../net/errors.js';
import type { Transport } from '../stack/connection.js';
import { isTcp, type Listening, listenStep, ownLocalhost } from './listen.js';
import { reachThroughStreams } from './stream-handle.js';
import { connectTls } from './tls.js';

type KernelNet = typeof kernel;
type Rest = unknown[];

/** `(options, listener)` of what may have been normalized already, as Node does for itself. */
function argumentsOf(args: Rest): ReturnType<typeof normalizeArguments> {
  return normalizeArguments(Array.isArray(args[0]) ? args[0] : args);
}

/**
 * Makes `http`, `https`, `tls`, `http2` and `fetch` open their connections on `transport`. Node's own
 * modules keep the kernel's classes, of which they need the C++ side; what they call is changed:
 * `net.connect`, the last step of `listen`, and `tls.connect`. Unix sockets stay the kernel's.
 *
 * @returns the module for everybody else: ours, with what only Node's has
 */
export function replaceNet(transport: () => Transport): KernelNet {
  reachThroughStreams();
  const ours = createNet(transport);
  replaceConnect(ours);
  kernel.createServer = ours.createServer as unknown as KernelNet['createServer'];
  replaceListen(ours);
  replaceTlsConnect(ours);
  acceptInstances(ours.Socket, kernel.Socket);
  acceptInstances(ours.Server, kernel.Server);
  return { ...kernel, ...ours } as unknown as KernelNet;
}

function replaceConnect(ours: NetModule): void {
  const connect = ours.connect as unknown as KernelNet['connect'];
  const { createConnection } = kernel;
  kernel.connect = connect;
  kernel.createConnection = connect;
  // Up to Node.js 20 the agent has taken the function over; later ones ask for it each time.
  const agent = http.Agent.prototype as unknown as { createConnection: unknown };
  if (agent.createConnection === createConnection) agent.createConnection = connect;

  const prototype = kernel.Socket.prototype as unknown as { connect(...args: Rest): unknown };
  const connectSocket = prototype.connect;
  prototype.connect = function (...args: Rest) {
    if (argumentsOf(args)[0].path) return connectSocket.apply(this, args);
    throw coded(
      TypeError,
      'ERR_METHOD_NOT_IMPLEMENTED',
      "This socket was made from the kernel's net.Socket, which tuntcp/register has replaced; " +
        'use net.connect, new net.Socket or tls.connect',
    );
  };
}

function replaceListen(ours: NetModule): void {
  const prototype = kernel.Server.prototype as unknown as Listening;
  const original = prototype._listen2;
  const { listen } = prototype as { listen(...args: Rest): unknown };
  (prototype as { listen: unknown }).listen = function (...args: Rest) {
    return listen.apply(this, ownLocalhost(args));
  };
  const step = listenStep(ours);
  prototype._listen2 = function (address, port, family, backlog, fd, ...rest: []) {
    const chosen = isTcp(this, family, fd) ? step : original;
    chosen.call(this, address, port, family, backlog, fd, ...rest);
  };
}

function replaceTlsConnect(ours: NetModule): void {
  const original = tls.connect as (...args: Rest) => tls.TLSSocket;
  const connect = (...args: Rest): tls.TLSSocket => {
    const [options, listener] = tlsArguments(args);
    if (options.path && !options.socket) return original(...args);
    return connectTls(ours, options, listener ?? undefined, original as typeof tls.connect);
  };
  tls.connect = connect as typeof tls.connect;
}

/** `tls.connect` takes `(port, host, options)` too, each after `port` if it is there. */
function tlsArguments(
  args: Rest,
): [options: tls.ConnectionOptions & { path?: string }, listener: (() => void) | null] {
  const [options, listener] = normalizeArguments(args);
  const more = args.slice(1, 3).find((each) => typeof each === 'object' && each !== null);
  return [{ ...options, ...more }, listener];
}

/** `instanceof` holds for the objects that Node makes with its own class, too. */
function acceptInstances(Ours: object, Kernel: abstract new (...args: never[]) => object): void {
  const own = (Ours as { [Symbol.hasInstance](value: unknown): boolean })[Symbol.hasInstance];
  Object.defineProperty(Ours, Symbol.hasInstance, {
    configurable: true,
    value(this: unknown, value: unknown): boolean {
      return own.call(this, value) || (this === Ours && value instanceof Kernel);
    },
  });
}
