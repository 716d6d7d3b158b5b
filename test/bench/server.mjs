// One server for every stack: `server.mjs KIND ADDRESS MTU`, on node:net (kind `node`) or on ours: `ours`,
// `plain` without offload, `traced` with a recorder, `captured` with a capture to a file, `workers` with a
// shard in a thread for each core, which run this file again. MTU is that of our device. Needs an IPC channel, by which it says that it is ready and answers questions; it ends with it.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import nodeNet from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';
import { Iperf3Server } from '../../dist/services/iperf3.js';

const [, , kind, address, mtu] = process.argv;
const block = Buffer.alloc(256 * 1024, 'x');
const delay = monitorEventLoopDelay({ resolution: 1 });
const idle = new Set();

async function stackOf() {
  if (kind === 'node') return { net: nodeNet, device: 'lo' };
  if (!isMainThread) return { net: (await import('../../dist/net/module.js')).default };
  if (kind === 'workers') return onWorkers();
  const { CaptureFile, captureLink, openTun, Stack } = await import('../../dist/index.js');
  let link = openTun({ hostAddress: '10.7.0.1/24', offload: kind !== 'plain', mtu: Number(mtu) });
  const device = link.name;
  if (kind === 'captured') {
    const path = join(mkdtempSync(join(tmpdir(), 'tuntcp-bench-')), 'bulk.pcapng');
    process.on('exit', () => rmSync(dirname(path), { recursive: true }));
    link = captureLink(link, new CaptureFile(path, { maxBytes: 256 * 1024 * 1024, files: 2 }));
  }
  const { Recorder } = await import('../../dist/stack/recorder.js');
  const trace = kind === 'traced' ? new Recorder() : null;
  return { net: new Stack({ link, address: `${address}/24`, trace }).net, device };
}

async function onWorkers() {
  const { startShards } = await import('../../dist/workers/module.js');
  const shards = await startShards(import.meta.url, {
    hostAddress: '10.7.0.1/24',
    address: `${address}/24`,
    mtu: Number(mtu),
    worker: { argv: [kind, address, mtu] },
  });
  ANSWERS.handedOver = async () => {
    const { shardOutPackets, ipInReceives } = await shards.counters();
    return { packets: shardOutPackets, all: ipInReceives };
  };
  return { net: null, device: shards.device };
}

function discard(socket) {
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
}

function sendForEver(socket) {
  const pump = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', pump);
  socket.on('error', () => socket.destroy());
  socket.resume();
  pump();
}

function echo(socket) {
  socket.setNoDelay(true);
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => socket.destroy());
}

function closeAtOnce(socket) {
  socket.on('error', () => socket.destroy());
  socket.resume();
  socket.end();
}

function keepIdle(socket) {
  idle.add(socket);
  socket.on('close', () => idle.delete(socket));
  socket.on('error', () => socket.destroy());
  socket.on('data', () => {});
}

const web = createServer((_request, response) => response.end('hello\n'));

const SERVICES = [
  [7, echo],
  [9, discard],
  [13, closeAtOnce],
  [19, sendForEver],
  [80, (socket) => web.emit('connection', socket)],
  [99, keepIdle],
];

const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const ANSWERS = {
  cpu: () => process.cpuUsage(),
  // What is garbage is not what a connection costs, nor is the young generation, which V8 gives back at a collection
  // when little was allocated in the five seconds before it: up to 20 MiB are left of opening connections.
  async memory() {
    for (let i = 0; i < 7; i++) {
      globalThis.gc();
      await turn(1000);
    }
    return process.memoryUsage();
  },
  idle: () => idle.size,
  // A few at a time, so that the kernel at the other end has no more closing at once than it may, and that what it
  // sends of them, or all of a timer's tick again, is no more than the queue of a device takes (500 packets).
  async closeIdle() {
    let closing = 0;
    for (const socket of [...idle]) {
      socket.end();
      if (++closing % 200 === 0) await turn(20);
    }
    return null;
  },
  startDelay: () => {
    delay.reset();
    delay.enable();
    return null;
  },
  // ms
  stopDelay: () => {
    delay.disable();
    return { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6 };
  },
};

const { net, device } = await stackOf();
if (net !== null) await serve(net);
if (isMainThread) {
  process.on('message', async ({ id, ask }) => process.send({ id, answer: await ANSWERS[ask]() }));
  process.on('disconnect', () => process.exit(0));
  process.send({ device });
}

async function serve(net) {
  const listening = SERVICES.map(([port, service]) =>
    net
      .createServer({ allowHalfOpen: false }, service)
      .listen({ port, host: address, backlog: 4096 }),
  );
  listening.push(new Iperf3Server(net).listen(5201));
  await Promise.all(
    listening.map((server) => new Promise((resolve) => server.on('listening', resolve))),
  );
}
