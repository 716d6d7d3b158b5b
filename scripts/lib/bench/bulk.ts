import * as path from 'node:path';
import type { Kind } from './kinds.js';
import { ROOT, runCommand } from './peers.js';
import type { BenchServer } from './server.js';
import type { Bench, Sample, Suite } from './suite.js';
import { less, mainKinds, more, warmUp } from './suite.js';

export const GIB = 1024 ** 3;
export const PORT = { up: 9, down: 19 } as const;
type Direction = keyof typeof PORT;
export const DIRECTIONS = ['up', 'down'] as const;
export const NAME = { up: 'client sends', down: 'server sends' } as const;
/** Connections before the one that is measured: after these V8 compiles next to nothing any more. */
export const WARM_UPS = 3;

interface Transfer {
  /** bit/s */
  rate: number;
  bytes: number;
  /** Seconds of CPU of the server, and of the client. */
  server: number;
  client: number;
}

export async function transfer(
  server: BenchServer,
  bench: Bench,
  direction: Direction,
  seconds: number,
): Promise<Transfer> {
  const before = await server.cpu();
  const args = [server.address, PORT[direction], direction, seconds];
  const [bytes = 0, took = 1, client = 0] = await bench.peers.numbers('bulk-peer', args, seconds);
  return { rate: (bytes * 8) / took, bytes, client, server: (await server.cpu()) - before };
}

/** Bulk transfer with a client in C, what it takes of the CPU, and what it leaves to others. */
export const bulk: Suite = {
  name: 'bulk',
  letter: 'f',
  title: 'bulk transfer',
  kinds: (kinds) => kinds.filter((kind) => kind !== 'workers'),
  // A server for each direction: what the one leaves on the heap is the other's garbage.
  async run(kind, bench) {
    const samples: Sample[] = [];
    for (const direction of DIRECTIONS) {
      samples.push(...(await bench.withServer(kind, (server) => oneWay(server, bench, direction))));
    }
    return samples;
  },
};

async function oneWay(server: BenchServer, bench: Bench, direction: Direction): Promise<Sample[]> {
  const { seconds } = bench.settings;
  await warmUp(bench.settings, WARM_UPS, (time) => transfer(server, bench, direction, time));
  const result = await transfer(server, bench, direction, seconds);
  const gib = result.bytes / GIB;
  const name = NAME[direction];
  const samples = [
    more(name, 'Gbit/s', result.rate / 1e9),
    less(`${name}, CPU of the server`, 's/GiB', result.server / gib),
    less(`${name}, CPU of both`, 's/GiB', (result.server + result.client) / gib),
  ];
  if (server.kind === 'bare') return samples;
  // On its own, because watching costs something too.
  await server.ask('startDelay');
  await transfer(server, bench, direction, seconds);
  const { p99 } = await server.ask('stopDelay');
  return [...samples, less(`${name}, event-loop delay p99`, 'ms', p99)];
}

/** Segments carry 64 bytes behind 20 of IPv4, 20 of TCP and 12 of timestamps. */
const SEGMENT = 64;
const SMALL_MTU = SEGMENT + 52;

/**
 * Bulk transfer over a device whose MTU allows segments of 64 bytes alone. With offload they cross our
 * device many at a time, as what stands for them; without, and on the loopback, each on its own.
 */
export const segments: Suite = {
  name: 'segments',
  letter: 'g',
  title: `segments of ${SEGMENT} bytes`,
  kinds: mainKinds,
  run: (kind, bench) =>
    bench.withServer(
      kind,
      async (server) => {
        const samples: Sample[] = [];
        for (const direction of DIRECTIONS) {
          await warmUp(bench.settings, WARM_UPS, (time) =>
            transfer(server, bench, direction, time),
          );
          const { rate } = await transfer(server, bench, direction, bench.settings.seconds);
          samples.push(more(NAME[direction], '1000/s', rate / 8 / SEGMENT / 1000));
        }
        return samples;
      },
      { mtu: SMALL_MTU, loopbackOffload: false },
    ),
};

const LINK_SCRIPT = path.join(ROOT, 'test/bench/memory-link.mjs');

/** Two of our hosts in one process on a link in memory; `node:net` talks to itself in one too. */
export const link: Suite = {
  name: 'link',
  letter: 'h',
  title: 'client and server in one process',
  kinds: mainKinds,
  async run(kind: Kind, bench: Bench) {
    const { seconds } = bench.settings;
    const args = [LINK_SCRIPT, kind, String(seconds)];
    const text = await runCommand(process.execPath, args, 3 * seconds);
    const { bits, requests } = JSON.parse(text) as { bits: number; requests: number };
    return [more('bulk', 'Gbit/s', bits / 1e9), more('1 byte and back', '1/s', requests)];
  },
};
