// A server for one connection: reads to the end, and only then sends bytes and ends.
// Arguments: address, port, bytes to send. Says `ready` on stderr, prints { received, sha256 }.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

const [address, port, length] = process.argv.slice(2);
const server = createServer({ allowHalfOpen: true }, (socket) => {
  server.close();
  const hash = createHash('sha256');
  let received = 0;
  socket.on('data', (chunk) => {
    hash.update(chunk);
    received += chunk.length;
  });
  socket.on('end', () => {
    socket.end(Buffer.alloc(Number(length), 'abcdefg'));
    console.log(JSON.stringify({ received, sha256: hash.digest('hex') }));
  });
});
server.listen(Number(port), address, () => console.error('ready'));
