import { describe, expect } from 'vitest';
import { dropsOf } from '../support/drops.js';
import { writeIcmpPacket } from '../support/packet.js';
import { scripted } from '../support/peer.js';

/** Each of these was first seen in a run of `scripts/fuzz`. */
describe('what unlikely conversations have brought to light', () => {
  scripted('an ACK of new octets brings its window, although its number is older', {}, (p) => {
    p.accept({ win: 1_460, mss: 536 });
    p.user.write(Buffer.alloc(20_000, 'x'));
    p.run(0);
    p.inbox.length = 0;
    // Out of order, and so numbered higher than what comes next.
    p.send('.', { seq: 3_000, ack: 1, data: 'later' });
    p.send('.', { seq: 1, ack: 1_073, win: 0, data: 'sooner' });
    p.run(0);
    const sent = Math.max(...p.inbox.map((one) => one.rawSeq - p.hostIss + one.data.length));
    expect(sent).toBeLessThanOrEqual(1_461);
    expect(p.tcb.sndWnd).toBe(0);
  });

  const odd = { receiveBuffer: 100_001 };

  scripted('SHLD-14: the ACKs of TIME_WAIT do not take back a window', { tcp: odd }, (p) => {
    p.accept({ wscale: 2 });
    p.user.end();
    p.expect('F.', { seq: 1 });
    p.send('.', { ack: 2, data: 'x' });
    p.run(100);
    expect(p.inbox.pop()?.win).toBe(50_001);
    p.send('F.', { ack: 2 });
    const last = p.expect('.', { seq: 2 });
    p.send('.', { data: 'late' });
    const again = p.expect('.', { seq: 2 });
    expect(again.win).toBeGreaterThanOrEqual(last.win);
  });

  scripted(
    'a stream that the peer has ended is read to its end, even after a failure',
    { tcp: { retransmitR2: 2 } },
    (p) => {
      p.accept();
      p.user.reads = false;
      p.send('.', { data: 'unread' });
      p.user.write('x');
      p.send('F.', { ack: 1 });
      p.run(60_000);
      expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
      expect(p.user.connection.ended).toBe(false);
      expect(String(p.user.connection.read())).toBe('unread');
      expect(p.user.connection.ended).toBe(true);
    },
  );

  scripted(
    'a reset that answers our last words takes nothing of what the peer has said',
    {},
    (p) => {
      p.accept();
      p.user.reads = false;
      p.send('.', { data: 'all there is' });
      p.send('F.');
      p.send('R.');
      expect(p.user.events.at(-1)).toBe('closed ECONNRESET');
      expect(String(p.user.connection.read())).toBe('all there is');
      expect(p.user.connection.ended).toBe(true);
    },
  );

  const tcp = { keepAliveIdle: 10_000, keepAliveInterval: 1_000, keepAliveProbes: 3 };

  scripted('keep-alive that was asked for before a half-close in SYN_RECEIVED', { tcp }, (p) => {
    p.connect();
    p.user.connection.setKeepAlive(true, 0);
    p.expect('S');
    p.send('S');
    p.expect('S.');
    p.user.end();
    p.expect('F.', { seq: 1 });
    p.expectState('FIN_WAIT_1');
    p.send('.', { ack: 2 });
    p.expectState('FIN_WAIT_2');
    p.expectNothing(9_999);
    p.expect('.', { seq: 1 }, 2);
    p.run(60_000);
    expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
  });

  scripted('keep-alive of a connection in TIME_WAIT starts no timer', { tcp }, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.', { ack: 2 });
    p.expectState('TIME_WAIT');
    p.user.connection.setKeepAlive(true, 0);
    expect(p.user.connection.info().timers).toEqual([]);
  });

  scripted('an ACK with SACK blocks is no longer than the MTU', { mtu: 68 }, (p) => {
    p.accept({ sackOk: true, ts: 1 });
    for (const seq of [101, 201, 301, 401]) p.send('.', { seq, data: 'island' });
    p.run(0);
    const headers = p.inbox.map((one) => 20 + 20 + 12 + 4 + one.sack.length * 8);
    expect(p.inbox.at(-1)?.sack.length).toBeGreaterThan(0);
    expect(Math.max(...headers)).toBeLessThanOrEqual(68);
  });

  scripted('a SYN,ACK does not complete a handshake that a SYN has begun', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    p.send('S.', { seq: 0, ack: 1 });
    p.expect('.', { seq: 1, ack: 1 });
    p.expectState('SYN_RECEIVED');
    p.send('.', { ack: 1 });
    p.expectState('ESTABLISHED');
  });

  scripted('a peer that restarts without timestamps hears of the old connection', {}, (p) => {
    p.accept({ ts: 1 });
    p.ts = null;
    p.send('S', { seq: 500_000 });
    p.expect('.', { seq: 1, ack: 1 });
    p.send('R', { seq: 1 });
    p.expectState('CLOSED');
  });

  scripted('RFC 5961 §5.2: an ACK of what lies before the ISS brings no text in', {}, (p) => {
    p.accept();
    p.send('.', { seq: 1, ack: -100, data: 'forged' });
    p.expect('.', { ack: 1 });
    expect(dropsOf(p.host).tcpBadAck).toBe(1);
    p.user.write(Buffer.alloc(100, 'x'));
    p.expect('.', { seq: 1 });
    p.send('.', { seq: 1, ack: 101 });
    p.send('.', { seq: 1, ack: 1, data: 'late' });
    p.run(50);
    expect(p.user.received.toString()).toBe('late');
  });

  scripted('a FIN that is next ends the stream, whatever has arrived beyond it', {}, (p) => {
    p.accept();
    p.send('.', { seq: 5, data: 'beyond the end' });
    p.send('F.', { seq: 1, data: 'text' });
    p.run(100);
    expect(p.user.received.toString()).toBe('text');
    expect(p.user.connection.ended).toBe(true);
    expect(p.inbox.at(-1)?.rawAck).toBe(p.iss + 6);
    p.expectState('CLOSE_WAIT');
  });

  scripted('and whatever of it has arrived in one piece with what is beyond', {}, (p) => {
    p.accept();
    p.send('.', { seq: 3, data: 'xt beyond the end' });
    p.send('F.', { seq: 1, data: 'text' });
    p.run(100);
    expect(p.user.received.toString()).toBe('text');
    expect(p.user.connection.ended).toBe(true);
    expect(p.inbox.at(-1)?.rawAck).toBe(p.iss + 6);
    p.expectState('CLOSE_WAIT');
  });

  scripted('an echo reply of nothing but zeros has a checksum', {}, (p) => {
    const echo = new Uint8Array([8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
    p.sendRaw(writeIcmpPacket(0x0a000001, 0x0a000002, echo));
    expect([...p.others[0]!.subarray(20)]).toEqual([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
  });
});
