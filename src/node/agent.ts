import http from 'node:http';
import type https from 'node:https';
import type { Socket as NodeSocket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectArguments } from '../net/connect-options.js';
import { reachThroughStreams } from './stream-handle.js';
import { type Connector, connectionOptions, connectsWith, overSocket } from './tls.js';

type Created = (error: Error | null, socket: NodeSocket) => void;
type CreateConnection = (options: object, created?: Created) => NodeSocket;

/**
 * An `http.Agent` whose connections are those of `net`: `http.get(url, { agent })`.
 *
 * Note that a request with `agent: false` goes by the kernel, whatever agent is the default.
 */
export function createHttpAgent(net: Connector, options?: http.AgentOptions): http.Agent {
  const agent = new http.Agent(options);
  const createConnection: CreateConnection = (given) =>
    net.connect(given as ConnectArguments) as unknown as NodeSocket;
  return Object.assign(agent, { createConnection });
}

/** As {@link createHttpAgent}, with TLS: `https.get(url, { agent })`. Sessions are reused as in Node. */
export function createHttpsAgent(net: Connector, options?: https.AgentOptions): https.Agent {
  reachThroughStreams();
  const { Agent } = process.getBuiltinModule('node:https');
  const agent = new Agent(options);
  const secure = (Agent.prototype as unknown as { createConnection: CreateConnection })
    .createConnection;
  const createConnection: CreateConnection = (given, created) => {
    const socket = net.connect(connectionOptions(given));
    return overSocket(socket, () => {
      const tlsSocket = secure.call(agent, { ...given, socket }, created) as TLSSocket;
      return connectsWith(tlsSocket, socket);
    });
  };
  return Object.assign(agent, { createConnection });
}
