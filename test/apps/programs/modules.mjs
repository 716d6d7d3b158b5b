// What a program sees of node:net, however it gets at it, and what stays the kernel's.
import cluster from 'node:cluster';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import * as everything from 'node:net';
import net, { connect, createServer, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';

/** Without its `node:`, which is as good. */
const bare = 'net';
const require = createRequire(import.meta.url);
const path = join(tmpdir(), `tuntcp-${process.pid}.sock`);

const ways = {
  default: net,
  namespace: everything,
  named: { connect, createServer, Server, Socket },
  required: require(bare),
  requiredAsNode: require('node:net'),
  imported: await import(bare),
  builtin: process.getBuiltinModule('node:net'),
};
const isOurs = ({ Socket }) => typeof Socket.prototype.info === 'function';

async function unixSocket() {
  const web = http.createServer((_, response) => response.end('by a unix socket'));
  await once(web.listen(path), 'listening');
  const agent = new http.Agent();
  const [response] = await once(http.get({ socketPath: path, agent }), 'response');
  const said = await text(response);
  const raw = net.connect(path);
  await once(raw, 'connect');
  raw.destroy();
  web.close();
  web.closeAllConnections();
  return said;
}

async function ourUnixSocket() {
  const server = net.createServer((socket) => socket.end('by another'));
  await once(server.listen(path), 'listening');
  const said = await text(net.connect({ path }));
  server.close();
  const [{ code }] = await once(net.connect(`${path}.not`), 'error');
  return [said, code];
}

async function thrownBy(task) {
  try {
    return await task();
  } catch (error) {
    return error.code ?? error.message;
  }
}

/** A worker has a stack of its own, so what listens here is not there. */
async function inWorker(port) {
  const code = `import net from 'node:net';
    import { parentPort } from 'node:worker_threads';
    const ours = typeof net.Socket.prototype.info === 'function';
    const done = (what) => parentPort.postMessage([ours, what]);
    net.connect(${port}, '127.0.0.1').on('error', (e) => done(e.code)).on('connect', () => done('up'));`;
  const [message] = await once(
    new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`)),
    'message',
  );
  return message;
}

async function clusterWorker() {
  cluster.setupPrimary({ silent: true, args: ['worker'] });
  const worker = cluster.fork();
  const stderr = text(worker.process.stderr);
  const [code] = await once(worker, 'exit');
  return { failed: code !== 0, says: /cannot be used with node:cluster/.test(await stderr) };
}

const server = net.createServer((socket) => socket.end('hello')).listen(0, 'localhost');
await once(server, 'listening');
const { port } = server.address();
const client = net.connect(port, 'localhost');
const result = {
  ours: Object.values(ways).map(isOurs),
  names: Object.keys(everything).length === Object.keys(net).length + 1,
  said: await text(client),
  instances: [
    client instanceof net.Socket,
    server instanceof net.Server,
    http.createServer() instanceof net.Server,
    process.stdout instanceof net.Socket,
    new tls.TLSSocket(client) instanceof net.Socket,
    http.createServer() instanceof net.Socket,
  ],
  unixSocket: await unixSocket(),
  ourUnixSocket: await ourUnixSocket(),
  bareTlsSocket: await thrownBy(() => new tls.TLSSocket().connect(port)),
  inWorker: await inWorker(port),
  clusterWorker: await clusterWorker(),
};
server.close();
console.log(JSON.stringify(result));
