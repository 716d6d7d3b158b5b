// Fetches /bytes/N on the kernel's TCP. Arguments: address, N. Says `begun` when the first MiB is
// there, and prints { bytes, sha256, error } at the end.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';

const [address, count] = process.argv.slice(2);
const hash = createHash('sha256');
let bytes = 0;
let error = null;
let head = '';
const socket = connect(80, address, () => {
  socket.write(`GET /bytes/${count} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`);
});

function take(chunk) {
  if (bytes < 2 ** 20 && bytes + chunk.length >= 2 ** 20) console.log('begun');
  bytes += chunk.length;
  hash.update(chunk);
}

socket.on('data', (chunk) => {
  if (head === null) return take(chunk);
  head += chunk.toString('latin1');
  const end = head.indexOf('\r\n\r\n');
  if (end < 0) return;
  const rest = Buffer.from(head.slice(end + 4), 'latin1');
  head = null;
  take(rest);
});
socket.on('error', ({ code }) => {
  error = code;
});
socket.on('close', () => console.log(JSON.stringify({ bytes, sha256: hash.digest('hex'), error })));
