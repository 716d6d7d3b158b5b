import { describe, expect, test } from 'vitest';
import { conversation } from '../support/conversation.js';
import { DELAYED_ACK, Peer, scripted } from '../support/peer.js';

describe('opening a connection (RFC 9293 §3.5, figure 5)', () => {
  conversation('active and passive open take three segments', {}, (c) => {
    c.establish();
    expect(c.states.a).toEqual(['SYN_SENT', 'ESTABLISHED']);
    expect(c.states.b).toEqual(['SYN_RECEIVED', 'ESTABLISHED']);
    expect(c.sent('a')).toEqual(['S', '.']);
    expect(c.sent('b')).toEqual(['S.']);
    expect(c.userA.events).toEqual(['established']);
    expect(c.userB.events).toEqual(['established']);
    expect(c.a.counters.tcpActiveOpens).toBe(1);
    expect(c.b.counters.tcpPassiveOpens).toBe(1);
  });

  conversation('MUST-10: SYNs that cross open one connection', {}, (c) => {
    c.connectBoth();
    c.run(100);
    expect(c.states.a).toEqual(['SYN_SENT', 'SYN_RECEIVED', 'ESTABLISHED']);
    expect(c.states.b).toEqual(['SYN_SENT', 'SYN_RECEIVED', 'ESTABLISHED']);
    expect(c.userA.events).toEqual(['established']);
    expect(c.userB.events).toEqual(['established']);
    c.userA.write('from a');
    c.userB.write('from b');
    c.run(100);
    expect(c.userB.received.toString()).toBe('from a');
    expect(c.userA.received.toString()).toBe('from b');
    c.userA.end();
    c.userB.end();
    c.finish();
    expect(c.userA.events).toContain('closed');
    expect(c.userB.events).toContain('closed');
  });

  scripted('§3.10.7.3: simultaneous open against a peer that answers SYN with SYN,ACK', {}, (p) => {
    p.connect();
    p.expect('S', { seq: 0 });
    p.send('S', { mss: 1460 });
    p.expectState('SYN_RECEIVED');
    p.expect('S.', { seq: 0, ack: 1 });
    p.send('S.', { seq: 0, ack: 1, mss: 1460 });
    p.expectState('ESTABLISHED');
    p.expect('.', { seq: 1, ack: 1 });
    expect(p.user.events).toEqual(['established']);
  });

  scripted('simultaneous open that a plain ACK completes', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S');
    p.expect('S.');
    p.send('.', { ack: 1 });
    p.expectState('ESTABLISHED');
  });

  scripted('data rides on the third segment of the handshake', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.', { seq: 0, ack: 1 });
    p.send('.', { data: 'hello' });
    expect(p.user.events).toEqual(['established']);
    expect(p.user.received.toString()).toBe('hello');
    p.expect('.', { seq: 1, ack: 6 });
  });

  scripted('FIN on the third segment of the handshake', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    p.send('F.', { data: 'hi' });
    expect(p.user.received.toString()).toBe('hi');
    expect(p.user.events).toEqual(['established', 'end']);
    p.expectState('CLOSE_WAIT');
    p.expect('.', { ack: 4 }, DELAYED_ACK);
  });

  scripted('§3.10.7.2: data on a SYN is kept until the handshake is complete', {}, (p) => {
    p.listen();
    p.send('S', { data: 'early' });
    p.expect('S.', { ack: 1 });
    expect(p.accepted).toBe(0);
    p.send('.');
    p.expectState('ESTABLISHED');
    expect(p.user.received.toString()).toBe('early');
    p.expect('.', { ack: 6 });
  });

  scripted('§3.10.7.2: data and FIN on a SYN are kept', {}, (p) => {
    p.listen();
    p.send('SF', { data: 'all' });
    p.expect('S.', { ack: 1 });
    p.send('.');
    expect(p.user.received.toString()).toBe('all');
    expect(p.user.events).toEqual(['established', 'end']);
    p.expectState('CLOSE_WAIT');
    p.expect('.', { ack: 5 });
  });

  scripted('§3.10.7.3: data on a SYN,ACK is taken', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S.', { ack: 1, data: 'welcome' });
    expect(p.user.received.toString()).toBe('welcome');
    p.expect('.', { ack: 8 });
  });

  scripted('§3.10.7.3: data on a SYN that crosses ours is kept', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S', { data: 'crossing' });
    p.expect('S.', { ack: 1 });
    p.send('.', { ack: 1 });
    expect(p.user.received.toString()).toBe('crossing');
    p.expect('.', { ack: 9 });
  });

  scripted('what is written before the handshake is complete goes out after it', {}, (p) => {
    p.connect();
    p.user.write('ready');
    p.expect('S');
    p.send('S.', { ack: 1 });
    const packet = p.expect('.', { seq: 1, ack: 1, data: 'ready' });
    expect(packet.push).toBe(true);
    p.expectNothing(0);
  });

  scripted('a close before the handshake is complete sends data and FIN after it', {}, (p) => {
    p.connect();
    p.user.write('bye');
    p.user.end();
    p.expect('S');
    p.send('S.', { ack: 1 });
    p.expect('F.', { seq: 1, data: 'bye' });
    p.expectState('FIN_WAIT_1');
  });

  scripted('§3.10.7.4: CLOSE in SYN_RECEIVED goes to FIN_WAIT_1', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S');
    p.expect('S.', { seq: 0, ack: 1 });
    p.user.end();
    p.run(0);
    p.expectState('FIN_WAIT_1');
    p.expect('F.', { seq: 1, ack: 1 });
    p.send('.', { ack: 2 });
    p.expectState('FIN_WAIT_2');
    p.send('F.', { ack: 2 });
    p.expect('.', { ack: 2 });
    p.expectState('TIME_WAIT');
    expect(p.user.events).toEqual(['established', 'finished', 'end', 'closed']);
  });

  scripted('CLOSE in SYN_RECEIVED: text on the SYN is still handed over', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S', { data: 'early' });
    p.expect('S.', { ack: 1 });
    p.user.end();
    p.expect('F.', { seq: 1 });
    p.send('.', { ack: 2 });
    expect(p.user.received.toString()).toBe('early');
    p.expect('.', { ack: 6 });
  });

  scripted('§3.10.7.4: a SYN,ACK is sent again for a SYN that comes again', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1000 });
    p.expect('S.', { seq: 0, ack: 1 });
    p.send('S', { seq: 0, mss: 1000 });
    p.expect('S.', { seq: 0, ack: 1 });
    p.send('.');
    p.expectState('ESTABLISHED');
    expect(p.accepted).toBe(1);
  });

  scripted('a SYN with text that comes again is answered in the same way', {}, (p) => {
    p.listen();
    p.send('S', { data: 'early' });
    p.expect('S.', { seq: 0, ack: 1 });
    p.send('S', { seq: 0, data: 'early' });
    p.expect('S.', { seq: 0, ack: 1 });
    p.expectState('SYN_RECEIVED');
    p.send('.', { seq: 1 });
    p.expectState('ESTABLISHED');
    expect(p.user.received.toString()).toBe('early');
  });

  scripted('handshakes that fail are counted on either side (RFC 4022)', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('R.', { seq: 0, ack: 1 });
    expect(p.user.events).toEqual(['closed ECONNREFUSED']);
    expect(p.host.counters.tcpAttemptFails).toBe(1);
    expect(p.host.counters.tcpEstabResets).toBe(0);
  });

  scripted('a SYN,ACK that comes again is acknowledged again', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S.', { ack: 1 });
    p.expect('.', { seq: 1, ack: 1 });
    p.send('S.', { seq: 0, ack: 1 });
    p.expect('.', { seq: 1, ack: 1 });
    p.expectState('ESTABLISHED');
  });

  for (const ack of [0, 2, -5]) {
    scripted(`§3.10.7.3: SYN,ACK that acknowledges ${ack} is answered with RST`, {}, (p) => {
      p.connect();
      p.expect('S');
      p.send('S.', { ack, seq: 0 });
      p.expect('R', { seq: ack });
      p.expectState('SYN_SENT');
      p.send('S.', { seq: 0, ack: 1 });
      p.expect('.', { seq: 1, ack: 1 });
    });
  }

  scripted(
    '§3.10.7.4: an ACK of what was not sent in SYN_RECEIVED is answered with RST',
    {},
    (p) => {
      p.listen();
      p.send('S');
      p.expect('S.');
      p.send('.', { ack: 77 });
      p.expect('R', { seq: 77 });
      p.expectState('SYN_RECEIVED');
      p.send('.', { ack: 1 });
      p.expectState('ESTABLISHED');
    },
  );

  scripted(
    'half-open discovery (§3.5.1, figure 9): SYN to a peer that is still connected',
    {},
    (p) => {
      p.connect();
      p.expect('S', { seq: 0 });
      // The peer has an old connection and answers with where it is.
      p.send('.', { seq: 300, ack: 100 });
      p.expect('R', { seq: 100 });
      p.expectState('SYN_SENT');
      p.expect('S', { seq: 0 }, 1_000);
      p.send('S.', { seq: 0, ack: 1 });
      p.expectState('ESTABLISHED');
    },
  );

  test('a connection can be opened from every ephemeral port once', () => {
    const p = new Peer();
    const ports = new Set<number>();
    for (let i = 0; i < 500; i++) {
      const c = p.host.connect({ remoteAddress: '10.0.0.1', remotePort: 9 }, p.user);
      ports.add(c.localPort);
    }
    expect(ports.size).toBe(500);
    expect(p.host.connectionCount).toBe(500);
  });
});

const NO_COOKIES = { tcp: { synCookies: 'never' } } as const;

describe('backlog', () => {
  scripted('SYNs beyond the backlog are dropped and counted', NO_COOKIES, (p) => {
    p.listen(2);
    for (let i = 0; i < 4; i++) {
      p.peerPort = 6_000 + i;
      p.send('S', { seq: 0 });
    }
    p.expect('S.');
    p.expect('S.');
    p.expectNothing(0);
    expect(p.host.counters.tcpReqQFullDrop).toBe(2);
    expect(p.host.counters.tcpListenDrops).toBe(2);
    expect(p.host.counters.tcpListenOverflows).toBe(0);
  });

  scripted('closing a listener resets what was not accepted', {}, (p) => {
    const listener = p.host.listen({ port: 80 }, () => p.user);
    p.send('S');
    p.expect('S.', { seq: 0, ack: 1 });
    listener.close();
    p.run(0);
    p.expect('R.', { seq: 1, ack: 1 });
    expect(p.host.connectionCount).toBe(0);
  });
});
