import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { talk } from '../services/listen.js';
import { World } from './world.js';

/** A peer on a free port that stands for 10.7.0.1:9000. */
async function withPeer(
  world: World,
  serve: (socket: net.Socket) => void,
  use: () => Promise<void>,
): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.peer(9000, (server.address() as net.AddressInfo).port);
  try {
    await use();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('tuntcp nc', () => {
  it('sends FIN at the end of its input and reads on', async () => {
    const world = new World();
    let got = '';
    const answerAfterFin = (socket: net.Socket) => {
      socket.on('data', (chunk) => (got += chunk));
      socket.on('end', () => socket.end('the answer'));
    };
    await withPeer(world, answerAfterFin, async () => {
      world.stdin.end('the question');
      expect(await main(['nc', '-v', '10.7.0.1', '9000'], world)).toBe(0);
    });
    expect(got).toBe('the question');
    expect(world.stdout.text).toBe('the answer');
    expect(world.stderr.text).toMatch(/^Connected to 127\.0\.0\.1:\d+\n$/);
    expect([world.linksOpen, world.hostsOpen, world.listensForStop]).toEqual([0, 0, false]);
  });

  it('goes on sending after the peer has ended', async () => {
    const world = new World();
    let got = '';
    const endFirst = (socket: net.Socket) => {
      socket.on('data', (chunk) => (got += chunk));
      socket.end('bye');
    };
    await withPeer(world, endFirst, async () => {
      const code = main(['nc', '10.7.0.1', '9000'], world);
      await world.stdout.shows('bye');
      world.stdin.end('x'.repeat(300_000));
      expect(await code).toBe(0);
    });
    expect(got).toHaveLength(300_000);
  });

  it('listens, takes one connection and no more', async () => {
    const world = new World();
    const code = main(['nc', '-lv', '9000'], world);
    await world.stderr.shows('Listening on 10.7.0.2:9000');
    world.stdin.end('from the listener');
    expect((await talk(world.port(9000), 'from the client')).toString()).toBe('from the listener');
    expect(await code).toBe(0);
    expect(world.stdout.text).toBe('from the client');
    await expect(talk(world.port(9000), '')).rejects.toThrow('ECONNREFUSED');
  });

  it('fails with one line when it is refused', async () => {
    const world = new World();
    await withPeer(
      world,
      () => {},
      async () => {},
    );
    expect(await main(['nc', '10.7.0.1', '9000'], world)).toBe(1);
    expect(world.stderr.text).toMatch(/^tuntcp nc: connect ECONNREFUSED 127\.0\.0\.1:\d+\n$/);
    expect([world.linksOpen, world.listensForStop]).toEqual([0, false]);
  });

  it('fails when the peer resets the connection', async () => {
    const world = new World();
    await withPeer(
      world,
      (socket) => socket.resetAndDestroy(),
      async () => expect(await main(['nc', '10.7.0.1', '9000'], world)).toBe(1),
    );
    expect(world.stderr.text).toMatch(/^tuntcp nc: .*ECONNRESET.*\n$/);
  });

  it.each([
    ['-q', '0.01'],
    ['-w', '0.05'],
  ])('%s %s ends a connection that the peer keeps open', async (...option) => {
    const world = new World();
    let peer: net.Socket | undefined;
    const keepOpen = (socket: net.Socket) => {
      peer = socket.on('error', () => {}).resume();
    };
    await withPeer(world, keepOpen, async () => {
      world.stdin.end('x');
      const code = await main(['nc', ...option, '10.7.0.1', '9000'], world);
      peer?.destroy();
      expect([code, world.stderr.text]).toEqual([0, '']);
    });
    expect(world.linksOpen).toBe(0);
  });

  it('ends with 130 at Ctrl-C', async () => {
    const world = new World();
    const code = main(['nc', '-lv', '9000'], world);
    await world.stderr.shows('Listening');
    world.stop('SIGINT');
    expect(await code).toBe(130);
    expect([world.linksOpen, world.hostsOpen, world.listensForStop]).toEqual([0, 0, false]);
  });
});
