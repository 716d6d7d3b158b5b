// Shards on the workers of this process, and clients on the kernel's TCP.  workers.mjs SCENARIO [HOW]
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { startShards } from '../../../dist/workers/module.js';

const HOST = '10.7.0.2';
const MANY = 40;
const devicesNow = () =>
  JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' })).map(({ ifname }) => ifname);

const start = (options = {}) =>
  startShards(new URL('./workers-shard.mjs', import.meta.url), {
    workers: 2,
    hostAddress: '10.7.0.1/24',
    address: `${HOST}/24`,
    ...options,
  });

async function received(socket) {
  const chunks = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const ask = async (port, text = '') => received(net.connect(port, HOST).end(text));

async function tally(count, port) {
  const seen = {};
  const answers = await Promise.all(Array.from({ length: count }, () => ask(port)));
  for (const answer of answers) seen[answer] = (seen[answer] ?? 0) + 1;
  return seen;
}

async function summary(shards) {
  const each = await shards.countersOfEach();
  return each.map(
    (counters) =>
      counters && {
        accepted: counters.tcpPassiveOpens,
        out: counters.shardOutPackets,
        in: counters.shardInPackets,
        resets: counters.tcpOutRsts,
      },
  );
}

async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A server of the kernel to which the shard has so many connections; those, with its ports. */
async function connectionsFrom(shards, index, count) {
  const server = net.createServer();
  await once(server.listen(0, '10.7.0.1'), 'listening');
  const sockets = [];
  server.on('connection', (socket) => sockets.push(socket));
  const worker = shards.workers[index];
  const { port } = server.address();
  worker.postMessage({ order: 'connect', host: '10.7.0.1', port, count });
  await until(() => sockets.length === count);
  server.close();
  return sockets;
}

const echoed = async (socket, text) => {
  socket.end(text);
  return String(await received(socket)) === text;
};

/** What comes back of a text, as much as it is; the connection stays open. */
function exchanged(socket, text) {
  socket.write(text);
  let back = '';
  return new Promise((resolve) => {
    socket.on('data', (chunk) => {
      back += chunk;
      if (back.length >= text.length) resolve(back);
    });
  });
}

const SCENARIOS = {
  async spread() {
    const shards = await start();
    const text = 'x'.repeat(100_000);
    const open = Array.from({ length: MANY }, () => net.connect(7, HOST));
    const echoes = await Promise.all(open.map((socket) => exchanged(socket, text)));
    // While all are open: what still comes to one that has ended is nobody's, and every shard is asked.
    const meanwhile = await summary(shards);
    await Promise.all(open.map((socket) => once(socket.end(), 'close')));
    const seen = await tally(MANY, 9);
    const counters = await summary(shards);
    const { tcpPassiveOpens } = await shards.counters();
    const metrics = await shards.metrics();
    const listeners = (await shards.connections()).filter(({ kind }) => kind === 'listener');
    await shards.close();
    return {
      seen,
      right: echoes.every((echo) => echo === text),
      meanwhile,
      accepted: counters.map(({ accepted }) => accepted),
      tcpPassiveOpens,
      metrics: /^tuntcp_tcp_passive_opens_total (\d+)$/m.exec(metrics)[1],
      listeners: listeners.map(({ localPort, shard }) => `${localPort} on ${shard}`).sort(),
      devices: devicesNow(),
    };
  },

  /** A server that listens on one shard alone, at first or in the end. */
  async alone() {
    const shards = await start();
    const one = await tally(MANY, 5201);
    const worker = shards.workers[0];
    const done = once(worker, 'message');
    worker.postMessage({ order: 'unlisten' });
    await done;
    const rest = await tally(MANY, 9);
    const counters = await summary(shards);
    await shards.close();
    return { one, rest, counters };
  },

  /** The kernel forgets which queue a connection has when the number of queues changes. */
  async rehashed() {
    const shards = await start();
    const outbound = await connectionsFrom(shards, 1, MANY);
    const ports = outbound.map((socket) => socket.remotePort % 2);
    const inbound = Array.from({ length: 2 * MANY }, () => net.connect(7, HOST));
    await Promise.all(inbound.map((socket) => once(socket, 'connect')));
    await until(async () => {
      const open = (await shards.connections()).filter(({ kind }) => kind === 'connection');
      return open.filter(({ state }) => state === 'ESTABLISHED').length === 3 * MANY;
    });
    const owners = new Map(
      (await shards.connections()).map(({ remotePort, shard }) => [remotePort, shard]),
    );
    await shards.workers[0].terminate();
    await until(() => shards.workers[0] === null);
    await shards.restart(0);
    const works = async (socket) => {
      try {
        return await echoed(socket, 'still there?');
      } catch (error) {
        return error.code;
      }
    };
    const out = await Promise.all(outbound.map(works));
    const results = await Promise.all(
      inbound.map(async (socket) => [owners.get(socket.localPort), await works(socket)]),
    );
    const counters = await summary(shards);
    await shards.close();
    const of = (shard) => [...new Set(results.filter(([o]) => o === shard).map(([, r]) => r))];
    return {
      ports: [...new Set(ports)],
      out: [...new Set(out)],
      ended: of(0),
      kept: of(1),
      handedOver: counters[0].out,
      takenOver: counters[1].in,
    };
  },

  /** Errors have no ports that the kernel would look at, and go to the same shard, whoever is meant. */
  async errors() {
    execFileSync('ip', ['route', 'add', 'unreachable', '192.0.2.0/24']);
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    const shards = await start();
    for (const worker of shards.workers) {
      worker.postMessage({ order: 'connect', host: '192.0.2.1', port: 80, count: 1 });
    }
    let each;
    await until(async () => {
      each = await shards.countersOfEach();
      return each[0].icmpInMsgs + each[1].icmpInMsgs >= 3;
    });
    await shards.close();
    return {
      handedOver: each[0].shardOutPackets + each[1].shardOutPackets,
      unquoted: each[0].drops.icmpUnquoted + each[1].drops.icmpUnquoted,
    };
  },

  /** A thread is terminated, or ends by itself, while data flows. */
  async terminated(how) {
    const shards = await start();
    const size = 30_000_000;
    const clients = Array.from({ length: 16 }, () => net.connect(19, HOST));
    const errors = new Map();
    for (const socket of clients) socket.on('error', ({ code }) => errors.set(socket, code));
    const first = await Promise.all(
      clients.map(async (socket) => {
        socket.write(`${size}\n`);
        const [chunk] = await once(socket, 'data');
        socket.pause();
        return chunk;
      }),
    );
    if (how === 'by itself') shards.workers[0].postMessage({ order: 'exit' });
    else shards.workers[0].terminate();
    await until(() => shards.workers[0] === null);
    const results = await Promise.all(
      clients.map(async (socket, i) => {
        // Nobody can tell the peers of a thread that was terminated, until they say something.
        if (how !== 'by itself') socket.write('hello?');
        let count = first[i].length - 1;
        let right = true;
        try {
          for await (const chunk of socket) {
            right &&= chunk[0] === count % 251 && chunk.at(-1) === (count + chunk.length - 1) % 251;
            count += chunk.length;
          }
          const whole = right && count === size;
          return [first[i][0], errors.get(socket) ?? (whole ? 'whole' : 'cut off')];
        } catch {
          return [first[i][0], errors.get(socket)];
        }
      }),
    );
    const after = await tally(10, 9);
    const of = (shard) => [...new Set(results.filter(([s]) => s === shard).map(([, r]) => r))];
    await shards.close();
    return { terminated: of(0), other: of(1), after };
  },

  async closed() {
    const shards = await start();
    const exits = [];
    shards.on('exit', (index) => exits.push(index));
    const socket = net.connect(7, HOST);
    await once(socket, 'connect');
    socket.on('error', (error) => exits.push(error.code));
    const ended = new Promise((resolve) => socket.on('close', resolve));
    await shards.close();
    await shards.close();
    await ended;
    return { exits: exits.sort(), devices: devicesNow() };
  },

  async fails() {
    const told = ({ message, code }) => ({ message, code });
    return {
      module: await start({ worker: { workerData: { fails: 1 } } }).catch(told),
      address: await start({ address: 'nonsense' }).catch(told),
      workers: await start({ workers: 32 }).catch(told),
      devices: devicesNow(),
    };
  },
};

const [, , scenario, ...args] = process.argv;
console.log(JSON.stringify(await SCENARIOS[scenario](...args)));
