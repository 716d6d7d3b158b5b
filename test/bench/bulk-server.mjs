// One server for both: `bulk-server.mjs node|ours|ours-plain ADDRESS BYTES`, on node:net or on ours.
// Port 9 takes what comes, port 19 sends BYTES and ends. Says `ready`; ends with its standard input.
import nodeNet from 'node:net';

const [, , kind, address, bytes] = process.argv;
const block = Buffer.alloc(256 * 1024, 'x');

async function netOf(kind) {
  if (kind === 'node') return nodeNet;
  const { openTun, Stack } = await import('../../dist/index.js');
  const link = openTun({ hostAddress: '10.7.0.1/24', offload: kind === 'ours' });
  return new Stack({ link, address: `${address}/24` }).net;
}

function discard(socket) {
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
}

function send(socket) {
  let left = Number(bytes);
  const pump = () => {
    while (left > 0) {
      const length = Math.min(left, block.length);
      left -= length;
      if (!socket.write(length < block.length ? block.subarray(0, length) : block)) return;
    }
    socket.end();
  };
  socket.on('drain', pump);
  socket.on('error', () => socket.destroy());
  socket.resume();
  pump();
}

const net = await netOf(kind);
net.createServer(discard).listen(9, address);
net.createServer(send).listen(19, address, () => console.log('ready'));
process.stdin.on('end', () => process.exit(0)).resume();
