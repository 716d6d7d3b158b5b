import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import * as certificates from './certificates.mjs';
import { drive, listen } from './drive.mjs';

const { ca } = certificates;
const wanted = { ca, servername: 'tuntcp.test' };

function server(host) {
  const options = { ...certificates.server, ALPNProtocols: ['echo', 'greet', 'cut'] };
  const secure = tls.createServer(options, (socket) => {
    socket.on('error', () => {});
    if (socket.alpnProtocol === 'greet') socket.end(`hello ${socket.remoteAddress}`);
    else if (socket.alpnProtocol === 'cut') socket.write('h', () => socket.destroy());
    else socket.pipe(socket);
  });
  secure.on('tlsClientError', () => {});
  return listen(secure, host);
}

const protocol = (name) => ({ ...wanted, ALPNProtocols: [name] });

async function greeted(to) {
  const socket = tls.connect({ ...to, ...protocol('greet') });
  const events = [];
  for (const name of ['connect', 'secureConnect', 'end', 'close']) {
    socket.on(name, () => events.push(name));
  }
  const said = await text(socket);
  if (!socket.closed) await once(socket, 'close');
  return { said, alpn: socket.alpnProtocol, authorized: socket.authorized, events };
}

/** Over a socket that the user has connected; the client ends first, and still gets all. */
async function halfClosed(to) {
  const under = net.connect(to);
  await once(under, 'connect');
  const socket = tls.connect({ ...protocol('echo'), socket: under, allowHalfOpen: true });
  await once(socket, 'secureConnect');
  const { family } = socket.address();
  socket.end('x'.repeat(300_000));
  const { length } = await text(socket);
  return { length, family };
}

async function renegotiated(to) {
  const socket = tls.connect({ ...to, ...protocol('echo'), maxVersion: 'TLSv1.2' });
  await once(socket, 'secureConnect');
  await new Promise((resolve, reject) => {
    const begun = socket.renegotiate({}, (error) => (error ? reject(error) : resolve()));
    if (begun === false) reject(new Error('no renegotiation'));
  });
  socket.end('after it');
  return { version: socket.getProtocol(), said: await text(socket) };
}

/** The server destroys the connection: no close_notify, and an end all the same. */
async function cut(to) {
  const socket = tls.connect({ ...to, ...protocol('cut') });
  socket.on('error', () => {});
  const said = await text(socket).catch(({ code }) => code);
  if (!socket.closed) await once(socket, 'close');
  return said;
}

async function failure(options) {
  const [error] = await once(tls.connect(options), 'error');
  return error.code;
}

async function refused() {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  return failure({ host: '127.0.0.1', port });
}

/** One end of a TLS connection made by hand over each end of a plain one. */
async function byHand(host) {
  const plain = net.createServer((socket) => {
    const secure = new tls.TLSSocket(socket, { isServer: true, ...certificates.server });
    secure.end('by hand');
  });
  const { port, close } = await listen(plain, host);
  const said = await text(tls.connect({ host, port, ...wanted }));
  await close();
  return said;
}

async function client(host, port) {
  const to = { host, port };
  return {
    greeted: await greeted(to),
    halfClosed: await halfClosed(to),
    renegotiated: await renegotiated(to),
    cut: await cut(to),
    noProtocol: await failure({ ...to, ...protocol('other') }),
    untrusted: await failure({ ...to }),
    refused: await refused(),
    byHand: await byHand('127.0.0.1'),
  };
}

await drive({ server, client });
