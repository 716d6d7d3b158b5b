import { DIRECTIONS, GIB, NAME, PORT, WARM_UPS } from './bulk.js';
import { wrk } from './requests.js';
import { type BenchServer, SOURCES } from './server.js';
import type { Bench, Sample, Suite } from './suite.js';
import { less, more, warmUp } from './suite.js';

const CONNECTIONS = 8;
const ECHO = 7;
const CLOSE_AT_ONCE = 13;

/** What many connections do at the same time, on one thread and on several. */
export const cores: Suite = {
  name: 'cores',
  letter: 'i',
  title: 'many connections, on several cores',
  kinds: (kinds) =>
    kinds.includes('workers')
      ? kinds.filter((kind) => kind === 'ours' || kind === 'workers' || kind === 'node')
      : [],
  async run(kind, bench) {
    const samples: Sample[] = [];
    for (const direction of DIRECTIONS) {
      samples.push(...(await bench.withServer(kind, (server) => bulk(server, bench, direction))));
    }
    samples.push(...(await bench.withServer(kind, (server) => small(server, bench))));
    return samples;
  },
};

/** A client process for each connection, so that the clients too may use all cores. */
async function bulk(
  server: BenchServer,
  bench: Bench,
  direction: (typeof DIRECTIONS)[number],
): Promise<Sample[]> {
  const { seconds } = bench.settings;
  const run = (duration: number) =>
    Promise.all(
      Array.from({ length: CONNECTIONS }, () => {
        const args = [server.address, PORT[direction], direction, duration];
        return bench.peers.numbers('bulk-peer', args, duration);
      }),
    );
  await warmUp(bench.settings, WARM_UPS, run);
  const before = await server.cpu();
  const results = await run(seconds);
  const cpu = (await server.cpu()) - before;
  const bytes = results.reduce((sum, [each = 0]) => sum + each, 0);
  const took = Math.max(...results.map(([, each = 0]) => each));
  const client = results.reduce((sum, [, , each = 0]) => sum + each, 0);
  const name = `${NAME[direction]}, ${CONNECTIONS} connections`;
  const samples = [
    more(name, 'Gbit/s', (bytes * 8) / took / 1e9),
    less(`${name}, CPU of the server`, 's/GiB', cpu / (bytes / GIB)),
    less(`${name}, CPU of both`, 's/GiB', (cpu + client) / (bytes / GIB)),
  ];
  if (server.kind === 'workers') samples.push(await handedOver(name, server));
  return samples;
}

async function small(server: BenchServer, bench: Bench): Promise<Sample[]> {
  const { address, kind } = server;
  const { seconds } = bench.settings;
  const { peers } = bench;
  await warmUp(bench.settings, WARM_UPS, (time) => wrk(address, 64, time));
  const before = await server.cpu();
  const duration = Math.max(1, Math.round(seconds));
  const http = await wrk(address, 64, duration);
  const cpu = (await server.cpu()) - before;
  const samples = [
    more('http on 64', '1/s', http.rate),
    less('http on 64, p99', 'µs', http.p99),
    less('http on 64, CPU of the server', 'µs/request', (cpu * 1e6) / (http.rate * duration)),
  ];
  const asking = (duration: number) =>
    peers.numbers('rr-peer', [address, ECHO, 64, 1, duration], duration);
  await warmUp(bench.settings, WARM_UPS, asking);
  const [rate, , p99] = await asking(seconds);
  samples.push(more('1 byte on 64', '1/s', rate!), less('1 byte on 64, p99', 'µs', p99!));
  const opening = (duration: number) =>
    peers.numbers('connect-peer', [address, CLOSE_AT_ONCE, 64, SOURCES, duration], duration);
  await warmUp(bench.settings, WARM_UPS, opening);
  const opened = await opening(seconds);
  samples.push(more('connections, 64 at a time', '1/s', opened[0]!));
  if (kind === 'workers') samples.push(await handedOver('small', server));
  return samples;
}

async function handedOver(name: string, server: BenchServer): Promise<Sample> {
  const { packets, all } = await server.ask('handedOver');
  return less(`${name}, handed over`, 'ppm', (packets / all) * 1e6);
}
