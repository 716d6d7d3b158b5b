import { describe, expect } from 'vitest';
import { toUint32 } from '../../src/base/seq.js';
import { conversation } from '../support/conversation.js';
import { type Peer, scripted } from '../support/peer.js';

const TWO_MSL = 60_000;

/** An accepted connection that the host closes first; the peer's FIN has number `p.seq - 1`. */
function reachTimeWait(p: Peer, ts: number | null = null): void {
  p.accept(ts === null ? {} : { ts });
  p.user.end();
  p.expect('F.', { seq: 1 });
  p.send('F.', { ack: 2 });
  p.expect('.', { seq: 2, ack: 2 });
  p.expectState('TIME_WAIT');
}

describe('TIME_WAIT (RFC 9293 §3.6.1, §3.10.7.4)', () => {
  scripted('MUST-13: lasts 2 MSL', {}, (p) => {
    reachTimeWait(p);
    p.expectNothing(TWO_MSL - 1);
    p.expectState('TIME_WAIT');
    p.expectNothing(2);
    p.expectState('CLOSED');
    expect(p.states.at(-1)).toBe('CLOSED');
  });

  scripted('lasts 2 MSL of the configuration', { tcp: { msl: 500 } }, (p) => {
    reachTimeWait(p);
    p.run(999);
    expect(p.host.timeWaitCount).toBe(1);
    p.run(2);
    expect(p.host.timeWaitCount).toBe(0);
  });

  scripted('a FIN that comes again is acknowledged again, and 2 MSL start anew', {}, (p) => {
    reachTimeWait(p);
    p.expectNothing(50_000);
    p.send('F.', { seq: 1, ack: 2 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectNothing(TWO_MSL - 1);
    p.expectState('TIME_WAIT');
    p.expectNothing(2);
    p.expectState('CLOSED');
  });

  scripted('a FIN that comes again with its data is acknowledged again', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2, data: 'tail' });
    p.expect('.', { ack: 6 });
    p.send('F.', { seq: 1, ack: 2, data: 'tail' });
    p.expect('.', { seq: 2, ack: 6 });
  });

  scripted('an old duplicate is answered with an ACK and restarts nothing', {}, (p) => {
    reachTimeWait(p);
    p.run(30_000);
    p.send('.', { seq: 0, ack: 1, data: 'o' });
    p.expect('.', { seq: 2, ack: 2 });
    p.run(30_001);
    p.expectState('CLOSED');
  });

  scripted('RFC 1337: RST does not end it', {}, (p) => {
    reachTimeWait(p);
    p.send('R', { seq: 2 });
    p.send('R.', { seq: 2, ack: 2 });
    p.expectNothing(0);
    p.expectState('TIME_WAIT');
  });

  scripted('the ACK of the ACK is not answered', {}, (p) => {
    reachTimeWait(p);
    p.send('.', { seq: 2, ack: 2 });
    p.expectNothing(100);
  });

  scripted('simultaneous close ends in TIME_WAIT by ACK of FIN', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 1 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('CLOSING');
    p.send('.', { ack: 2 });
    p.expectState('TIME_WAIT');
    p.expectNothing(0);
  });

  scripted('the oldest goes when there are too many', { tcp: { maxTimeWait: 2 } }, (p) => {
    p.listen();
    for (let i = 0; i < 3; i++) {
      p.peerPort = 7_000 + i;
      p.seq = 0;
      p.send('S');
      p.expect('S.');
      p.ack = 1;
      p.send('.');
      p.users[i]!.end();
      p.expect('F.', { seq: 1 });
      p.send('F.', { ack: 2 });
      p.expect('.', { ack: 2 });
    }
    expect(p.host.timeWaitCount).toBe(2);
    expect(p.host.counters.tcpTimeWaitOverflows).toBe(1);
    p.peerPort = 7_000;
    p.send('F.', { seq: 1 });
    p.expect('R', { seq: 2 });
    p.peerPort = 7_002;
    p.send('F.', { seq: 1 });
    p.expect('.', { ack: 2 });
  });
});

describe('reuse of TIME_WAIT (RFC 6191)', () => {
  // MAY-2
  scripted('a SYN beyond the old sequence numbers opens a new incarnation', {}, (p) => {
    reachTimeWait(p);
    const oldNext = p.hostIss + 2;
    p.send('S', { seq: 3 });
    const answer = p.expect('S.', { ack: 4 });
    expect((toUint32(answer.rawSeq) - toUint32(oldNext as never)) >>> 0).toBeLessThan(0x8000_0000);
    p.send('.', { seq: 4, ack: 1 });
    p.expectState('ESTABLISHED');
    expect(p.host.counters.tcpTimeWaitReused).toBe(1);
    expect(p.host.timeWaitCount).toBe(0);
    p.send('.', { seq: 4, ack: 1, data: 'new' });
    expect(p.accepted).toBe(2);
    // The record of the old incarnation is really gone: nothing ends the new one.
    p.run(2 * TWO_MSL);
    p.expectState('ESTABLISHED');
  });

  scripted('a SYN with an old number is acknowledged, no more', {}, (p) => {
    reachTimeWait(p);
    p.send('S', { seq: 1 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('TIME_WAIT');
  });

  // SHLD-4
  scripted('with timestamps a later one is enough', {}, (p) => {
    reachTimeWait(p, 5_000);
    p.send('S', { seq: -1_000_000, ts: 5_001 });
    p.expect('S.', { ack: -999_999 });
  });

  scripted('with timestamps an older one is refused, whatever the number', {}, (p) => {
    reachTimeWait(p, 5_000);
    p.send('S', { seq: 1_000, ts: 4_999 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('TIME_WAIT');
  });

  scripted('with equal timestamps the number decides', {}, (p) => {
    reachTimeWait(p, 5_000);
    p.send('S', { seq: 1, ts: 5_000 });
    p.expect('.', { seq: 2, ack: 2 });
    p.send('S', { seq: 3, ts: 5_000 });
    p.expect('S.', { ack: 4 });
  });

  scripted('without a listener there is no reuse', {}, (p) => {
    p.hostPort = 40_000;
    p.connect();
    p.expect('S');
    p.send('S.', { ack: 1 });
    p.expect('.');
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    p.send('S', { seq: 100 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('TIME_WAIT');
  });

  scripted('a full backlog keeps the record', {}, (p) => {
    p.listen(1);
    p.send('S');
    p.expect('S.');
    p.send('.', { ack: 1 });
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    const { peerPort } = p;
    p.peerPort = 9_999;
    p.send('S', { seq: 0 });
    p.run(0);
    p.inbox.length = 0;
    p.peerPort = peerPort;
    p.send('S', { seq: 100 });
    expect(p.host.timeWaitCount).toBe(1);
  });

  conversation('two hosts use the same two sockets again and again', {}, (c) => {
    c.userB.endsWithPeer = true;
    c.establish();
    c.userA.write('one');
    c.userA.end();
    c.run(1_000);
    expect(c.a.timeWaitCount).toBe(1);
    expect(() => c.connect()).toThrowError(expect.objectContaining({ code: 'EADDRINUSE' }));
    c.run(TWO_MSL);
    c.connect();
    c.run(100);
    expect(c.accepted).toBe(2);
  });
});
