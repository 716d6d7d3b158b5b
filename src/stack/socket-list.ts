import type { SocketInfo } from './connection.js';

/** Sockets of a host, of which there may be more than one wants to hear of. */
export interface SocketList {
  sockets: SocketInfo[];
  /** So many more connections were left out. */
  omitted: number;
}

/** The sockets of a host, `limit` at most, which are read in one turn of JavaScript. */
export function socketList(
  host: { connections(): Iterable<SocketInfo>; readonly connectionCount: number },
  limit: number,
): SocketList {
  const sockets: SocketInfo[] = [];
  let connections = 0;
  for (const socket of host.connections()) {
    if (sockets.length === limit) break;
    sockets.push(socket);
    if (socket.kind !== 'listener') connections++;
  }
  return { sockets, omitted: host.connectionCount - connections };
}
