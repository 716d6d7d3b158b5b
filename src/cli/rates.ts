import type { CountersSnapshot } from '../base/counters.js';
import type { ConnectionInfo, SocketInfo } from '../stack/connection.js';

/** What was seen of a stack at one time. */
export interface Sample {
  /** ms since 1970. */
  at: number;
  /** ms of a clock that nobody sets; rates go by this one. */
  time: number;
  counters: CountersSnapshot;
  sockets: readonly SocketInfo[];
}

export interface ConnectionRate {
  info: ConnectionInfo;
  /** Bytes per second: received, and acknowledged by the peer. */
  in: number;
  out: number;
}

/** Between two samples; everything but {@link connections} is per second. */
export interface Rates {
  bytesIn: number;
  bytesOut: number;
  packetsIn: number;
  packetsOut: number;
  retransmits: number;
  drops: number;
  /** The busiest first. */
  connections: ConnectionRate[];
}

/** Packets and bytes are those of IPv4, headers included; those of a connection are its payload. */
export function ratesBetween(before: Sample, after: Sample): Rates {
  const seconds = Math.max((after.time - before.time) / 1000, 1e-3);
  const rate = (name: Exclude<keyof CountersSnapshot, 'drops'>) =>
    (after.counters[name] - before.counters[name]) / seconds;
  return {
    bytesIn: rate('ipInOctets'),
    bytesOut: rate('ipOutOctets'),
    packetsIn: rate('ipInReceives'),
    packetsOut: rate('ipOutRequests'),
    retransmits: rate('tcpRetransSegs'),
    drops: (dropped(after.counters) - dropped(before.counters)) / seconds,
    connections: connectionRates(before, after, seconds),
  };
}

function dropped({ drops }: CountersSnapshot): number {
  return Object.values(drops).reduce((total, count) => total + count, 0);
}

function connectionRates(before: Sample, after: Sample, seconds: number): ConnectionRate[] {
  const earlier = new Map<string, ConnectionInfo>();
  for (const socket of before.sockets) {
    if (socket.kind === 'connection') earlier.set(keyOf(socket), socket);
  }
  const rates: ConnectionRate[] = [];
  for (const info of after.sockets) {
    if (info.kind !== 'connection') continue;
    const was = earlier.get(keyOf(info));
    rates.push({
      info,
      in: (info.bytesReceived - (was?.bytesReceived ?? 0)) / seconds,
      out: (info.bytesAcked - (was?.bytesAcked ?? 0)) / seconds,
    });
  }
  return rates.sort((a, b) => b.in + b.out - (a.in + a.out));
}

/** The initial sequence number tells apart connections that follow each other on the same ports. */
function keyOf(info: ConnectionInfo): string {
  const { localAddress, localPort, remoteAddress, remotePort, iss } = info;
  return `${localAddress}:${localPort} ${remoteAddress}:${remotePort} ${iss}`;
}
