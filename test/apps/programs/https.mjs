import { once } from 'node:events';
import https from 'node:https';
import { buffer, text } from 'node:stream/consumers';
import * as certificates from './certificates.mjs';
import { drive, listen } from './drive.mjs';

const { ca } = certificates;

async function answer(request, response) {
  const { socket } = request;
  if (request.method === 'POST') return request.pipe(response);
  return response.end(
    JSON.stringify({
      authorized: socket.authorized,
      client: socket.getPeerCertificate().subject?.CN ?? null,
      servername: socket.servername,
      family: socket.remoteFamily,
      hasPort: socket.remotePort > 0,
      peer: socket.remoteAddress,
      reused: socket.isSessionReused(),
    }),
  );
}

function server(host) {
  const options = { ...certificates.server, ca, requestCert: true, rejectUnauthorized: false };
  return listen(https.createServer(options, answer), host);
}

async function ask(options, body) {
  const request = https.request({ ca, servername: 'tuntcp.test', ...options });
  request.end(body);
  const [response] = await once(request, 'response');
  return response;
}

const see = async (options) => JSON.parse(await text(await ask(options)));

async function echoed(to) {
  const body = Buffer.alloc(1_500_000, 'tuntcp ');
  return body.equals(await buffer(await ask({ ...to, method: 'POST' }, body)));
}

async function failure(options) {
  const [error] = await once(https.get(options), 'error');
  return error.code;
}

async function sessions(to) {
  const agent = new https.Agent({ maxVersion: 'TLSv1.2' });
  const reused = [];
  for (let i = 0; i < 2; i++) reused.push((await see({ ...to, agent })).reused);
  return reused;
}

async function keepAlive(to) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = [];
  for (let i = 0; i < 3; i++) {
    const response = await ask({ ...to, agent });
    ports.push(response.socket.localPort);
    await text(response);
  }
  // Left open: an idle connection keeps no process running.
  return { connections: new Set(ports).size, hasPort: ports[0] > 0 };
}

async function client(host, port) {
  const to = { host, port };
  const result = {
    plain: await see({ ...to, agent: false }),
    withCertificate: await see({ ...to, ...certificates.client, agent: false }),
    echoed: await echoed({ ...to, agent: false }),
    untrusted: await failure({ ...to, agent: false, ca: [] }),
    otherName: await failure({ ...to, agent: false, ca, servername: 'example.test' }),
    sessions: await sessions(to),
    keepAlive: await keepAlive(to),
  };
  return result;
}

await drive({ server, client });
