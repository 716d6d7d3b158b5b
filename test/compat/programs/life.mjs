// What keeps a process alive: `node life.mjs node|ours CASE` prints what happened, `alive` if the
// process would have gone on, and `exit`.
import { once } from 'node:events';
import * as node from 'node:net';

const [module, name] = process.argv.slice(2);
const net = module === 'node' ? node : await import('../../../dist/net/module.js');
const say = (what) => process.stdout.write(`${what}\n`);

async function pair(options = {}) {
  const server = net.createServer(options).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect({ port: server.address().port, host: '127.0.0.1', ...options });
  const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  server.close();
  return { client, peer };
}

const cases = {
  async 'nothing at all'() {},
  async 'a server that does not listen'() {
    net.createServer();
  },
  async 'a server that listens'() {
    net.createServer().listen(0);
  },
  async 'a server that is not referenced'() {
    net.createServer().unref().listen(0);
  },
  async 'a server that is referenced again'() {
    net.createServer().listen(0).unref().ref();
  },
  async 'a server that is closed'() {
    const server = net.createServer().listen(0);
    await once(server, 'listening');
    server.close(() => say('closed'));
  },
  async 'a socket that is not connected'() {
    new net.Socket().setTimeout(1_000_000).ref();
  },
  async 'a connection'() {
    await pair();
  },
  async 'a connection with one end unreferenced'() {
    const { client } = await pair();
    client.unref();
  },
  async 'a connection with both ends unreferenced'() {
    const { client, peer } = await pair();
    client.unref();
    peer.unref();
  },
  async 'an unreferenced socket that connects'() {
    const { client, peer } = await pair();
    peer.unref();
    client.destroy();
    client.connect(1, '127.0.0.1').unref();
  },
  async 'a connection that was closed'() {
    const { client, peer } = await pair();
    peer.resume();
    client.end();
    await once(client, 'close');
    say('closed');
  },
  async 'a connection that was destroyed'() {
    const { client, peer } = await pair();
    client.destroy();
    peer.destroy();
  },
  async 'a timeout of an unreferenced connection'() {
    const { client, peer } = await pair();
    client.unref().setTimeout(1_000_000);
    peer.unref();
  },
  async 'a connection that both ends have shut'() {
    const { client, peer } = await pair({ allowHalfOpen: true });
    client.resume().end();
    peer.resume().end();
    await once(client, 'close');
  },
  async 'a write that nobody reads'() {
    const { client, peer } = await pair();
    peer.pause();
    peer.unref();
    client.write(Buffer.alloc(64 << 20));
  },
  async 'a connection that is refused'() {
    net.connect(1, '127.0.0.1').on('error', (error) => say(error.code));
  },
  async 'a name that is looked up'() {
    const lookup = (_host, _options, callback) =>
      setImmediate(() => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' })));
    net.connect({ port: 1, host: 'name.test', lookup }).on('error', (error) => say(error.code));
  },
  async 'an error without a listener'() {
    net.connect(1, '127.0.0.1');
  },
};

process.on('exit', (code) => say(`exit ${code}`));
await cases[name]();
setTimeout(() => {
  say('alive');
  process.exit();
}, 300).unref();
