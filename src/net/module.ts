/**
 * `tuntcp/net`: a module in the shape of `node:net`, on a host that the process has to itself. It has
 * only the loopback and needs no privileges; it is made when the first socket needs it. In a thread of
 * `startShards` it is that shard's host.
 */

import { createNet } from './create-net.js';
import { defaultHost } from './default-host.js';
import type { Server as NetServer } from './server.js';
import type { Socket as NetSocket } from './socket.js';

const net = createNet(defaultHost);

export const {
  createServer,
  connect,
  createConnection,
  Socket,
  Stream,
  Server,
  isIP,
  isIPv4,
  isIPv6,
  BlockList,
  SocketAddress,
  getDefaultAutoSelectFamily,
  setDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamilyAttemptTimeout,
  _normalizeArgs,
} = net;
export type Socket = NetSocket;
export type Stream = NetSocket;
export type Server = NetServer;
export default net;
