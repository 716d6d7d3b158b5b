import { spawnSync } from 'node:child_process';
import type { Peer } from './peers.js';
import type { BenchServer, Memory } from './server.js';
import { SOURCES } from './server.js';
import type { Bench, Sample, Suite } from './suite.js';
import { less, mainKinds } from './suite.js';

const KEEP_IDLE = 99;
/** Seconds for opening or closing them all. */
const PATIENCE = 120;
/** Connections of one client process, so that it gets by with the files that it may open. */
const PER_PEER = 15_000;
/** Files that a server has open besides its connections. */
const OTHER_FILES = 200;

/** What an idle connection costs the process, and what it leaves behind in TIME_WAIT. */
export const memory: Suite = {
  name: 'memory',
  letter: 'e',
  title: 'memory of the process, per idle connection',
  kinds: (kinds) => mainKinds(kinds).filter((kind) => kind !== 'plain'),
  pairs: ({ pairs }) => Math.min(pairs, 2),
  async run(kind, bench) {
    const counts = bench.settings.quick ? [1_000, 10_000] : [10_000, 100_000];
    const samples: Sample[] = [];
    for (const count of counts) {
      const files = kind === 'node' ? count + OTHER_FILES : undefined;
      if (files === undefined || mayOpen(files)) {
        const options = files === undefined ? {} : { files };
        const measure = (server: BenchServer) => withIdle(server, bench, count);
        samples.push(...(await bench.withServer(kind, measure, options)));
      } else {
        bench.say(`a process here may not have ${files} open files, as node:net would need`);
      }
    }
    return samples;
  },
};

function mayOpen(files: number): boolean {
  const { status } = spawnSync('prlimit', [`--nofile=${files}:${files}`, 'true'], {
    stdio: 'ignore',
  });
  return status === 0;
}

async function withIdle(server: BenchServer, bench: Bench, count: number): Promise<Sample[]> {
  const name = count.toLocaleString('en-US');
  // The first of anything costs more than one of it.
  const warm = bench.peers.start('idle-peer', [server.address, KEEP_IDLE, 100, SOURCES]);
  await warm.says('open', PATIENCE);
  await warm.end();
  const before = await server.ask('memory');
  const peers: Peer[] = [];
  try {
    for (let left = count; left > 0; left -= PER_PEER) {
      const part = Math.min(left, PER_PEER);
      const peer = bench.peers.start('idle-peer', [server.address, KEEP_IDLE, part, SOURCES]);
      peers.push(peer);
      await peer.says('open', PATIENCE);
    }
    const open = await settled(server, (idle) => idle >= count);
    await server.ask('closeIdle');
    for (const peer of peers) await peer.says('closed', PATIENCE);
    const closed = await settled(server, (idle) => idle === 0);
    const samples = [
      less(`${name}, RSS`, 'bytes', (open.rss - before.rss) / count),
      less(`${name}, heap and buffers`, 'bytes', (used(open) - used(before)) / count),
    ];
    if (server.kind !== 'node') {
      const left = (used(closed) - used(before)) / count;
      samples.push(less(`${name} in TIME_WAIT, heap and buffers`, 'bytes', left));
    }
    return samples;
  } finally {
    for (const peer of peers) await peer.end();
  }
}

function used({ heapUsed, external }: Memory): number {
  return heapUsed + external;
}

/** The client knows of a connection before the server, and of its end too. */
async function settled(server: BenchServer, when: (idle: number) => boolean): Promise<Memory> {
  const deadline = Date.now() + PATIENCE * 1000;
  for (;;) {
    const idle = await server.ask('idle');
    if (when(idle)) return server.ask('memory');
    if (Date.now() > deadline) throw new Error(`the server still has ${idle} connections`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
