import { describe, expect, test } from 'vitest';
import { memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { conversation } from '../../support/conversation.js';
import { scripted } from '../../support/peer.js';
import { User } from '../../support/user.js';

function lonely(address: string | string[] = '10.0.0.2/24'): Host {
  const runtime = new VirtualRuntime(1);
  const [link] = memoryPair({ runtime });
  return new Host({ runtime, link, address });
}

const NOBODY = (): User => new User();

describe('listen', () => {
  test('the same socket twice is EADDRINUSE', () => {
    const host = lonely();
    host.listen({ port: 80 }, NOBODY);
    expect(() => host.listen({ port: 80 }, NOBODY)).toThrowError(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'listen', port: 80 }),
    );
    expect(() => host.listen({ port: 80, address: '10.0.0.2' }, NOBODY)).toThrowError(
      expect.objectContaining({ code: 'EADDRINUSE', address: '10.0.0.2' }),
    );
  });

  // MUST-43
  test('two addresses may have a listener each', () => {
    const host = lonely(['10.0.0.2/24', '10.0.0.3/24']);
    host.listen({ port: 80, address: '10.0.0.2' }, NOBODY);
    host.listen({ port: 80, address: '10.0.0.3' }, NOBODY);
    expect(() => host.listen({ port: 80 }, NOBODY)).toThrowError(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
  });

  test('an address that is not ours is EADDRNOTAVAIL', () => {
    for (const address of ['10.0.0.9', '127.0.0.1', 'nonsense', '10.0.0']) {
      expect(() => lonely().listen({ port: 80, address }, NOBODY)).toThrowError(
        expect.objectContaining({ code: 'EADDRNOTAVAIL', syscall: 'listen' }),
      );
    }
  });

  test('port 0 picks a free ephemeral one', () => {
    const host = lonely();
    const ports = new Set<number>();
    for (let i = 0; i < 100; i++) ports.add(host.listen({ port: 0 }, NOBODY).port);
    expect(ports.size).toBe(100);
    for (const port of ports) expect(port).toBeGreaterThanOrEqual(32_768);
  });

  test('a closed listener gives its port back', () => {
    const host = lonely();
    const listener = host.listen({ port: 80 }, NOBODY);
    listener.close();
    listener.close();
    host.listen({ port: 80 }, NOBODY);
  });

  scripted('an accepted connection knows its two sockets', {}, (p) => {
    p.host.listen({ port: 80, address: '10.0.0.2' }, (connection) => {
      p.user.connection = connection;
      return p.user;
    });
    p.send('S');
    p.expect('S.');
    p.send('.');
    expect(p.user.connection.localAddress).toBe('10.0.0.2');
    expect(p.user.connection.localPort).toBe(80);
    expect(p.user.connection.remoteAddress).toBe('10.0.0.1');
    expect(p.user.connection.remotePort).toBe(5_000);
  });

  scripted('accepted connections outlive their listener', {}, (p) => {
    const listener = p.host.listen({ port: 80 }, (connection) => {
      p.user.connection = connection;
      return p.user;
    });
    p.send('S');
    p.expect('S.');
    p.send('.');
    listener.close();
    p.send('.', { data: 'still' });
    p.expect('.', { ack: 6 });
    expect(p.user.received.toString()).toBe('still');
    p.peerPort = 5_001;
    p.send('S', { seq: 0 });
    p.expect('R.', { ack: 1 });
  });
});

describe('the user of an accepted connection', () => {
  scripted('that throws instead of giving a handler leaves none behind', {}, (p) => {
    p.host.listen({ port: 80 }, () => {
      throw new Error('not today');
    });
    p.send('S');
    p.expect('S.');
    expect(() => p.send('.')).toThrow('not today');
    p.expect('R.');
    expect(p.host.connectionCount).toBe(0);
  });

  scripted('that has let go is held to while the peer takes nothing', {}, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.user.write('abc');
    p.user.connection.close();
    p.run(0);
    expect(p.runtime.held).toBe(1);
    p.send('.', { ack: 1, win: 1_000 });
    p.expect('F.', { seq: 1, len: 3 });
    p.send('.', { ack: 5 });
    expect(p.runtime.held).toBe(0);
  });
});

describe('connect', () => {
  test('MUST-46: to an address that is no host is ENETUNREACH', () => {
    for (const remoteAddress of ['255.255.255.255', '224.0.0.1', '240.0.0.1', 'nonsense']) {
      expect(() => lonely().connect({ remoteAddress, remotePort: 80 }, new User())).toThrowError(
        expect.objectContaining({
          code: 'ENETUNREACH',
          syscall: 'connect',
          address: remoteAddress,
          port: 80,
        }),
      );
    }
  });

  // MUST-43
  test('from an address that is not ours is EADDRNOTAVAIL', () => {
    expect(() =>
      lonely().connect(
        { remoteAddress: '10.0.0.1', remotePort: 80, localAddress: '10.0.0.77' },
        new User(),
      ),
    ).toThrowError(expect.objectContaining({ code: 'EADDRNOTAVAIL' }));
  });

  test('with a port that is none is a RangeError that names it', () => {
    const bad = { name: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' };
    for (const port of [-1, 1.5, 65_536, Number.NaN]) {
      expect(() => lonely().listen({ port }, NOBODY)).toThrowError(expect.objectContaining(bad));
      for (const name of ['remotePort', 'localPort']) {
        const options = { remoteAddress: '10.0.0.1', remotePort: 80, [name]: port };
        expect(() => lonely().connect(options, new User())).toThrowError(
          expect.objectContaining({ ...bad, message: expect.stringContaining(name) }),
        );
      }
    }
  });

  test('twice between the same two sockets is EADDRINUSE', () => {
    const host = lonely();
    const options = { remoteAddress: '10.0.0.1', remotePort: 80, localPort: 5_000 };
    host.connect(options, new User());
    expect(() => host.connect(options, new User())).toThrowError(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
    // To another port the local one may serve again.
    host.connect({ ...options, remotePort: 81 }, new User());
  });

  test('without a loopback link our own address cannot be reached', () => {
    expect(() =>
      lonely().connect({ remoteAddress: '127.0.0.1', remotePort: 80 }, new User()),
    ).toThrowError(expect.objectContaining({ code: 'ENETUNREACH' }));
  });

  test('MUST-44: the source is our address in the network of the destination', () => {
    const host = lonely(['10.0.0.2/24', '10.9.0.2/16']);
    const to = (remoteAddress: string): string =>
      host.connect({ remoteAddress, remotePort: 80 }, new User()).localAddress;
    expect(to('10.0.0.1')).toBe('10.0.0.2');
    expect(to('10.9.3.4')).toBe('10.9.0.2');
    expect(to('192.0.2.1')).toBe('10.0.0.2');
  });
});

describe('options', () => {
  test('an address must have a prefix and be one of a host', () => {
    for (const address of ['10.0.0.2', '10.0.0.2/33', 'x/24', '224.0.0.1/24', '127.0.0.1/8']) {
      expect(() => lonely(address)).toThrowError(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ADDRESS' }),
      );
    }
  });
});

describe('the end of a host', () => {
  conversation('close() resets what is open and forgets it', {}, (c) => {
    c.establish();
    c.a.close();
    c.a.close();
    c.run(100);
    expect(c.userB.events).toEqual(['established', 'closed ECONNRESET']);
    expect(c.a.connectionCount).toBe(0);
    expect(c.b.connectionCount).toBe(0);
    expect(c.runtime.held).toBe(0);
  });

  conversation('close() within a handler resets once the handler is done', {}, (c) => {
    c.establish();
    let closedWithin = false;
    c.userA.readable = () => {
      c.a.close();
      closedWithin = c.userA.isClosed;
    };
    c.userB.write('x');
    c.run(100);
    expect(closedWithin).toBe(false);
    expect(c.userA.events).toEqual(['established', 'closed']);
    expect(c.userB.events).toEqual(['established', 'closed ECONNRESET']);
    expect(c.a.connectionCount).toBe(0);
    expect(c.runtime.held).toBe(0);
  });

  conversation('leave() sends a FIN before it returns', {}, (c) => {
    c.establish();
    c.a.leave();
    expect(c.packets.at(-1)).toMatchObject({ from: 'a', flags: 'F.' });
    c.run(100);
    expect(c.userB.events).toEqual(['established', 'end']);
  });

  conversation('leave() within a handler resets what was not read', {}, (c) => {
    c.establish();
    let state = '';
    c.userA.readable = () => {
      c.a.leave();
      state = c.userA.connection.state;
    };
    c.userB.write('x');
    c.run(100);
    expect(state).toBe('CLOSED');
    expect(c.userB.events).toEqual(['established', 'closed ECONNRESET']);
  });

  test('a closed host neither listens nor connects', () => {
    const host = lonely();
    host.close();
    expect(() => host.listen({ port: 80 }, NOBODY)).toThrowError(
      expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
    );
    expect(() =>
      host.connect({ remoteAddress: '10.0.0.1', remotePort: 80 }, new User()),
    ).toThrowError(expect.objectContaining({ code: 'ENETUNREACH' }));
  });

  test('a link that ends takes its connections with it', () => {
    const runtime = new VirtualRuntime(1);
    const [link] = memoryPair({ runtime });
    const host = new Host({ runtime, link, address: '10.0.0.2/24' });
    const user = new User();
    user.connection = host.connect({ remoteAddress: '10.0.0.1', remotePort: 80 }, user);
    runtime.run(10);
    link.close();
    runtime.run(20);
    expect(user.events).toEqual(['closed ENETDOWN']);
    expect(host.connectionCount).toBe(0);
    expect(() =>
      host.connect({ remoteAddress: '10.0.0.1', remotePort: 80 }, new User()),
    ).toThrowError(expect.objectContaining({ code: 'ENETUNREACH' }));
  });

  test('hold and release count', () => {
    const runtime = new VirtualRuntime(1);
    const host = new Host({ runtime });
    host.hold();
    host.hold();
    host.release();
    expect(runtime.held).toBe(1);
    host.release();
    expect(runtime.held).toBe(0);
    host.hold();
    host.close();
    expect(runtime.held).toBe(0);
  });
});

describe('a connection to ourselves', () => {
  test('works over a loopback link', () => {
    const runtime = new VirtualRuntime(1);
    const [one, other] = memoryPair({ runtime });
    // What leaves one end of the pair must come back in by the same interface.
    const echo = {
      name: 'lo',
      mtu: 65_535,
      offload: false,
      headroom: 0,
      blocked: false,
      open: (receiver: Parameters<typeof other.open>[0]) => other.open(receiver),
      send: (batch: Parameters<typeof one.send>[0]) => one.send(batch),
      close: () => {},
    };
    const host = new Host({ runtime, loopback: echo });
    const server = new User();
    host.listen({ port: 80, address: '127.0.0.1' }, (connection) => {
      server.connection = connection;
      return server;
    });
    const client = new User();
    client.connection = host.connect({ remoteAddress: '127.0.0.1', remotePort: 80 }, client);
    client.write('to myself');
    client.end();
    server.endsWithPeer = true;
    runtime.run(100);
    expect(server.received.toString()).toBe('to myself');
    expect(client.events).toContain('closed');
    expect(server.events).toContain('closed');
    runtime.run(100_000);
    expect(host.connectionCount).toBe(0);
  });
});
