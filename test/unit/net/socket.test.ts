import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { getDefaultHighWaterMark } from 'node:stream';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { NetModule } from '../../../src/net/create-net.js';
import { createNet } from '../../../src/net/create-net.js';
import type { Server } from '../../../src/net/server.js';
import type { Socket } from '../../../src/net/socket.js';
import type { Alarm } from '../../../src/runtime/runtime.js';
import type { FakeConnection } from './fake-transport.js';
import { FakeTransport } from './fake-transport.js';

/** What makes a reader full, in bytes; Node.js 22 has made it four times what it was. */
const FULL = getDefaultHighWaterMark(false);

let transport: FakeTransport;
let net: NetModule;

beforeEach(() => {
  transport = new FakeTransport();
  net = createNet(transport);
});

async function pair(): Promise<{
  client: Socket;
  peer: Socket;
  server: Server;
  ends: FakeConnection[];
}> {
  const server = net.createServer().listen(80);
  const client = net.connect(80, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [Socket];
  return { client, peer, server, ends: transport.connections };
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what keeps the process alive', () => {
  it('a server that listens, unless unref', () => {
    const server = net.createServer().listen(80);
    expect(transport.holds).toBe(1);
    server.unref();
    expect(transport.holds).toBe(0);
    server.ref();
    server.ref();
    expect(transport.holds).toBe(1);
    server.close();
    expect(transport.holds).toBe(0);
  });

  it('two sockets that read, until both are closed', async () => {
    const { client, peer, server } = await pair();
    server.close();
    expect(transport.holds).toBe(2);
    client.unref();
    expect(transport.holds).toBe(1);
    peer.destroy();
    await once(client, 'close');
    expect(transport.holds).toBe(0);
  });

  it('a socket that connects, even when it is refused', async () => {
    const client = net.connect(80, '127.0.0.1');
    client.on('error', () => {});
    await new Promise((resolve) => process.nextTick(resolve));
    expect(transport.holds).toBe(1);
    await closed(client);
    expect(transport.holds).toBe(0);
  });

  it('not a socket whose reader is full, nor one that waits half-open', async () => {
    const { client, peer, server } = await pair();
    server.close();
    client.unref();
    client.end(Buffer.alloc(FULL));
    await turn();
    await turn();
    expect(peer.readableLength).toBe(FULL);
    expect(transport.holds).toBe(0);
    peer.resume();
    await once(client, 'close');
    expect(transport.holds).toBe(0);
  });

  it('a write that waits for room', async () => {
    const { client, peer, server } = await pair();
    server.close();
    peer.unref();
    peer.pause();
    client.pause();
    client.write(Buffer.alloc(1_000_000));
    await turn();
    expect(transport.holds).toBe(1);
    client.destroy();
    expect(transport.holds).toBe(0);
  });
});

describe('back-pressure', () => {
  it('leaves data in the connection while the user does not read', async () => {
    const { client, peer, ends } = await pair();
    client.write(Buffer.alloc(200_000, 7));
    for (let i = 0; i < 20; i++) await turn();
    expect(peer.readableLength).toBeLessThanOrEqual(2 * FULL);
    expect(ends[1]!.readableLength).toBeGreaterThan(0);
    let received = 0;
    peer.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    client.end();
    await once(peer, 'end');
    expect(received).toBe(200_000);
  });

  it('hands the peer its bytes in order however writes are cut', async () => {
    const { client, peer } = await pair();
    const parts: Buffer[] = [];
    peer.on('data', (chunk: Buffer) => parts.push(chunk));
    const sent: Buffer[] = [];
    for (let i = 0; i < 300; i++) {
      const part = Buffer.alloc((i * 977) % 5000, i);
      sent.push(part);
      client.write(part);
      if (i % 50 === 0) await turn();
    }
    client.end();
    await once(peer, 'close');
    expect(Buffer.concat(parts).equals(Buffer.concat(sent))).toBe(true);
    expect(client.bytesWritten).toBe(peer.bytesRead);
  });
});

describe('bad news', () => {
  it('waits for a reader that is full, behind the data', async () => {
    const { client, peer, ends } = await pair();
    client.write(Buffer.alloc(2 * FULL));
    await turn();
    client.write(Buffer.alloc(10_000));
    await turn();
    const error = vi.fn();
    peer.on('error', error);
    ends[1]!.fail('ECONNRESET');
    await turn();
    expect(error).not.toHaveBeenCalled();
    let received = 0;
    peer.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await closed(peer);
    expect(received).toBe(2 * FULL + 10_000);
    expect(error.mock.calls[0]![0]).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
  });

  it('meets a writer at its next write', async () => {
    const { client, peer, ends } = await pair();
    client.write(Buffer.alloc(2 * FULL));
    await turn();
    ends[1]!.fail('ECONNRESET');
    peer.write('x');
    const [error] = (await once(peer, 'error')) as [Error];
    expect(error).toMatchObject({ message: 'write ECONNRESET', errno: -104, syscall: 'write' });
  });

  it.each(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'] as const)(
    'names %s and the remote end when a connection fails',
    async (code) => {
      const client = net.connect({
        port: 9,
        host: '127.0.0.1',
        localAddress: '127.0.0.1',
        localPort: 7,
      });
      client.on('lookup', () => {});
      await Promise.resolve();
      await new Promise((resolve) => process.nextTick(resolve));
      transport.connections[0]!.fail(code);
      const [error] = (await once(client, 'error')) as [Error];
      expect(error).toMatchObject({
        message: `connect ${code} 127.0.0.1:9 - Local (127.0.0.1:7)`,
        code,
        syscall: 'connect',
        address: '127.0.0.1',
        port: 9,
      });
    },
  );

  it('tells of an address without a route', async () => {
    const client = net.connect(80, '192.0.2.1');
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({
      message: 'connect ENETUNREACH 192.0.2.1:80 - Local (0.0.0.0:0)',
      code: 'ENETUNREACH',
    });
    const six = net.connect(80, '::1');
    expect((await once(six, 'error'))[0]).toMatchObject({ code: 'EADDRNOTAVAIL', address: '::1' });
  });

  it('tells of a local address that is not ours', async () => {
    const client = net.connect({ port: 80, host: '127.0.0.1', localAddress: '192.0.2.1' });
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind', address: '192.0.2.1' });
  });
});

describe('options', () => {
  it('reach the connection when it is there', async () => {
    const server = net.createServer({ noDelay: true }).listen(80);
    const client = net.connect(80, '127.0.0.1');
    client.setKeepAlive(true, 1500);
    await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    const [near, far] = transport.connections;
    expect(near!.noDelay).toBe(false);
    expect(near!.keepAlive).toBe(1000);
    expect(far!.noDelay).toBe(true);
    expect(far!.keepAlive).toBe(null);
    client.setNoDelay();
    client.setKeepAlive(false);
    expect(near!.noDelay).toBe(true);
    expect(near!.keepAlive).toBe(null);
  });

  it('highWaterMark of a server is that of its sockets', async () => {
    const server = net.createServer({ highWaterMark: 1234 }).listen(80);
    net.connect(80, '127.0.0.1');
    const [peer] = (await once(server, 'connection')) as [Socket];
    expect(peer.readableHighWaterMark).toBe(1234);
    expect(peer.writableHighWaterMark).toBe(1234);
  });
});

describe('timeouts', () => {
  it('are looked at when the alarm rings, not at each chunk', async () => {
    let now = 1000;
    let ring!: () => void;
    const set = vi.fn();
    const alarm: Alarm = { set, clear: vi.fn() };
    transport = new FakeTransport({
      now: () => now,
      alarm: (task) => {
        ring = task;
        return alarm;
      },
    });
    net = createNet(transport);
    const { client, peer } = await pair();
    const expired = vi.fn();
    client.setTimeout(50, expired);
    client.resume();
    expect(set.mock.calls).toEqual([[1050]]);
    for (let i = 0; i < 10; i++) {
      now += 4;
      peer.write('x');
      await turn();
      await turn();
    }
    expect(set).toHaveBeenCalledTimes(1);
    now = 1051;
    ring();
    expect(expired).not.toHaveBeenCalled();
    expect(set.mock.lastCall).toEqual([1090]);
    now = 1090;
    ring();
    expect(expired).toHaveBeenCalledTimes(1);
  });
});

/** The exceptions that reach the process while `task` runs. */
async function uncaught(task: () => Promise<void>): Promise<unknown[]> {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  try {
    await task();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  return thrown;
}

describe('the code of the user', () => {
  it('runs in the asynchronous context of connect and of listen', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const note = (what: string) => () => seen.push(`${what} ${storage.getStore()}`);
    const done: Promise<unknown>[] = [];
    storage.run('server', () => {
      net
        .createServer((socket) => {
          note('connection')();
          socket.on('data', note('peer data'));
          socket.on('end', note('peer end'));
        })
        .listen(80);
    });
    storage.run('client', () => {
      const client = net.connect(80, '127.0.0.1', note('connect'));
      client.on('end', note('end'));
      client.end('x');
      client.resume();
      done.push(once(client, 'close'));
    });
    await Promise.all(done);
    expect(seen.sort()).toEqual([
      'connect client',
      'connection server',
      'end client',
      'peer data undefined',
      'peer end undefined',
    ]);
  });

  it('gets the rest when it has thrown in the middle', async () => {
    const { client, peer, ends } = await pair();
    const thrown = await uncaught(async () => {
      let received = 0;
      peer.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received === 1) throw new Error('of the user');
      });
      await turn();
      for (let i = 0; i < 5; i++) client.write('x');
      while (received < 5) await turn();
    });
    expect(thrown).toHaveLength(1);
    expect(ends[1]!.readableLength).toBe(0);
  });

  it('may throw without harm to the host', async () => {
    const { client, peer } = await pair();
    const thrown = await uncaught(async () => {
      peer.once('data', () => {
        throw new Error('of the user');
      });
      client.write('a');
      await turn();
      await turn();
      peer.resume();
      client.end('b');
      await once(peer, 'end');
    });
    expect(thrown).toMatchObject([{ message: 'of the user' }]);
    expect(peer.bytesRead).toBe(2);
  });
});

describe('the type of service', () => {
  it('counts for the connection that there is, or the next', async () => {
    net.createServer().listen(80);
    const client = net.connect({ port: 80, host: '127.0.0.1', typeOfService: 8 } as never);
    await once(client, 'connect');
    const [end] = transport.connections;
    expect(end?.typeOfService).toBe(8);
    client.setTypeOfService(16);
    expect(end?.typeOfService).toBe(16);
    expect(client.getTypeOfService()).toBe(16);
    client.destroy();
  });
});
