// Two streams of one HTTP/2 connection, in the clear, on the loopback of a stack.
import http2 from 'node:http2';
import { text } from 'node:stream/consumers';
import { connectHttp2, listen, Stack } from 'tuntcp';

const stack = new Stack();
const server = http2.createServer();
server.on('stream', (stream, headers) => stream.end(`you asked for ${headers[':path']}`));
listen(stack.net, server, 80);

const session = connectHttp2(stack.net, 'http://localhost');
const paths = ['/one', '/two'];
const answers = await Promise.all(paths.map((path) => text(session.request({ ':path': path }))));
console.log(answers.join('\n'));
session.close();
server.close();
