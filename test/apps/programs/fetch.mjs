import { once } from 'node:events';
import http from 'node:http';
import { gzipSync } from 'node:zlib';
import { drive, listen } from './drive.mjs';

function answer(request, response) {
  switch (request.url) {
    case '/redirect':
      return response.writeHead(302, { location: '/peer' }).end();
    case '/gzip':
      return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unzipped'));
    case '/never':
      return response.write('the first part');
    case '/peer':
      return response.end(request.socket.remoteAddress);
    default:
      return request.pipe(response);
  }
}

const server = (host) => listen(http.createServer(answer), host);

async function aborted(url) {
  const controller = new AbortController();
  const response = await fetch(`${url}/never`, { signal: controller.signal });
  const reader = response.body.getReader();
  const { value } = await reader.read();
  controller.abort();
  const failed = await reader.read().catch(({ name }) => name);
  return { first: Buffer.from(value).toString(), failed };
}

async function refused(host) {
  const closed = http.createServer().listen(0, host);
  await once(closed, 'listening');
  const { port } = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  return fetch(`http://${host}:${port}/`).catch(({ cause }) => cause.code);
}

async function client(host, port) {
  const url = `http://${host}:${port}`;
  const get = async (path) => (await fetch(url + path)).text();
  const body = { name: 'tuntcp', list: Array.from({ length: 20_000 }, (_, i) => i) };
  const posted = await fetch(`${url}/echo`, { method: 'POST', body: JSON.stringify(body) });
  const streamed = await fetch(`${url}/echo`, {
    method: 'POST',
    body: new Blob(['a stream']).stream(),
    duplex: 'half',
  });
  return {
    peer: await get('/redirect'),
    gzip: await get('/gzip'),
    sameBody: JSON.stringify(await posted.json()) === JSON.stringify(body),
    streamed: await streamed.text(),
    aborted: await aborted(url),
    refused: await refused('127.0.0.1'),
  };
}

await drive({ server, client });
