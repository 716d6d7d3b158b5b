// An HTTP server on one stack and a client on another, with a cable in memory between them.
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { createHttpAgent, listen, memoryPair, Stack } from 'tuntcp';

const [a, b] = memoryPair();
const here = new Stack({ link: a, address: '10.7.0.1/24' });
const there = new Stack({ link: b, address: '10.7.0.2/24' });

const server = http.createServer((request, response) => {
  response.end(`${request.socket.remoteAddress} asked for ${request.url}\n`);
});
listen(there.net, server, 80, () => console.log('serving at', server.address()));

const agent = createHttpAgent(here.net, { keepAlive: true });
http.get('http://10.7.0.2/hello', { agent }, async (response) => {
  console.log(response.statusCode, (await text(response)).trim());
  agent.destroy();
  server.close();
});
