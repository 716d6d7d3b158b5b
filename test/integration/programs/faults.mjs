// A link with faults between our TCP and the kernel's, each sending to the other over a TUN device.
import net from 'node:net';
import { faultsLink, openTun, Stack } from '../../../dist/index.js';
import { report } from './packets.mjs';

const [mode, precise] = process.argv.slice(2);
const BYTES = 500_000;
const pattern = Buffer.alloc(BYTES);
for (let i = 0; i < BYTES; i++) pattern[i] = (i * 7919) >> 3;

const tun = openTun({ hostAddress: '10.7.0.1/24', offload: mode === 'offload' });
const link = faultsLink(tun, {
  seed: 3,
  precise: precise === 'precise',
  both: { delay: 10, rate: 50e6, loss: 0.02, duplicate: 0.01, corrupt: 0.01 },
});
const stack = new Stack({ link, address: '10.7.0.2/24' });

/** Sends back what it gets, and ends when the other does. */
const echo = (socket) => socket.pipe(socket);

/** Whether `socket` gets back what it sends, and the ms that connecting took. */
function converse(connect) {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const chunks = [];
    let connected = 0;
    const socket = connect();
    socket.on('connect', () => {
      connected = performance.now() - start;
      socket.end(pattern);
    });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => resolve({ connected, same: Buffer.concat(chunks).equals(pattern) }));
    socket.on('error', reject);
  });
}

const ours = stack.net.createServer({ allowHalfOpen: true }, echo).listen(7);
const kernels = net.createServer({ allowHalfOpen: true }, echo);
await new Promise((resolve) => kernels.listen(7, '10.7.0.1', resolve));
const toUs = await converse(() => net.connect({ port: 7, host: '10.7.0.2', allowHalfOpen: true }));
const toKernel = await converse(() =>
  stack.net.connect({ port: 7, host: '10.7.0.1', allowHalfOpen: true }),
);
report({
  toUs,
  toKernel,
  offload: link.offload,
  up: link.counters('up'),
  down: link.counters('down'),
});
ours.close();
kernels.close();
stack.close();
