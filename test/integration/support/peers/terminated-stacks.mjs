// Runs a stack in a worker thread, downloads from it over the kernel's TCP, and terminates the worker
// while bytes pass; again and again. Argument: how often. Prints what is left of it.
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Worker } from 'node:worker_threads';

const CODE = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(({ openTun, Stack }) => {
    const link = openTun({ name: 'tunw', hostAddress: '10.7.0.1/24' });
    const { net } = new Stack({ link, address: '10.7.0.2/24' });
    const block = Buffer.alloc(65536);
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      const push = () => { while (socket.write(block)); };
      socket.on('drain', push);
      push();
    });
    server.listen(80, () => parentPort.postMessage('listening'));
  });`;
const workerData = new URL('../../../../dist/index.js', import.meta.url).href;

function tunDescriptors() {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/net/tun';
    } catch {
      return false;
    }
  }).length;
}

const count = Number(process.argv[2]);
for (let i = 0; i < count; i++) {
  const worker = new Worker(CODE, { eval: true, workerData });
  await once(worker, 'message');
  const sockets = [0, 1, 2].map(() => connect(80, '10.7.0.2').on('error', () => {}));
  let bytes = 0;
  await new Promise((resolve) => {
    for (const socket of sockets) {
      socket.on('data', ({ length }) => {
        bytes += length;
        if (bytes > (1 + i) * 2 ** 20) resolve();
      });
    }
  });
  await worker.terminate();
  for (const socket of sockets) socket.destroy();
}
const interfaces = Object.keys(networkInterfaces());
console.log(JSON.stringify({ terminated: count, interfaces, tunDescriptors: tunDescriptors() }));
