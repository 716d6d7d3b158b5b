// The victim of scripts/floods: `flood-server.mjs TCP`, with settings of TCP as JSON. On 10.7.0.2 it answers
// HTTP on port 80, sends without end on 19, and on 9 never reads what arrives. Needs an IPC channel, by
// which it says that it is ready and answers questions; it ends with it.
import { openTun, Stack } from '../../dist/index.js';

const link = openTun({ hostAddress: '10.7.0.1/24' });
const stack = new Stack({ link, address: '10.7.0.2/24', tcp: JSON.parse(process.argv[2] ?? '{}') });
const page = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n');
const block = Buffer.alloc(64 * 1024, 'x');

function listen(port, serve) {
  const server = stack.net.createServer({ pauseOnConnect: port !== 80 }, (socket) => {
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  return new Promise((resolve) => server.listen(port, resolve));
}

await listen(80, (socket) => {
  let request = '';
  socket.on('data', (chunk) => {
    request = (request + chunk).slice(-8_192);
    if (request.includes('\r\n\r\n')) socket.end(page);
  });
});
await listen(19, (socket) => {
  const pump = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', pump);
  pump();
});
await listen(9, () => {});

process.on('message', (question) => {
  if (question === 'collect') global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const [, memory] = /^tuntcp_memory_bytes (\d+)$/m.exec(stack.metrics());
  process.send({
    counters: stack.counters.snapshot(),
    connections: stack.host.connectionCount,
    heapUsed,
    external,
    memory: Number(memory),
  });
});
process.on('disconnect', () => process.exit());
process.send({ device: link.name });
