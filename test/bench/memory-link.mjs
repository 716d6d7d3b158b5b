// Client and server in one process: `memory-link.mjs KIND SECONDS`, over our link in memory with offload
// (`ours`) and without (`plain`), or on node:net over the kernel's loopback (`node`). Prints bit/s of bulk
// transfer, and requests of one byte that were answered per second, one at a time.
import nodeNet from 'node:net';
import { memoryPair, Stack } from '../../dist/index.js';
import { Iperf3Client, Iperf3Server, newCookie } from '../../dist/services/iperf3.js';

const [, , kind, seconds] = process.argv;

function twoHosts() {
  if (kind === 'node') return { client: nodeNet, server: nodeNet, host: '127.0.0.1' };
  const [a, b] = memoryPair({ offload: kind === 'ours', mtu: 1500 });
  const client = new Stack({ link: a, address: '10.7.0.1/24' }).net;
  const server = new Stack({ link: b, address: '10.7.0.2/24' }).net;
  return { client, server, host: '10.7.0.2' };
}

const { client, server, host } = twoHosts();

async function bulk(time) {
  const parameters = {
    ...{ time, omit: 0, bytes: 0, blocks: 0, length: 128 * 1024, parallel: 1, bitrate: 0 },
    ...{ reverse: false, bidir: false, noDelay: false, serverOutput: false },
    ...{ congestion: null, title: null },
  };
  const report = { started() {}, interval() {}, ended() {} };
  const common = { host, port: 5201, interval: 0, connectTimeout: 0 };
  const request = { ...common, parameters, cookie: newCookie(), report };
  const { remote } = await new Iperf3Client(client, request).run();
  const [{ bytes, end }] = remote.streams;
  return (bytes * 8) / end;
}

function requests(time) {
  return new Promise((resolve, reject) => {
    const byte = Buffer.of(1);
    const socket = client.connect({ host, port: 7 });
    let count = 0;
    let start = 0;
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('connect', () => {
      start = performance.now();
      socket.write(byte);
    });
    socket.on('data', () => {
      count++;
      const elapsed = performance.now() - start;
      if (elapsed < time * 1000) socket.write(byte);
      else resolve((count * 1000) / elapsed);
    });
  });
}

const iperf3 = new Iperf3Server(server);
const echo = server.createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => socket.destroy());
});
await new Promise((resolve) => iperf3.listen(5201, resolve));
await new Promise((resolve) => echo.listen(7, resolve));
// Not counted: lets V8 compile.
await bulk(seconds / 4);
const bits = await bulk(Number(seconds));
await requests(seconds / 4);
console.log(JSON.stringify({ bits, requests: await requests(Number(seconds)) }));
process.exit(0);
