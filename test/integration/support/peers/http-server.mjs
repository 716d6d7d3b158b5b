// A kernel-side HTTP server: GET / says hello, POST answers with length and SHA-256 of the body.
// Arguments: address and port. Prints `ready`.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const [address, port] = process.argv.slice(2);
createServer((request, response) => {
  if (request.method !== 'POST') return response.end('hello\n');
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (chunk) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => response.end(JSON.stringify({ length, sha256: hash.digest('hex') })));
}).listen(Number(port), address, () => console.log('ready'));
