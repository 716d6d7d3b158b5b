import { describe, expect } from 'vitest';
import type { Seq } from '../../src/base/seq.js';
import { type Peer, scripted } from '../support/peer.js';

/** Another peer: its own port, from the first number on. */
function next(p: Peer): void {
  p.peerPort++;
  p.seq = 0;
  p.ack = 0;
}

/** A connection is opened, with the next port of the peer. */
function another(p: Peer): void {
  next(p);
  p.send('S');
  p.expect('S.');
  p.send('.');
}

describe('the accept queue of a listener', () => {
  /** The application has yet to take `waiting.count` connections. */
  function listen(p: Peer, backlog: number): { count: number } {
    const waiting = { count: 0 };
    p.host.listen({ port: 80, backlog, waiting: () => waiting.count }, (connection) => {
      p.accepted++;
      p.user.connection = connection;
      return p.user;
    });
    return waiting;
  }

  scripted('full, SYNs are dropped, and counted as netstat -s has it', {}, (p) => {
    const waiting = listen(p, 3);
    waiting.count = 3;
    p.send('S');
    p.expectNothing(0);
    const { counters } = p.host;
    expect(counters).toMatchObject({ tcpListenOverflows: 1, tcpListenDrops: 1 });
    expect(counters).toMatchObject({ tcpSyncookiesSent: 0, tcpReqQFullDrop: 0 });
    expect(counters.snapshot().drops.tcpAcceptQueueFull).toBe(1);
    waiting.count = 2;
    p.send('S', { seq: 0 });
    p.expect('S.');
  });

  scripted('full, the ACK of a SYN,ACK is as if it were lost', {}, (p) => {
    const waiting = listen(p, 1);
    p.send('S');
    p.expect('S.');
    waiting.count = 1;
    p.send('.');
    p.expectState('SYN_RECEIVED');
    expect(p.accepted).toBe(0);
    p.expect('S.', { seq: 0 }, 1_000);
    waiting.count = 0;
    p.send('.', { data: 'hello' });
    p.expectState('ESTABLISHED');
    expect(p.user.received.toString()).toBe('hello');
  });

  scripted('holds what is complete within a batch', {}, (p) => {
    p.listen(2);
    const isns: Seq[] = [];
    for (let i = 0; i < 3; i++) {
      next(p);
      p.send('S');
      p.expect('S.');
      isns.push(p.hostIss);
    }
    p.together(() => {
      for (const isn of isns) {
        p.peerPort = 5_001 + isns.indexOf(isn);
        p.hostIss = isn;
        p.send('.', { seq: 1, ack: 1 });
      }
    });
    expect(p.accepted).toBe(2);
    expect(p.host.counters).toMatchObject({ tcpSyncookiesSent: 1, tcpListenOverflows: 1 });
    p.expectNothing(0);
    p.send('.', { seq: 1, ack: 1 });
    expect(p.accepted).toBe(3);
  });

  const COOKIES = { tcp: { synCookies: 'always' } } as const;
  scripted('full, a cookie that comes back is no reason for a RST', COOKIES, (p) => {
    const waiting = listen(p, 1);
    p.send('S');
    p.expect('S.');
    waiting.count = 1;
    p.send('.');
    p.expectNothing(0);
    expect(p.host.connectionCount).toBe(0);
    waiting.count = 0;
    p.send('.', { data: 'again' });
    p.expectState('ESTABLISHED');
    expect(p.user.received.toString()).toBe('again');
  });

  const SMALL = { tcp: { synCookies: 'never', maxBacklog: 3, maxSynBacklog: 2 } } as const;
  scripted(
    'and that of half-open connections are no longer than the host lets them be',
    SMALL,
    (p) => {
      p.listen(100);
      for (let i = 0; i < 4; i++) {
        next(p);
        p.send('S');
      }
      expect(p.inbox).toHaveLength(2);
      expect(p.host.counters.tcpReqQFullDrop).toBe(2);
      const [listener] = p.host.connections();
      expect(listener).toMatchObject({ kind: 'listener', backlog: 3, pending: 2 });
    },
  );
});

describe('limits of a host', () => {
  scripted(
    'connections beyond maxConnections are not begun',
    { tcp: { maxConnections: 2 } },
    (p) => {
      p.listen();
      another(p);
      another(p);
      next(p);
      p.send('S');
      p.expectNothing(0);
      expect(p.host.connectionCount).toBe(2);
      expect(p.host.counters.snapshot().drops.tcpTooManyConnections).toBe(1);
      expect(p.host.counters.tcpListenDrops).toBe(1);
      p.users[0]!.connection.abort();
      p.run(0);
      p.inbox.length = 0;
      another(p);
      expect(p.accepted).toBe(3);
    },
  );

  scripted(
    'of closed connections more than maxOrphans are reset',
    { tcp: { maxOrphans: 1 } },
    (p) => {
      p.listen();
      for (let i = 0; i < 3; i++) {
        another(p);
        p.users[i]!.write('unacknowledged');
        p.expect('.', { data: 'unacknowledged' });
      }
      p.users[0]!.connection.close();
      p.expect('F.');
      expect(p.host.counters.tcpAbortOnMemory).toBe(0);
      p.users[1]!.connection.close();
      p.run(0);
      expect(p.inbox.map((packet) => packet.flags)).toEqual(['F.', 'R.']);
      p.inbox.length = 0;
      expect(p.host.counters.tcpAbortOnMemory).toBe(1);
      expect(p.host.connectionCount).toBe(2);
      expect(p.host.metrics()).toMatch(/^tuntcp_orphans 1$/m);
    },
  );
});

const LITTLE = { tcp: { maxMemory: 65_536, receiveBuffer: 262_144, sendBuffer: 262_144 } };
const PIECE = new Uint8Array(1_460);
/** What each connection may hold even then. */
const LEAST = 16_384;

/** One connection takes all the memory that there is, and nobody reads. */
function exhaust(p: Peer): void {
  p.listen();
  another(p);
  p.user.reads = false;
  while (p.host.counters.tcpMemoryPressures === 0) p.send('.', { data: PIECE });
  p.run(100);
  p.inbox.length = 0;
}

describe('when connections hold maxMemory together', () => {
  scripted('text that nobody reads is not taken, and its sender is told', LITTLE, (p) => {
    exhaust(p);
    const { tcb } = p;
    expect(tcb.receiveQueue.length).toBeLessThanOrEqual(65_536 + PIECE.length);
    const { rcvNxt, rcvAdv } = tcb;
    p.send('.', { seq: p.seq, data: PIECE });
    p.expect('.', { ack: p.seq });
    expect(tcb.rcvNxt).toBe(rcvNxt);
    expect(tcb.rcvAdv).toBe(rcvAdv);
    expect(p.host.counters.tcpRcvQDrop).toBe(1);
    expect(p.host.metrics()).toMatch(/^tuntcp_memory_bytes [67]\d{4}$/m);
    p.user.reads = true;
    p.user.read();
    p.run(100);
    p.inbox.length = 0;
    p.send('.', { data: PIECE });
    p.run(100);
    expect(p.user.received.length).toBe(p.seq - 1);
  });

  scripted('segments out of order are not kept', LITTLE, (p) => {
    exhaust(p);
    another(p);
    p.send('.', { seq: 101, data: PIECE });
    p.expect('.', { ack: 1 });
    const tcb = [...p.host.tcbs()].find((each) => each.remotePort === p.peerPort)!;
    expect(tcb.reassembly.isEmpty).toBe(true);
    expect(p.host.counters.tcpOfoDrop).toBe(1);
  });

  scripted('who reads, reads on', LITTLE, (p) => {
    exhaust(p);
    another(p);
    for (let i = 0; i < 40; i++) p.send('.', { data: PIECE });
    expect(p.users[1]!.received.length).toBe(40 * PIECE.length);
    expect(p.host.counters.tcpRcvQDrop).toBe(0);
  });

  scripted('each may still write a little at a time', LITTLE, (p) => {
    exhaust(p);
    another(p);
    const { connection } = p.users[1]!;
    expect(connection.write(new Uint8Array(100_000))).toBe(LEAST);
    expect(connection.write(new Uint8Array(100_000))).toBe(0);
    p.run(0);
    const sent = p.inbox.reduce((total, packet) => total + packet.data.length, 0);
    p.inbox.length = 0;
    p.send('.', { ack: 1 + sent });
    expect(p.users[1]!.events).toContain('writable');
    expect(connection.write(new Uint8Array(100_000))).toBe(sent);
  });

  scripted('a connection that ends gives back what it held', LITTLE, (p) => {
    exhaust(p);
    p.users[0]!.connection.abort();
    p.run(0);
    p.inbox.length = 0;
    another(p);
    p.send('.', { seq: 101, data: PIECE });
    p.expect('.', { ack: 1 });
    expect(p.host.counters.tcpOfoDrop).toBe(0);
  });
});

const LITTLE_BUFFER = { tcp: { receiveBuffer: 8_192 } };
describe('segments out of order', () => {
  scripted('cost at most twice the receive buffer per connection', LITTLE_BUFFER, (p) => {
    p.listen();
    another(p);
    for (let i = 0; i < 200; i++) p.send('.', { seq: 3 + 2 * i, data: 'x' });
    const { reassembly } = p.tcb;
    expect(reassembly.cost).toBeLessThanOrEqual(2 * 8_192 + 256);
    expect(p.host.counters.tcpOfoDrop).toBe(200 - reassembly.blocks);
    expect(p.host.counters.tcpOfoDrop).toBeGreaterThan(100);
  });
});
