import { http } from '../services/http.js';
import { Iperf3Server, PORT, type TestEnd } from '../services/iperf3.js';
import type { NetModule, ServiceServer, ServiceSocket } from '../services/module.js';
import { chargen, daytime, discard, echo } from '../services/simple.js';
import type { Recorder } from '../stack/recorder.js';

export interface ServiceOptions {
  recorder: Recorder;
  dir: string | null;
  httpPort: number;
  /** Default true. All connections of a test have to come to the same server. */
  iperf3?: boolean;
  /** Hears of each connection that is accepted, and of its end. */
  watch?: (event: 'opened' | 'closed', service: string, peer: Peer) => void;
  /** Hears of each test of iperf3 that is over. */
  onTest?: (end: TestEnd) => void;
}

type Peer = Pick<ServiceSocket, 'remoteAddress' | 'remotePort'>;

export interface RunningServices {
  /** Name and port of each. */
  readonly ports: Readonly<Record<string, number>>;
  /** Takes no more connections. */
  close(): void;
}

/** Starts all services in this turn of the event loop; settles when they listen. */
export async function startServices(
  net: NetModule,
  options: ServiceOptions,
): Promise<RunningServices> {
  const services: [string, number, (net: NetModule) => ServiceServer][] = [
    ['echo', 7, echo],
    ['discard', 9, discard],
    ['daytime', 13, (module) => daytime(module)],
    ['chargen', 19, chargen],
    ['iperf3', PORT, (module) => new Iperf3Server(module, options)],
    ['http', options.httpPort, (module) => http(module, options)],
  ];
  const wanted = services.filter(([name]) => name !== 'iperf3' || options.iperf3 !== false);
  const ports: Record<string, number> = {};
  const servers = wanted.map(([name, port, service]) => {
    ports[name] = port;
    return { server: service(watched(net, name, options.watch)), port };
  });
  await Promise.all(servers.map(({ server, port }) => listening(server, port)));
  return {
    ports,
    close: () => {
      for (const { server } of servers) server.close();
    },
  };
}

function listening(server: ServiceServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, resolve);
  });
}

function watched(net: NetModule, service: string, watch: ServiceOptions['watch']): NetModule {
  if (watch === undefined) return net;
  return {
    createServer: (options, connection) =>
      net.createServer(options, (socket) => {
        // A closed socket has no addresses any more.
        const peer = { remoteAddress: socket.remoteAddress, remotePort: socket.remotePort };
        watch('opened', service, peer);
        socket.once('close', () => watch('closed', service, peer));
        connection(socket);
      }),
  };
}
