/** A kind of hostile traffic, as test/bench/flood-peer.c names it. */
export interface Flood {
  kind: string;
  what: string;
  /** Where it goes. */
  port: number;
  /** It needs connections. */
  connects: boolean;
  /** The settings and limits that bound it. */
  limit: string;
}

export const FLOODS: readonly Flood[] = [
  {
    kind: 'syn',
    what: 'SYNs from addresses that never answer',
    port: 80,
    connects: false,
    limit: 'backlog, synCookies',
  },
  {
    kind: 'ack',
    what: 'bare ACKs of no connection',
    port: 80,
    connects: false,
    limit: 'nothing is kept',
  },
  {
    kind: 'rst',
    what: 'RSTs with guessed ports and numbers of real clients',
    port: 80,
    connects: false,
    limit: 'nothing is kept',
  },
  {
    kind: 'fragments',
    what: 'first fragments of datagrams that never become complete',
    port: 80,
    connects: false,
    limit: '4 MiB, 256 datagrams, 30 s',
  },
  {
    kind: 'halfopen',
    what: 'connections whose peer is silent after the handshake',
    port: 80,
    connects: true,
    limit: 'maxConnections',
  },
  {
    kind: 'holes',
    what: 'every second segment, so that nothing can be delivered',
    port: 80,
    connects: true,
    limit: 'receiveBuffer, maxMemory',
  },
  {
    kind: 'unread',
    what: 'data to an application that never reads',
    port: 9,
    connects: true,
    limit: 'receiveBuffer, maxMemory',
  },
  {
    kind: 'zerowindow',
    what: 'downloads whose window stays shut',
    port: 19,
    connects: true,
    limit: 'sendBuffer, maxMemory',
  },
  {
    kind: 'trickle',
    what: 'a request that arrives a byte at a time',
    port: 80,
    connects: true,
    limit: 'maxConnections',
  },
];
