import { once } from 'node:events';
import http2 from 'node:http2';
import { Agent, Client, fetch, request, WebSocket } from 'undici';
import { WebSocketServer } from 'ws';
import * as certificates from './certificates.mjs';
import { drive, listen } from './drive.mjs';

const { ca } = certificates;

/** HTTP/1.1 and HTTP/2 over TLS, and WebSockets, on one port. */
function server(host) {
  const options = { ...certificates.server, allowHTTP1: true };
  const web = http2.createSecureServer(options, (request, response) => {
    if (request.method === 'POST') return request.pipe(response);
    return response.end(`${request.socket.remoteAddress} ${request.httpVersion} ${request.url}`);
  });
  const sockets = new WebSocketServer({ server: web });
  sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(`${text}!`)));
  return listen(web, host);
}

async function get(url, dispatcher) {
  const { statusCode, body } = await request(url, { dispatcher });
  return { statusCode, text: await body.text() };
}

async function pipelined(url) {
  const client = new Client(url, { pipelining: 4, connect: { ca } });
  const asked = Array.from({ length: 8 }, async (_, i) => {
    const { body } = await client.request({ path: `/${i}`, method: 'GET' });
    return body.text();
  });
  const texts = await Promise.all(asked);
  await client.close();
  return texts.at(-1);
}

async function webSocket(url, dispatcher) {
  const socket = new WebSocket(url.replace('https:', 'wss:'), { dispatcher });
  await once(socket, 'open');
  socket.send('over undici');
  const [{ data }] = await once(socket, 'message');
  socket.close(1000);
  const [{ code }] = await once(socket, 'close');
  return { data, code };
}

async function client(host, port) {
  const url = `https://${host}:${port}`;
  const agent = new Agent({ connect: { ca } });
  const second = new Agent({ connect: { ca }, allowH2: true });
  const body = 'y'.repeat(700_000);
  const posted = await fetch(`${url}/`, { method: 'POST', body, dispatcher: second });
  const result = {
    first: await get(`${url}/one`, agent),
    second: await get(`${url}/two`, second),
    sameBody: (await posted.text()) === body,
    pipelined: await pipelined(url),
    webSocket: await webSocket(url, agent),
    untrusted: await fetch(url).catch(({ cause }) => cause.code),
  };
  await Promise.all([agent.close(), second.close()]);
  return result;
}

await drive({ server, client });
