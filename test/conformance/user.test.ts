import { describe, expect } from 'vitest';
import { ADDRESS_B } from '../support/conversation.js';
import { dropsOf } from '../support/drops.js';
import { writeSegment } from '../support/packet.js';
import { type Peer, scripted } from '../support/peer.js';
import { User } from '../support/user.js';

/** Notes `trouble` among the user's events. */
function noteTrouble(p: Peer): void {
  p.user.trouble = () => {
    p.user.events.push('trouble');
  };
}

/** A SYN to port 80 from anywhere to anywhere. */
function syn(srcAddr: number, dstAddr: number): Uint8Array {
  return writeSegment({ srcAddr, dstAddr, srcPort: 5_000, dstPort: 80, flags: 'S', seq: 1 });
}

const ADDRESS_A = 0x0a00_0001;
const BROADCAST = -1;
const NETWORK_BROADCAST = 0x0a00_00ff;
const MULTICAST = 0xe000_0001 | 0;

describe('connection failures (RFC 9293 §3.8.3)', () => {
  // MUST-20, MUST-47, SHLD-9, SHLD-10
  scripted('R1: the user is told at the third retransmission, and goes on', {}, (p) => {
    noteTrouble(p);
    p.accept();
    p.user.write('x');
    p.run(1_399);
    expect(p.user.events).toEqual(['established']);
    p.run(2);
    expect(p.user.events).toEqual(['established', 'trouble']);
    p.inbox.length = 0;
    p.send('.', { ack: 2 });
    p.expectState('ESTABLISHED');
  });

  // MUST-22
  scripted('R1 and R2 hold for a SYN', { tcp: { synTimeout: 10_000 } }, (p) => {
    noteTrouble(p);
    p.connect();
    p.run(7_000);
    expect(p.user.events).toEqual(['trouble']);
    p.run(60_000);
    expect(p.user.events).toEqual(['trouble', 'closed ETIMEDOUT']);
  });

  // SHLD-20
  scripted('a user who does not ask hears of no trouble', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.run(10_000);
    expect(p.user.events).toEqual(['established']);
  });

  // MUST-21
  scripted('R2 of one connection is its own', {}, (p) => {
    p.accept();
    p.user.connection.setUserTimeout(5_000);
    p.user.write('x');
    p.run(4_900);
    expect(p.user.events).toEqual(['established']);
    p.run(5_000);
    expect(p.user.events).toEqual(['established', 'closed ETIMEDOUT']);
  });

  scripted('and can be given back to the configuration', { tcp: { userTimeout: 9_000 } }, (p) => {
    p.accept();
    p.user.connection.setUserTimeout(1_000);
    p.user.connection.setUserTimeout(0);
    p.user.write('x');
    p.run(8_900);
    expect(p.user.events).toEqual(['established']);
    p.run(9_000);
    expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
  });
});

describe('OPEN (RFC 9293 §3.9.1.1)', () => {
  // MUST-41, MUST-42
  scripted('LISTEN on a port with connections in other states leaves them alone', {}, (p) => {
    p.connect();
    p.expect('S');
    p.listen();
    p.expectState('SYN_SENT');
    const { peerPort } = p;
    p.peerPort = 6_000;
    p.send('S', { seq: 0 });
    p.run(0);
    p.peerPort = peerPort;
    p.inbox.length = 0;
    p.send('S.', { seq: 0, ack: 1 });
    p.expect('.', { seq: 1, ack: 1 });
    expect(p.user.connection.state).toBe('ESTABLISHED');
    expect(p.user.events).toEqual(['established']);
    expect(p.host.connectionCount).toBe(2);
  });

  // MUST-43
  scripted('a listener may be for one local address', {}, (p) => {
    const user = new User();
    p.host.listen({ port: 80, address: '10.0.0.2' }, (connection) => {
      user.connection = connection;
      return user;
    });
    p.send('S');
    p.expect('S.', { ack: 1 });
    p.send('.');
    expect(user.connection.localAddress).toBe('10.0.0.2');
  });

  // MUST-45
  scripted('every segment of a connection has the address of its SYN', {}, (p) => {
    p.connect();
    p.user.write('text');
    const seen = [p.expect('S')];
    p.send('S.', { ack: 1 });
    seen.push(p.expect('.', { data: 'text' }));
    seen.push(p.expect('.', { data: 'text' }, 5_000));
    p.user.end();
    seen.push(p.expect('F.'));
    for (const packet of seen) expect(packet.srcAddr).toBe(ADDRESS_B);
  });
});

describe('addresses that cannot be (RFC 9293 §3.9.2.3)', () => {
  // MUST-57
  scripted('a SYN to a broadcast or multicast address is dropped', {}, (p) => {
    p.listen();
    for (const to of [BROADCAST, NETWORK_BROADCAST, MULTICAST]) p.sendRaw(syn(ADDRESS_A, to));
    p.expectNothing(5_000);
    expect(p.host.connectionCount).toBe(0);
    expect(dropsOf(p.host)).toEqual({ ipNotOurs: 3 });
  });

  // MUST-63
  scripted('a SYN from an address that no host has is dropped', {}, (p) => {
    p.listen();
    for (const from of [BROADCAST, MULTICAST, 0, 0x7f00_0001, ADDRESS_B]) {
      p.sendRaw(syn(from, ADDRESS_B));
    }
    p.expectNothing(5_000);
    expect(p.host.connectionCount).toBe(0);
    expect(dropsOf(p.host)).toEqual({ ipBadSource: 5 });
  });
});

describe('SEND (RFC 9293 §3.9.1.2)', () => {
  // MUST-60, MUST-61
  scripted('a short text goes out by itself, and PSH marks the end of what there is', {}, (p) => {
    p.accept({ mss: 1_000 });
    p.user.write('short');
    p.expect('.', { data: 'short', push: true });
    p.send('.', { ack: 6 });
    p.user.write(Buffer.alloc(2_500));
    p.expect('.', { len: 1_000, push: false });
    p.expect('.', { len: 1_000, push: false });
    p.expect('.', { len: 500, push: true });
  });

  // SHLD-27, SHLD-28, MAY-16
  scripted('what several calls write goes out in full segments', {}, (p) => {
    p.accept({ mss: 1_000 });
    for (let i = 0; i < 25; i++) p.user.write(Buffer.alloc(100));
    p.expect('.', { seq: 1, len: 1_000, push: false });
    p.expect('.', { seq: 1_001, len: 1_000, push: false });
    p.expect('.', { seq: 2_001, len: 500, push: true });
    p.expectNothing(0);
  });
});

describe('what IP is asked for (RFC 9293 §3.9.1.9, §3.9.2)', () => {
  // MUST-48, SHLD-21, SHLD-22
  scripted("the DiffServ value is the user's, and may change", {}, (p) => {
    p.accept();
    p.user.connection.setTypeOfService(46 << 2);
    p.user.write('voice');
    p.expect('.', { data: 'voice', tos: 46 << 2 });
    p.send('.', { ack: 6 });
    p.user.connection.setTypeOfService(8 << 2);
    p.user.write('bulk');
    p.expect('.', { data: 'bulk', tos: 8 << 2 });
  });

  // MUST-49
  scripted(
    "the TTL is the configuration's, in every segment",
    { tcp: { ttl: 3, msl: 10 } },
    (p) => {
      p.listen();
      p.send('S');
      expect(p.expect('S.').ttl).toBe(3);
      p.send('.');
      p.user.end();
      expect(p.expect('F.').ttl).toBe(3);
      p.send('F.', { ack: 2 });
      expect(p.expect('.').ttl).toBe(3);
      p.expectState('TIME_WAIT');
      p.send('F.', { seq: 1, ack: 2 });
      expect(p.expect('.').ttl).toBe(3);
      p.hostPort = 81;
      p.send('S');
      expect(p.expect('R.').ttl).toBe(3);
    },
  );
});
