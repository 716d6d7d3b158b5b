import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { icmp } from '../../support/icmp.js';
import { writeIcmpPacket, writeSegment } from '../../support/packet.js';
import { SHARED_ADDRESS, ShardScene } from '../../support/shards.js';
import { User } from '../../support/user.js';

const US = parseAddress(SHARED_ADDRESS)!;
const CLIENT = parseAddress('10.0.0.1')!;

function listen(scene: ShardScene, shards: readonly number[], port = 80): User[] {
  const users: User[] = [];
  for (const i of shards) {
    scene.shards[i]!.listen({ port }, (connection) => {
      const user = Object.assign(new User(), { connection, endsWithPeer: true });
      users.push(user);
      return user;
    });
  }
  return users;
}

function connect(scene: ShardScene, port = 80): User {
  const user = new User();
  user.connection = scene.client.connect({ remoteAddress: SHARED_ADDRESS, remotePort: port }, user);
  return user;
}

const text = (length: number) => Buffer.alloc(length, 'all that is to arrive. ');

/** The packets of a segment to a closed or unknown socket. */
function stray(flags: string, dstPort: number): Uint8Array {
  return writeSegment({ srcAddr: CLIENT, dstAddr: US, srcPort: 7_777, dstPort, flags, seq: 1 });
}

describe('a connection', () => {
  test('lives on the shard that its SYN came to, and nothing is handed over', () => {
    const scene = new ShardScene();
    scene.steer = () => 1;
    const users = listen(scene, [0, 1]);
    const client = connect(scene);
    client.write(text(100_000));
    client.end();
    scene.runtime.run(5_000);
    expect(users[0]!.received).toEqual(text(100_000));
    expect(scene.shards[1]!.counters.tcpPassiveOpens).toBe(1);
    expect(scene.handedOver).toEqual([0, 0]);
  });

  test('goes on when its packets come to another shard', () => {
    const scene = new ShardScene(3);
    let packets = 0;
    scene.steer = () => (packets++ < 10 ? 2 : packets % 3);
    const users = listen(scene, [0, 1, 2]);
    const client = connect(scene);
    client.write(text(200_000));
    client.end();
    scene.runtime.run(5_000);
    expect(users[0]!.received).toEqual(text(200_000));
    expect(client.events).toContain('closed');
    expect(scene.takenOver[2]).toBeGreaterThan(10);
    expect(scene.shards.map(({ counters }) => counters.tcpOutRsts)).toEqual([0, 0, 0]);
    expect(scene.shards.map(({ counters }) => counters.tcpPassiveOpens)).toEqual([0, 0, 1]);
  });

  test('to a port on which another shard alone listens is accepted there', () => {
    const scene = new ShardScene(3);
    const users = listen(scene, [1], 5201);
    const client = connect(scene, 5201);
    client.write('hello');
    scene.runtime.run(1_000);
    expect(users[0]!.received.toString()).toBe('hello');
    expect(scene.handedOver[2]).toBe(0);
  });

  test('that begins with a SYN cookie is known by its ACK', () => {
    const scene = new ShardScene(2, { synCookies: 'always' });
    scene.steer = () => 1;
    const users = listen(scene, [0, 1]);
    const client = connect(scene);
    client.write('hello');
    scene.runtime.run(1_000);
    expect(users[0]!.received.toString()).toBe('hello');
    expect(scene.shards[1]!.counters.tcpSyncookiesRecv).toBe(1);
    expect(scene.handedOver).toEqual([0, 0]);
  });

  test('outwards has a port from which every shard can tell its owner', () => {
    const scene = new ShardScene(3);
    scene.client.listen({ port: 9 }, () => Object.assign(new User(), { endsWithPeer: true }));
    const ports: number[][] = scene.shards.map((shard) =>
      Array.from({ length: 5 }, () => {
        const options = { remoteAddress: '10.0.0.1', remotePort: 9 };
        return shard.connect(options, new User()).localPort % 3;
      }),
    );
    expect(ports).toEqual([Array(5).fill(0), Array(5).fill(1), Array(5).fill(2)]);
  });

  test('outwards is found at once by its port', () => {
    const scene = new ShardScene(3);
    const server = new User();
    scene.client.listen({ port: 9 }, (connection) => Object.assign(server, { connection }));
    scene.steer = () => 0;
    const user = new User();
    user.connection = scene.shards[2]!.connect({ remoteAddress: '10.0.0.1', remotePort: 9 }, user);
    user.onEvent = (event) => event === 'established' && user.write('hello');
    scene.runtime.run(1_000);
    expect(server.received.toString()).toBe('hello');
    // 1 was never asked.
    expect(scene.takenOver[1]).toBe(0);
    expect(scene.takenOver[2]).toBe(scene.handedOver[0]);
  });
});

describe('what is nobody’s', () => {
  test.each([
    ['.', 80],
    ['F.', 50_000],
    ['S', 81],
  ])('gets one reset: %s to port %i', (flags, port) => {
    const scene = new ShardScene(3);
    listen(scene, [0, 1, 2]);
    scene.inject(stray(flags, port), 1);
    scene.runtime.run(100);
    expect(scene.sent.map((packet) => packet.flags)).toEqual([flags === 'S' ? 'R.' : 'R']);
  });

  test('a SYN to a port that nobody listens on asks nobody', () => {
    const scene = new ShardScene(3);
    scene.inject(stray('S', 81), 1);
    scene.runtime.run(100);
    expect(scene.handedOver).toEqual([0, 0, 0]);
  });

  test('a reset for nobody is answered by nobody', () => {
    const scene = new ShardScene(3);
    scene.inject(stray('R', 80), 1);
    scene.runtime.run(100);
    expect(scene.sent).toEqual([]);
    expect(scene.takenOver).toEqual([1, 0, 1]);
  });

  test('but was overtaken by the end of its connection, gets no reset', () => {
    const scene = new ShardScene(2);
    listen(scene, [1]);
    let packets = 0;
    let late: Uint8Array | null = null;
    // Only the SYN comes to the wrong shard in time; the ACK behind it takes long.
    scene.steer = (packet) => {
      if (++packets === 2) late = packet;
      return [0, -1][packets - 1] ?? 1;
    };
    const client = connect(scene);
    client.end();
    scene.runtime.run(500);
    expect(client.events).toContain('end');
    scene.inject(late!, 0);
    scene.runtime.run(1_000);
    const { drops } = scene.shards[1]!.counters.snapshot();
    expect(drops).toMatchObject({ shardOvertaken: 1, tcpNoConnection: 0 });
    expect(scene.sent.filter(({ flags }) => flags.includes('R'))).toEqual([]);
    // Much later it is an old duplicate as any other.
    scene.runtime.run(10_000);
    scene.inject(late!, 0);
    scene.runtime.run(10_100);
    expect(scene.sent.at(-1)!.flags).toBe('R');
  });

  test('and carries what had not arrived when its connection ended, gets a reset', () => {
    const scene = new ShardScene(2);
    listen(scene, [1]);
    scene.steer = () => 1;
    const client = connect(scene);
    client.end();
    scene.runtime.run(500);
    const { localPort } = client.connection;
    const last = scene.sent.at(-1)!;
    const fields = { srcAddr: CLIENT, dstAddr: US, srcPort: localPort, dstPort: 80 };
    scene.inject(writeSegment({ ...fields, flags: '.', seq: last.rawAck, data: text(1) }), 0);
    scene.runtime.run(600);
    expect(scene.sent.at(-1)!.flags).toBe('R');
  });

  test('is lost and counted when too much waits', () => {
    const scene = new ShardScene(2);
    scene.board.addWaiting(0, 1, 4 * 1024 * 1024);
    scene.inject(stray('.', 80), 0);
    scene.runtime.run(100);
    expect(scene.sent).toEqual([]);
    const { drops } = scene.shards[0]!.counters.snapshot();
    expect(drops).toMatchObject({ shardQueueFull: 1, tcpNoConnection: 0 });
  });
});

test('an ICMP error gets to the connection that it quotes', () => {
  const scene = new ShardScene(2);
  scene.steer = () => 1;
  const users = listen(scene, [0, 1]);
  const client = connect(scene);
  scene.runtime.run(100);
  const { connection } = users[0]!;
  users[0]!.write(text(3_000));
  scene.runtime.step();
  const last = scene.sent.at(-1)!;
  const quoted = writeSegment({
    srcAddr: US,
    dstAddr: CLIENT,
    srcPort: 80,
    dstPort: client.connection.localPort,
    flags: '.',
    seq: last.rawSeq,
  }).subarray(0, 28);
  new DataView(quoted.buffer, quoted.byteOffset).setUint16(2, 1_500);
  // Fragmentation needed, and the next hop takes 1,000 bytes.
  scene.inject(writeIcmpPacket(CLIENT, US, icmp(3, 4, 1_000, quoted)), 0);
  scene.runtime.run(1_000);
  expect(connection.info().pathMtu).toBe(1_000);
  expect(client.received).toEqual(text(3_000));
});

describe('when a shard has ended', () => {
  test('its connections are reset, those of others go on', () => {
    const scene = new ShardScene(2);
    listen(scene, [0, 1]);
    let queue = 0;
    scene.steer = () => queue;
    const lost = connect(scene);
    scene.runtime.run(100);
    queue = 1;
    const kept = connect(scene);
    scene.runtime.run(200);
    // As a thread that is terminated: it sends nothing any more.
    scene.board.leave(0);
    lost.write('is anybody there?');
    kept.write('and you?');
    scene.runtime.run(1_000);
    expect(lost.events).toContain('closed ECONNRESET');
    expect(kept.isClosed).toBe(false);
  });

  test('by itself, it gets nothing more from others', () => {
    const scene = new ShardScene(2);
    listen(scene, [0, 1]);
    scene.shards[0]!.leave();
    expect(scene.board.alive).toBe(2);
    expect(scene.board.listeners(80)).toBe(2);
    scene.steer = () => 1;
    const client = connect(scene);
    scene.runtime.run(100);
    expect(client.events).toEqual(['established']);
  });

  test('a SYN that comes again finds the connection that the first one has made', () => {
    const scene = new ShardScene(3);
    scene.steer = () => -1;
    listen(scene, [0, 1]);
    scene.board.leave(2);
    const syn = stray('S', 80);
    scene.inject(syn, 0);
    scene.runtime.run(10);
    scene.inject(syn, 1);
    scene.runtime.run(20);
    const opens = scene.shards.map(({ counters }) => counters.tcpPassiveOpens);
    expect(opens[0]! + opens[1]!).toBe(1);
  });
});

test('port 0 gives a port that leads to the shard that listens', () => {
  const scene = new ShardScene(2);
  const listener = scene.shards[1]!.listen({ port: 0 }, () => new User());
  expect(listener.port % 2).toBe(1);
  listener.close();
  expect(scene.board.listeners(listener.port)).toBe(0);
});
