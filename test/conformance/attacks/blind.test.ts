import { describe, expect } from 'vitest';
import { toUint32 } from '../../../src/base/seq.js';
import { dropsOf } from '../../support/drops.js';
import { DELAYED_ACK, type Peer, scripted } from '../../support/peer.js';

/** Packets that the host has sent since the last call. */
function answers(p: Peer): number {
  p.run(0);
  return p.inbox.splice(0).length;
}

/** A connection of the attacker's own, beside the one that is attacked. */
function attackerConnects(p: Peer): void {
  p.peerPort = 6_666;
  p.seq = 0;
  p.ack = 0;
  p.send('S');
  p.expect('S.');
  p.send('.');
  answers(p);
}

/** How many challenges the attacker's own connection gets for 100 RSTs in its window. */
function ownChallenges(p: Peer): number {
  p.peerPort = 6_666;
  for (let i = 0; i < 100; i++) p.send('R', { seq: 50 });
  return answers(p);
}

describe('challenge ACKs are no side channel (RFC 5961 §7, CVE-2016-5696)', () => {
  for (const [what, flags, seq] of [
    ['nothing', 'R', null],
    ['RSTs outside of the window', 'R', -100_000],
    ['RSTs inside', 'R', 50],
    ['SYNs', 'S', 50],
  ] as const) {
    // RFC5961-7-a
    scripted(`${what} to one connection does not show on another`, {}, (p) => {
      p.accept();
      attackerConnects(p);
      p.peerPort = 5_000;
      for (let i = 0; seq !== null && i < 1_000; i++) p.send(flags, { seq });
      answers(p);
      expect(ownChallenges(p)).toBe(10);
    });
  }

  scripted('nor does a connection that exists, or a port that listens', {}, (p) => {
    p.accept();
    attackerConnects(p);
    for (const port of [5_000, 5_001]) {
      for (const hostPort of [80, 81]) {
        p.run(1_000);
        p.peerPort = port;
        p.hostPort = hostPort;
        for (let i = 0; i < 1_000; i++) p.send('R', { seq: 50 });
        answers(p);
        p.hostPort = 80;
        expect(ownChallenges(p)).toBe(10);
      }
    }
  });

  // RFC5961-7-a
  scripted('kinds of challenges share one limit, which the next second renews', {}, (p) => {
    p.accept();
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 20; i++) {
        p.send('R', { seq: 50 });
        p.send('S', { seq: 50 });
        p.send('S', { seq: -50 });
        p.send('.', { seq: -50 });
        p.send('.', { ack: 50 });
      }
      expect(answers(p)).toBe(10);
      p.run(1_000);
    }
    p.expectState('ESTABLISHED');
  });

  scripted('a peer that has forgotten us still gets through under a flood', {}, (p) => {
    p.accept();
    for (let i = 0; i < 50; i++) p.send('R', { seq: 50 });
    p.inbox.length = 0;
    // Its own SYN gets nothing now, but it comes again, and the RST for our challenge is exact.
    p.send('S', { seq: 900 });
    p.expectNothing(1_000);
    p.send('S', { seq: 900 });
    const challenge = p.expect('.', { ack: 1 });
    p.send('R', { seq: toUint32(challenge.rawAck) - toUint32(p.iss) });
    p.expectState('CLOSED');
  });
});

describe('ACKs of ACKs come to an end', () => {
  for (const [what, fields] of [
    ['before the window', { seq: -5 }],
    ['beyond the window', { seq: 70_000 }],
    ['of what was never sent', { ack: 5 }],
    ['with an old timestamp', { ts: [10, 0] as const }],
  ] as const) {
    scripted(`an empty segment ${what} is answered ten times a second`, {}, (p) => {
      p.accept('ts' in fields ? { ts: 100 } : {});
      for (let i = 0; i < 1_000; i++) p.send('.', fields);
      expect(answers(p)).toBe(10);
      p.run(1_000);
      p.send('.', fields);
      expect(answers(p)).toBe(1);
    });
  }

  scripted('text outside the window is answered each time: its sender waits for it', {}, (p) => {
    p.accept();
    for (let i = 0; i < 100; i++) p.send('.', { seq: -5, data: 'old' });
    expect(answers(p)).toBe(100);
  });

  scripted('in TIME_WAIT as well', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    for (let i = 0; i < 1_000; i++) p.send('.', { seq: -5 });
    expect(answers(p)).toBe(10);
    // The peer's FIN is always answered, or it could not end.
    p.send('F.', { seq: 1, ack: 2 });
    p.expect('.', { seq: 2, ack: 2 });
  });
});

describe('RST and SYN for what is no connection yet', () => {
  scripted('LISTEN: RSTs and SYN,RSTs change nothing', {}, (p) => {
    p.listen();
    for (const flags of ['R', 'R.', 'SR', 'SR.']) p.send(flags, { seq: 0, ack: 1 });
    p.expectNothing(0);
    expect(p.host.connectionCount).toBe(0);
    p.send('S');
    p.expect('S.');
  });

  // RFC5961-3.2-e
  scripted('SYN_SENT: of all RSTs only one that acknowledges the SYN refuses', {}, (p) => {
    p.connect();
    p.expect('S');
    for (const seq of [0, 1, -1, 65_535, 0x7fff_ffff]) p.send('R', { seq });
    for (const ack of [-1, 0, 2, 1_000, 0x7fff_ffff]) p.send('R.', { seq: 0, ack });
    p.expectNothing(0);
    p.expectState('SYN_SENT');
    expect(p.user.events).toEqual([]);
  });

  scripted('SYN_SENT: a SYN,ACK of another number is answered with RST, and not taken', {}, (p) => {
    p.connect();
    p.expect('S');
    for (const ack of [0, 2, -1, 50_000]) {
      p.send('S.', { seq: 77, ack });
      p.expect('R', { seq: ack });
    }
    p.expectState('SYN_SENT');
    p.seq = 0;
    p.send('S.', { ack: 1 });
    p.expect('.');
    expect(p.user.events).toEqual(['established']);
  });

  scripted('SYN_RECEIVED: an ACK that is guessed gets a RST and opens nothing', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    for (const ack of [0, 2, 1_000, -1]) {
      p.send('.', { ack, data: 'GET / HTTP/1.0\r\n\r\n' });
      p.expect('R', { seq: ack });
      p.seq = 1;
    }
    expect(p.accepted).toBe(0);
    p.send('.', { ack: 1 });
    p.run(0);
    expect(p.accepted).toBe(1);
  });
});

describe('data injection (RFC 5961 §5.2)', () => {
  for (const [what, ack, taken] of [
    ['the ISS, before which nothing was sent', 0, false],
    ['one beyond the largest window', -65_535, false],
    ['SND.UNA', 1, true],
    ['SND.NXT', 1_001, true],
    ['one beyond SND.NXT', 1_002, false],
    ['half of the number space away', 0x8000_0000, false],
  ] as const) {
    // RFC5961-5.2-a, MAY-12
    scripted(`an ACK of ${what} is ${taken ? 'taken' : 'not taken'}`, {}, (p) => {
      p.accept();
      p.user.write(Buffer.alloc(1_000));
      p.expect('.', { len: 536 });
      p.expect('.', { len: 464 });
      p.send('.', { ack, data: 'evil' });
      p.run(DELAYED_ACK);
      expect(p.user.received.toString()).toBe(taken ? 'evil' : '');
      expect(dropsOf(p.host).tcpBadAck ?? 0).toBe(taken ? 0 : 1);
    });
  }

  // RFC5961-5.2-a
  scripted('most guesses of both numbers fail', {}, (p) => {
    p.accept();
    const step = 0x1_0000_0000 / 64;
    for (let seq = 0; seq < 64; seq++) {
      for (let ack = 0; ack < 64; ack++) {
        p.send('.', { seq: 40_000 + seq * step, ack: 1 + ack * step, data: 'x' });
      }
    }
    // Without the check of the ACK, half of all ACKs would be as good.
    expect(dropsOf(p.host)).toEqual({ tcpUnacceptableSeq: 63 * 64, tcpBadAck: 63 });
    expect(p.tcb.reassembly.length).toBe(1);
  });

  scripted(
    'a segment with a bad ACK does not keep a dead connection alive',
    { tcp: { keepAliveIdle: 10_000 } },
    (p) => {
      p.accept();
      p.user.connection.setKeepAlive(true, 0);
      p.run(9_000);
      p.send('.', { seq: 100, ack: 500_000, data: 'evil' });
      p.expect('.', { ack: 1 });
      p.expect('.', { seq: 0, len: 0 }, 1_001);
    },
  );

  scripted('a FIN with a bad ACK ends nothing, nor does one beyond the window', {}, (p) => {
    p.accept();
    p.send('F.', { seq: 1, ack: 500_000 });
    p.expect('.', { ack: 1 });
    p.send('F.', { seq: 70_000, ack: 1 });
    p.expect('.', { ack: 1 });
    p.expectState('ESTABLISHED');
    expect(p.tcb.reassembly.hasFin).toBe(false);
  });

  scripted('a FIN that text reaches over cuts nothing off', {}, (p) => {
    p.accept();
    p.send('F.', { seq: 5 });
    p.expect('.', { ack: 1 });
    p.send('.', { seq: 1, data: 'more than four' });
    p.send('.', { seq: 15, data: ' octets' });
    p.run(DELAYED_ACK);
    expect(p.user.received.toString()).toBe('more than four octets');
    p.expectState('ESTABLISHED');
    p.inbox.length = 0;
    p.send('F.', { seq: 22 });
    p.expect('.', { ack: 23 }, DELAYED_ACK);
    p.expectState('CLOSE_WAIT');
  });

  scripted('a forged window of zero is undone by the next segment of the peer', {}, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.user.write('held back');
    p.expectNothing(100);
    p.send('.', { win: 1_000 });
    p.expect('.', { len: 9 });
  });
});

describe('TIME_WAIT assassination (RFC 1337)', () => {
  scripted('neither RST, old text, old SYN nor FIN ends it', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    const next = p.seq;
    for (const seq of [next - 1, next, next + 1, next + 10_000]) {
      p.send('R', { seq });
      p.send('R.', { seq, ack: 2 });
      p.send('.', { seq: seq - 500, ack: 1, data: 'old duplicate' });
      p.send('S', { seq: Math.min(seq, next) - 1 });
    }
    p.inbox.length = 0;
    p.expectState('TIME_WAIT');
    p.run(59_000);
    p.expectState('TIME_WAIT');
  });
});
