import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { drive, listen } from './drive.mjs';

let connections = 0;

async function answer(request, response) {
  const { socket, url, method } = request;
  socket.number ??= ++connections;
  response.setHeader('x-connection', socket.number);
  if (url === '/sum') {
    const hash = createHash('sha256');
    for await (const chunk of request) hash.update(chunk);
    response.setHeader('trailer', 'x-length');
    response.write('sum ');
    response.addTrailers({ 'x-length': String(socket.bytesRead > 0) });
    return response.end(hash.digest('hex'));
  }
  if (url === '/slow') await new Promise(setImmediate);
  if (url === '/peer') return response.end(socket.remoteAddress);
  return response.end(`${method} ${url}`);
}

function server(host) {
  const web = http.createServer(answer);
  web.on('checkContinue', (request, response) => {
    if (request.headers['x-refuse']) return response.writeHead(417).end();
    response.writeContinue();
    return answer(request, response);
  });
  web.on('upgrade', (_request, socket, head) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n',
    );
    socket.write(head);
    socket.pipe(socket);
  });
  return listen(web, host);
}

async function ask(options, ...body) {
  const request = http.request(options);
  for (const each of body) request.write(each);
  request.end();
  const [response] = await once(request, 'response');
  return {
    status: response.statusCode,
    text: await text(response),
    connection: Number(response.headers['x-connection']),
    trailers: response.trailers,
  };
}

async function keepAlive(to) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const answers = [];
  for (const path of ['/a', '/b', '/c']) answers.push(await ask({ ...to, path, agent }));
  const free = Object.values(agent.freeSockets).flat().length;
  agent.destroy();
  const sameConnection = new Set(answers.map(({ connection }) => connection)).size === 1;
  return { texts: answers.map((each) => each.text), sameConnection, free };
}

async function manyByTwo(to) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const asked = Array.from({ length: 8 }, () => ask({ ...to, path: '/slow', agent }));
  const answers = await Promise.all(asked);
  agent.destroy();
  return new Set(answers.map(({ connection }) => connection)).size;
}

async function pipelined(to) {
  const socket = net.connect(to);
  const line = (path, last = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${last}\r\n`;
  socket.write(line('/1') + line('/2') + line('/3', 'connection: close\r\n'));
  return (await text(socket)).match(/GET \/\d/g);
}

async function chunkedBothWays(to) {
  const piece = 'x'.repeat(100_000);
  const pieces = Array.from({ length: 20 }, () => piece);
  const { text: sum, trailers } = await ask({ ...to, path: '/sum', method: 'POST' }, ...pieces);
  const expected = createHash('sha256').update(pieces.join('')).digest('hex');
  return { right: sum === `sum ${expected}`, trailers };
}

async function expectContinue(to, headers = {}) {
  const expecting = { ...headers, expect: '100-continue', 'content-length': 4 };
  const request = http.request({ ...to, path: '/sum', method: 'POST', headers: expecting });
  request.flushHeaders();
  let continued = false;
  request.on('continue', () => {
    continued = true;
    request.end('body');
  });
  const [response] = await once(request, 'response');
  response.resume();
  await once(response, 'end');
  request.destroy();
  return { continued, status: response.statusCode };
}

async function upgrade(to) {
  const headers = { connection: 'upgrade', upgrade: 'echo' };
  const request = http.request({ ...to, headers }).end();
  const [response, socket] = await once(request, 'upgrade');
  socket.end('spoken over the socket itself');
  return { status: response.statusCode, echoed: await text(socket) };
}

async function refused() {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  const [error] = await once(http.get({ host: '127.0.0.1', port }), 'error');
  return { code: error.code, syscall: error.syscall, address: error.address };
}

async function client(host, port) {
  const to = { host, port };
  return {
    peer: (await ask({ ...to, path: '/peer', agent: false })).text,
    keepAlive: await keepAlive(to),
    connectionsOfAgent: await manyByTwo(to),
    pipelined: await pipelined(to),
    chunked: await chunkedBothWays(to),
    continued: await expectContinue(to),
    refusedToContinue: await expectContinue(to, { 'x-refuse': '1' }),
    upgraded: await upgrade(to),
    refused: await refused(),
  };
}

await drive({ server, client });
