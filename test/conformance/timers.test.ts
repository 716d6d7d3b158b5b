import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { type Peer, scripted } from '../support/peer.js';

/** Times at which the host sends in the next `ms`, from now on. */
function times(p: Peer, ms: number): number[] {
  const start = p.runtime.now();
  p.run(ms);
  const seen = p.inbox.map((packet) => Math.round(packet.at - start));
  p.inbox.length = 0;
  return seen;
}

describe('retransmission timeout (RFC 6298)', () => {
  // RFC6298-2.1, RFC6298-5.5
  scripted(
    '§2.1, §5.5: SYN after 1, 2, 4 ... s; MUST-23: given up after 3 minutes or more',
    {},
    (p) => {
      p.connect();
      expect(times(p, 179_999)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 127_000]);
      expect(p.user.events).toEqual([]);
      p.run(120_000);
      expect(p.user.events).toEqual(['closed ETIMEDOUT']);
      expect(p.host.connectionCount).toBe(0);
      p.inbox.length = 0;
      p.expectNothing(600_000);
    },
  );

  scripted('SYN,ACK as well, synAckRetries times, and the embryonic connection goes', {}, (p) => {
    p.listen();
    p.send('S');
    expect(times(p, 62_999)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000]);
    expect(p.host.connectionCount).toBe(1);
    expect(times(p, 120_000)).toEqual([]);
    expect(p.host.connectionCount).toBe(0);
    expect(p.accepted).toBe(0);
  });

  // MUST-19, RFC6298-5, RFC6298-5.1, RFC6298-5.5, RFC6298-5.6, RFC6298-2.4
  scripted('§5.5: data backs off by doubling up to rtoMax', { tcp: { rtoMax: 3_000 } }, (p) => {
    p.accept();
    p.user.write('x');
    expect(times(p, 15_000)).toEqual([0, 200, 600, 1_400, 3_000, 6_000, 9_000, 12_000, 15_000]);
  });

  // MUST-20
  scripted(
    'R2: ETIMEDOUT after retransmitR2 retransmissions',
    { tcp: { retransmitR2: 4 } },
    (p) => {
      p.accept();
      p.user.write('x');
      expect(times(p, 60_000)).toEqual([0, 200, 600, 1_400, 3_000]);
      expect(p.user.events).toEqual(['established', 'closed ETIMEDOUT']);
      expect(p.host.connectionCount).toBe(0);
    },
  );

  scripted('SHLD-11: by default R2 is 100 s and more', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.run(924_000);
    expect(p.user.events).toEqual(['established']);
    p.run(300_000);
    expect(p.user.events).toEqual(['established', 'closed ETIMEDOUT']);
  });

  scripted('a FIN is retransmitted and given up like data', { tcp: { retransmitR2: 3 } }, (p) => {
    p.accept();
    p.user.connection.close();
    expect(times(p, 60_000)).toEqual([0, 200, 600, 1_400]);
    expect(p.host.connectionCount).toBe(0);
  });

  // MUST-18, RFC6298-3-a
  scripted('§3 (Karn): what was sent twice gives no sample', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.');
    p.expect('.', { seq: 1 }, 200);
    p.expect('.', { seq: 1 }, 400);
    const { srtt } = p.tcb;
    p.run(300);
    p.send('.', { ack: 2 });
    expect(p.tcb.srtt).toBe(srtt);
    // §5: the backed-off RTO stays for the next segment ...
    p.user.write('y');
    p.expect('.', { seq: 2 });
    p.expectNothing(799);
    p.expect('.', { seq: 2 }, 2);
  });

  // RFC6298-3-a
  scripted('with timestamps a retransmission gives a sample', {}, (p) => {
    p.accept({ ts: 1 });
    p.user.write('x');
    p.expect('.');
    p.expect('.', { seq: 1 }, 200);
    p.run(50);
    p.send('.', { ack: 2, ts: 2 });
    p.user.write('y');
    p.expect('.', { seq: 2 });
    p.expect('.', { seq: 2 }, 300);
  });

  // RFC6298-5.2
  scripted('§5.2: nothing outstanding, no timer', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.');
    p.send('.', { ack: 2 });
    p.expectNothing(1_000_000);
  });

  // RFC6298-5.3
  scripted('§5.3: an ACK of new data restarts it', {}, (p) => {
    p.accept({ mss: 100 });
    p.user.write(Buffer.alloc(200));
    p.expect('.', { seq: 1 });
    p.expect('.', { seq: 101 });
    p.run(150);
    p.send('.', { ack: 101 });
    p.expectNothing(199);
    p.expect('.', { seq: 101 }, 25);
  });

  // RFC6298-5.7
  scripted('§5.7: after a lost SYN the RTO starts from 3 s', { tcp: { rtoMin: 1_000 } }, (p) => {
    p.connect();
    p.user.write('x');
    p.expect('S');
    p.expect('S', {}, 1_000);
    p.send('S.', { ack: 1 });
    p.expect('.', { data: 'x' });
    p.expectNothing(2_999);
    p.expect('.', { data: 'x' }, 2);
  });

  scripted('§5.7: but not above rtoMax', { tcp: { rtoMax: 2_000 } }, (p) => {
    p.connect();
    p.user.write('x');
    p.expect('S');
    p.expect('S', {}, 1_000);
    p.send('S.', { ack: 1 });
    p.expect('.', { data: 'x' });
    p.expectNothing(1_999);
    p.expect('.', { data: 'x' }, 2);
  });

  scripted(
    'orphanRetries: a closed connection gives up sooner',
    { tcp: { orphanRetries: 2 } },
    (p) => {
      p.accept();
      p.user.write('x');
      p.user.connection.close();
      expect(times(p, 60_000)).toEqual([0, 200, 600]);
      expect(p.host.connectionCount).toBe(0);
    },
  );

  scripted(
    'orphanRetries: even if the peer answers each zero-window probe',
    { tcp: { orphanRetries: 3 } },
    (p) => {
      p.accept({ win: 0 });
      p.user.write('never taken');
      p.user.connection.close();
      for (let i = 0; i < 3; i++) {
        p.expect('.', { seq: 1, len: 1 }, 10_000);
        p.send('.', { ack: 1, win: 0 });
      }
      p.expect('R.', { seq: 2 }, 10_000);
      expect(p.host.connectionCount).toBe(0);
    },
  );

  scripted('the user timeout (RFC 5482) ends it sooner', { tcp: { userTimeout: 5_000 } }, (p) => {
    p.accept();
    p.user.write('x');
    p.run(4_999);
    expect(p.user.events).toEqual(['established']);
    p.run(4_000);
    expect(p.user.events).toEqual(['established', 'closed ETIMEDOUT']);
  });
});

describe('keep-alive (RFC 9293 §3.8.4)', () => {
  const tcp = { keepAliveIdle: 10_000, keepAliveInterval: 1_000, keepAliveProbes: 3 };

  scripted('MUST-25: off unless asked for', { tcp }, (p) => {
    p.accept();
    p.expectNothing(100_000);
  });

  // MAY-5, MUST-24, MUST-27
  scripted('SHLD-12: probes without data after the idle time, and an answer', { tcp }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.expectNothing(9_999);
    p.expect('.', { seq: 0, ack: 1, len: 0 }, 2);
    p.send('.', { ack: 1 });
    p.expectNothing(9_999);
    p.expect('.', { seq: 0 }, 2);
    expect(p.host.counters.tcpKeepalives).toBe(2);
  });

  scripted('gives up after keepAliveProbes', { tcp }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 5_000);
    expect(times(p, 8_500)).toEqual([5_000, 6_000, 7_000]);
    expect(p.user.events).toEqual(['established', 'closed ETIMEDOUT']);
  });

  scripted('MUST-28: two hours by default', {}, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.expectNothing(7_199_000);
    p.expect('.', { seq: 0 }, 2_000);
  });

  // MUST-29
  scripted('one lost answer ends nothing', { tcp }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.expect('.', { seq: 0 }, 10_001);
    p.expect('.', { seq: 0 }, 1_001);
    p.send('.');
    p.expectNothing(9_900);
    p.expectState('ESTABLISHED');
  });

  // MUST-26
  scripted('not while something is outstanding', { tcp: { ...tcp, keepAliveIdle: 500 } }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.user.write('x');
    p.run(5_000);
    for (const packet of p.inbox) expect(packet.data.toString()).toBe('x');
    expect(p.host.counters.tcpKeepalives).toBe(0);
  });

  // MUST-24
  scripted('can be switched off again', { tcp }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.run(5_000);
    p.user.connection.setKeepAlive(false, 0);
    p.expectNothing(100_000);
  });

  // MUST-26
  scripted('data from the peer starts the time anew', { tcp }, (p) => {
    p.accept();
    p.user.connection.setKeepAlive(true, 0);
    p.run(8_000);
    p.send('.', { data: 'x' });
    p.expect('.', { ack: 2 });
    p.expectNothing(9_900);
    p.expect('.', { seq: 0 }, 200);
  });

  scripted('asked for before the handshake is complete', { tcp }, (p) => {
    p.connect();
    p.user.connection.setKeepAlive(true, 0);
    p.expect('S');
    p.send('S.', { ack: 1 });
    p.expect('.');
    p.expectNothing(9_999);
    p.expect('.', { seq: 0 }, 2);
  });

  conversation('two hosts keep an idle connection alive', { tcp }, (c) => {
    c.establish();
    c.userA.connection.setKeepAlive(true, 0);
    c.run(100_000);
    expect(c.userA.connection.state).toBe('ESTABLISHED');
    expect(c.a.counters.tcpKeepalives).toBeGreaterThanOrEqual(9);
    expect(c.userB.received.length).toBe(0);
  });

  scripted("a peer's keep-alive is answered (garbage octet or none)", {}, (p) => {
    p.accept();
    p.send('.', { seq: 0 });
    p.expect('.', { ack: 1 });
    p.send('.', { seq: 0, data: 'g' });
    p.expect('.', { ack: 1 });
    expect(p.user.received.length).toBe(0);
  });
});
