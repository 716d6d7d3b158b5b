import { describe, expect, test } from 'vitest';
import { memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { User } from '../../support/user.js';

const KIB = 1024;

/** Connections of host A to host B, with a user at each end; established. */
function connected(count: number) {
  const runtime = new VirtualRuntime(1);
  const [left, right] = memoryPair({ runtime, offload: true, delay: 1 });
  const a = new Host({ runtime, link: left, address: '10.0.0.1/24' });
  const b = new Host({ runtime, link: right, address: '10.0.0.2/24' });
  const servers: User[] = [];
  b.listen({ port: 80 }, (connection) => {
    const user = new User();
    user.connection = connection;
    servers.push(user);
    return user;
  });
  const clients: User[] = [];
  for (let i = 0; i < count; i++) {
    const user = new User();
    user.connection = a.connect({ remoteAddress: '10.0.0.2', remotePort: 80 }, user);
    clients.push(user);
    runtime.run(runtime.now() + 100);
  }
  return { runtime, a, b, clients, servers };
}

describe('what handlers do to other connections in the same batch', () => {
  test('leaves alone the bytes that are about to be sent', () => {
    const { runtime, clients, servers } = connected(2);
    const [first, second] = clients as [User, User];
    first.readable = () => {
      first.read();
      first.write(Buffer.alloc(32 * KIB, 'a'));
    };
    second.readable = () => {
      second.read();
      // The first connection's send buffer grows out of its storage, and this one's moves in.
      first.write(Buffer.alloc(40 * KIB, 'b'));
      second.write(Buffer.alloc(32 * KIB, 'c'));
    };
    for (const server of servers) server.write('go');
    runtime.run(runtime.now() + 10_000);
    const expected = Buffer.concat([Buffer.alloc(32 * KIB, 'a'), Buffer.alloc(40 * KIB, 'b')]);
    expect(servers[0]!.received.equals(expected)).toBe(true);
    expect(servers[1]!.received.equals(Buffer.alloc(32 * KIB, 'c'))).toBe(true);
  });

  test('is told to them even when their turn has passed', () => {
    const { runtime, a, clients, servers } = connected(2);
    const [first, second] = clients as [User, User];
    second.readable = () => first.connection.abort();
    for (const server of servers) server.write('go');
    runtime.run(runtime.now() + 1_000);
    expect(servers[0]!.events).toContain('closed ECONNRESET');
    expect(a.connectionCount).toBe(1);
  });
});
