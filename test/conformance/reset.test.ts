import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { DELAYED_ACK, type Peer, scripted } from '../support/peer.js';

describe('reset generation (RFC 9293 §3.5.2 and §3.10.7.1)', () => {
  // RFC792-3-d
  scripted(
    'group 1: SYN to a closed port gets <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>',
    {},
    (p) => {
      p.send('S', { data: 'xyz' });
      const packet = p.expect('R.', { ack: 4 });
      expect(packet.rawSeq).toBe(0);
      expect(p.host.counters.tcpOutRsts).toBe(1);
    },
  );

  scripted('group 1: with ACK it gets <SEQ=SEG.ACK><CTL=RST>', {}, (p) => {
    p.send('.', { ack: 4711, data: 'xyz' });
    p.expect('R', { seq: 4711 });
  });

  scripted('group 1: a FIN without ACK counts in SEG.LEN', {}, (p) => {
    p.send('F', { data: 'xyz' });
    p.expect('R.', { ack: 4 });
  });

  scripted('a RST is never answered', {}, (p) => {
    p.listen();
    p.send('R', { seq: 5 });
    p.send('R.', { seq: 5, ack: 6 });
    p.hostPort = 81;
    p.send('R', { seq: 5 });
    p.send('R.', { seq: 5, ack: 6 });
    p.expectNothing(1_000);
  });

  scripted('§3.10.7.2: an ACK to a listener is answered with RST', {}, (p) => {
    p.listen();
    p.send('.', { ack: 99 });
    p.expect('R', { seq: 99 });
    p.send('S.', { ack: 77, seq: 0 });
    p.expect('R', { seq: 77 });
    expect(p.host.connectionCount).toBe(0);
  });

  scripted('§3.10.7.2: neither SYN nor ACK nor RST to a listener is dropped', {}, (p) => {
    p.listen();
    p.send('F', { seq: 1 });
    p.send('', { seq: 1, data: 'x' });
    p.send('U', { seq: 1 });
    p.expectNothing(100);
    expect(p.host.connectionCount).toBe(0);
  });

  scripted('port 0 is no port', {}, (p) => {
    p.peerPort = 0;
    p.send('S');
    p.expectNothing(100);
  });

  conversation('connect to a closed port ends with ECONNREFUSED', {}, (c) => {
    c.connect();
    c.finish();
    expect(c.userA.events).toEqual(['closed ECONNREFUSED']);
    expect(c.states.a).toEqual(['SYN_SENT', 'CLOSED']);
  });

  conversation(
    'half-open connection (§3.5.1 figure 10): data to a host that has forgotten',
    {},
    (c) => {
      c.establish();
      c.userB.connection.abort();
      c.drop({ from: 'b', flags: 'R.' });
      c.run(10);
      c.userA.write('anyone?');
      c.finish();
      expect(c.userA.events).toEqual(['established', 'closed ECONNRESET']);
    },
  );
});

/** Each synchronized state, and how to get there from ESTABLISHED; `next` is the peer's SND.NXT. */
const STATES: readonly (readonly [state: string, reach: (p: Peer) => void, event: string])[] = [
  ['ESTABLISHED', () => {}, 'closed ECONNRESET'],
  ['FIN_WAIT_1', finWait1, 'closed ECONNRESET'],
  ['FIN_WAIT_2', finWait2, 'closed ECONNRESET'],
  ['CLOSE_WAIT', closeWait, 'closed ECONNRESET'],
  ['CLOSING', closing, 'closed ECONNRESET'],
  ['LAST_ACK', lastAck, 'closed ECONNRESET'],
];

function finWait1(p: Peer): void {
  p.user.end();
  p.expect('F.');
}

function finWait2(p: Peer): void {
  finWait1(p);
  p.send('.', { ack: 2 });
}

function closeWait(p: Peer): void {
  p.send('F.');
  p.expect('.', { ack: 2 }, DELAYED_ACK);
}

function closing(p: Peer): void {
  finWait1(p);
  p.send('F.', { ack: 1 });
  p.expect('.', { ack: 2 });
}

function lastAck(p: Peer): void {
  closeWait(p);
  p.user.end();
  p.expect('F.');
}

describe('reset processing (RFC 9293 §3.5.3, RFC 5961 §3)', () => {
  for (const [state, reach, event] of STATES) {
    // MUST-12, RFC5961-3.2-b
    scripted(`${state}: RST with SEG.SEQ = RCV.NXT resets`, {}, (p) => {
      p.accept();
      reach(p);
      p.expectState(state);
      p.send('R', { seq: p.seq });
      p.expectNothing(0);
      p.expectState('CLOSED');
      expect(p.host.connectionCount).toBe(0);
      expect(p.user.events.at(-1)).toBe(event);
    });

    // RFC5961-3.2-c, RFC5961-3.2-d
    scripted(`${state}: RST elsewhere in the window gets a challenge ACK`, {}, (p) => {
      p.accept();
      reach(p);
      p.send('R', { seq: p.seq + 1 });
      p.expect('.', { ack: p.seq });
      p.send('R', { seq: p.seq + 10_000 });
      p.expect('.', { ack: p.seq });
      p.expectState(state);
      expect(p.host.counters.tcpChallengeAcks).toBe(2);
    });

    // RFC5961-3.2-a
    scripted(`${state}: RST outside of the window is ignored`, {}, (p) => {
      p.accept();
      reach(p);
      p.send('R', { seq: p.seq - 1 });
      p.send('R', { seq: p.seq + 10_000_000 });
      p.expectNothing(0);
      p.expectState(state);
    });

    // RFC5961-4.2-a, RFC5961-4.2-b
    scripted(`RFC 5961 §4: ${state}: a SYN gets a challenge ACK, wherever it is`, {}, (p) => {
      p.accept();
      reach(p);
      for (const seq of [p.seq, p.seq + 100, p.seq - 1, p.seq + 10_000_000]) {
        p.send('S', { seq });
        p.expect('.', { ack: p.seq });
        p.send('S.', { seq });
        p.expect('.', { ack: p.seq });
      }
      p.expectState(state);
    });

    scripted(`${state}: a segment without ACK is dropped`, {}, (p) => {
      p.accept();
      reach(p);
      const { seq } = p;
      p.send('', { seq, data: 'x' });
      p.expectNothing(0);
      p.expectState(state);
    });
  }

  // MUST-11
  scripted('SYN_RECEIVED: RST returns a passive open to LISTEN, without a word', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    p.send('R', { seq: 1 });
    p.expectNothing(5_000);
    expect(p.states.slice(-2)).toEqual(['LISTEN', 'CLOSED']);
    expect(p.host.connectionCount).toBe(0);
    expect(p.accepted).toBe(0);
    p.send('S', { seq: 0 });
    p.expect('S.');
  });

  // MUST-11
  scripted('SYN_RECEIVED after simultaneous open: RST refuses', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('S');
    p.expect('S.');
    p.send('R', { seq: 1 });
    expect(p.user.events).toEqual(['closed ECONNREFUSED']);
  });

  scripted('SYN_RECEIVED: RST in the window is challenged, outside ignored', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    p.send('R', { seq: 2 });
    p.expect('.', { ack: 1 });
    p.send('R', { seq: 0 });
    p.expectNothing(0);
    p.expectState('SYN_RECEIVED');
  });

  scripted('§3.10.7.4: SYN_RECEIVED: a SYN in the window returns to LISTEN', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    p.send('S', { seq: 10 });
    p.run(0);
    expect(p.host.connectionCount).toBe(0);
  });

  // RFC5961-3.2-e
  scripted('SYN_SENT: RST without a good ACK is ignored', {}, (p) => {
    p.connect();
    p.expect('S');
    p.send('R', { seq: 0 });
    p.send('R.', { seq: 0, ack: 0 });
    p.send('R.', { seq: 0, ack: 2 });
    p.expectNothing(0);
    p.expectState('SYN_SENT');
    p.send('R.', { seq: 0, ack: 1 });
    expect(p.user.events).toEqual(['closed ECONNREFUSED']);
  });

  // MUST-66
  scripted('RST at the edge of a closed window resets', { tcp: { receiveBuffer: 2_048 } }, (p) => {
    p.user.reads = false;
    p.accept();
    p.send('.', { data: Buffer.alloc(1_024) });
    p.expect('.');
    p.send('.', { data: Buffer.alloc(1_024) });
    p.expect('.', { win: 0 });
    p.send('R', {});
    p.expectState('CLOSED');
  });

  // RFC5961-7-a, RFC5961-7-b
  scripted('RFC 5961 §7: challenge ACKs are limited', { tcp: { challengeAckLimit: 3 } }, (p) => {
    p.accept();
    for (let i = 0; i < 10; i++) p.send('R', { seq: 50 });
    p.run(0);
    expect(p.inbox.length).toBe(3);
    p.inbox.length = 0;
    p.run(1_000);
    p.send('R', { seq: 50 });
    p.expect('.');
  });

  // SHLD-2
  scripted('a RST with text resets', {}, (p) => {
    p.accept();
    p.send('R.', { data: 'why it was reset' });
    expect(p.user.events.at(-1)).toBe('closed ECONNRESET');
    expect(p.user.received.length).toBe(0);
  });

  scripted('received data is flushed by a reset', {}, (p) => {
    p.user.reads = false;
    p.accept();
    p.send('.', { data: 'unread' });
    p.send('R');
    expect(p.user.connection.read()).toBe(null);
    expect(p.user.events).toEqual(['established', 'closed ECONNRESET']);
  });
});
