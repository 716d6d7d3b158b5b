// What runs in each thread of workers.mjs.
import { parentPort, workerData } from 'node:worker_threads';
import net from '../../../dist/net/module.js';
import { shard } from '../../../dist/workers/module.js';

if (workerData?.fails === shard.index) throw new Error(`no luck in shard ${shard.index}`);

const ignore = (socket) => socket.on('error', () => {});

function echo(socket) {
  ignore(socket);
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('end', () => socket.end());
}

/** Byte i is i mod 251, as many as the client's first line says, behind a byte that says who sends. */
function bytes(socket) {
  ignore(socket);
  socket.once('data', (line) => {
    const data = Buffer.alloc(Number(line));
    for (let i = 0; i < data.length; i++) data[i] = i % 251;
    socket.write(Buffer.from([shard.index]));
    socket.end(data);
  });
}

const whoami = net.createServer((socket) => ignore(socket).end(String(shard.index)));
whoami.listen(9);
net.createServer({ allowHalfOpen: true }, echo).listen(7);
net.createServer({ allowHalfOpen: true }, bytes).listen(19);
if (shard.index === 1) net.createServer((socket) => ignore(socket).end('one')).listen(5201);

const ORDERS = {
  /** Opens connections whose other end decides what is said, and echoes it. */
  connect({ host, port, count }) {
    for (let i = 0; i < count; i++) {
      const socket = net.connect({ host, port, allowHalfOpen: true }, () => {
        parentPort.postMessage({ connected: socket.localPort });
      });
      echo(socket);
    }
  },
  exit: () => process.exit(7),
  unlisten: () => whoami.close(() => parentPort.postMessage({ unlistened: true })),
};

parentPort.on('message', ({ order, ...options }) => ORDERS[order](options));
