import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { DELAYED_ACK, type Peer, scripted } from '../support/peer.js';

describe('closing a connection (RFC 9293 §3.6, figure 5)', () => {
  conversation('a close takes three segments when both ends close at once', {}, (c) => {
    c.userB.endsWithPeer = true;
    c.establish();
    c.userA.end();
    c.run(100);
    expect(c.states.a.slice(2)).toEqual(['FIN_WAIT_1', 'FIN_WAIT_2', 'TIME_WAIT']);
    expect(c.states.b.slice(2)).toEqual(['CLOSE_WAIT', 'LAST_ACK', 'CLOSED']);
    expect(c.sent('a').slice(2)).toEqual(['F.', '.']);
    expect(c.sent('b').slice(1)).toEqual(['F.']);
    expect(c.userA.events).toEqual(['established', 'end', 'finished', 'closed']);
    expect(c.userB.events).toEqual(['established', 'end', 'finished', 'closed']);
    expect(c.a.timeWaitCount).toBe(1);
    expect(c.b.connectionCount).toBe(0);
    c.run(60_000);
    expect(c.a.connectionCount).toBe(0);
    expect(c.states.a.at(-1)).toBe('CLOSED');
  });

  conversation('half-close by A: B goes on sending (MUST-12)', {}, (c) => {
    c.establish();
    c.userA.write('request');
    c.userA.end();
    c.run(100);
    expect(c.userB.received.toString()).toBe('request');
    expect(c.userB.events).toEqual(['established', 'end']);
    expect(c.userA.events).toEqual(['established', 'finished']);
    c.userB.write('response');
    c.run(100_000);
    expect(c.userA.received.toString()).toBe('response');
    c.userB.end();
    c.finish();
    expect(c.states.a.slice(2)).toEqual(['FIN_WAIT_1', 'FIN_WAIT_2', 'TIME_WAIT', 'CLOSED']);
    expect(c.states.b.slice(2)).toEqual(['CLOSE_WAIT', 'LAST_ACK', 'CLOSED']);
    expect(c.userA.events).toEqual(['established', 'finished', 'end', 'closed']);
  });

  conversation('half-close by B: A goes on sending', {}, (c) => {
    c.establish();
    c.userB.end();
    c.run(100);
    c.userA.write('more');
    c.run(100);
    expect(c.userB.received.toString()).toBe('more');
    c.userA.end();
    c.finish();
    expect(c.states.b.slice(2)).toEqual(['FIN_WAIT_1', 'FIN_WAIT_2', 'TIME_WAIT', 'CLOSED']);
    expect(c.states.a.slice(2)).toEqual(['CLOSE_WAIT', 'LAST_ACK', 'CLOSED']);
  });

  conversation('simultaneous close goes through CLOSING (figure 13)', {}, (c) => {
    c.establish();
    c.userA.end();
    c.userB.end();
    c.finish();
    const path = ['FIN_WAIT_1', 'CLOSING', 'TIME_WAIT', 'CLOSED'];
    expect(c.states.a.slice(2)).toEqual(path);
    expect(c.states.b.slice(2)).toEqual(path);
    expect(c.userA.events).toEqual(['established', 'end', 'finished', 'closed']);
  });

  conversation('FIN rides on the last data', {}, (c) => {
    c.establish();
    c.userA.write('last words');
    c.userA.end();
    c.run(100);
    expect(c.sent('a').slice(2)).toEqual(['F.+10']);
  });

  scripted('ACK of FIN and FIN in one segment: FIN_WAIT_1 to TIME_WAIT', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.', { seq: 1 });
    p.send('F.', { ack: 2 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('TIME_WAIT');
  });

  scripted('§3.10.4: a second CLOSE changes nothing', {}, (p) => {
    p.accept();
    p.user.end();
    p.user.end();
    p.expect('F.');
    p.expectNothing(100);
    p.expectState('FIN_WAIT_1');
    expect(p.user.connection.write(Buffer.from('x'))).toBe(0);
  });

  scripted('FIN before the data it follows waits for it', {}, (p) => {
    p.accept();
    p.send('F.', { seq: 6 });
    p.expect('.', { ack: 1 });
    p.expectState('ESTABLISHED');
    p.send('.', { seq: 1, data: 'hello' });
    expect(p.user.received.toString()).toBe('hello');
    p.expectState('CLOSE_WAIT');
    p.expect('.', { ack: 7 });
  });

  scripted('data after the FIN is ignored', {}, (p) => {
    p.accept();
    p.send('F.');
    p.expect('.', { ack: 2 }, DELAYED_ACK);
    p.send('.', { data: 'beyond' });
    p.expect('.', { ack: 2 });
    expect(p.user.received.length).toBe(0);
    p.expectState('CLOSE_WAIT');
  });

  scripted('a FIN that comes again in CLOSE_WAIT and LAST_ACK is acknowledged again', {}, (p) => {
    p.accept();
    p.send('F.');
    p.expect('.', { ack: 2 }, DELAYED_ACK);
    p.send('F.', { seq: 1 });
    p.expect('.', { ack: 2 });
    p.user.end();
    p.expect('F.', { seq: 1, ack: 2 });
    p.send('F.', { seq: 1, ack: 1 });
    p.expect('.', { seq: 2, ack: 2 });
    p.expectState('LAST_ACK');
    p.send('.', { ack: 2 });
    p.expectState('CLOSED');
  });
});

describe('a SYN in the batch in which the connection before it ends', () => {
  scripted('by the ACK of our FIN, opens the next one', {}, (p) => {
    p.accept();
    p.send('F.');
    p.user.end();
    p.expect('F.', { seq: 1, ack: 2 });
    p.together(() => {
      p.send('.', { ack: 2 });
      p.send('S', { seq: 70_000 });
    });
    p.expect('S.', { seq: 0, ack: 70_001 });
    p.send('.', { seq: 70_001, ack: 1 });
    p.expectState('ESTABLISHED');
    expect(p.user.events).toContain('closed');
    expect(p.accepted).toBe(2);
  });

  scripted('by a reset, opens the next one', {}, (p) => {
    p.accept();
    p.together(() => {
      p.send('R.');
      p.send('S', { seq: 70_000 });
    });
    p.expect('S.', { seq: 0, ack: 70_001 });
    p.expectState('SYN_RECEIVED');
    expect(p.user.events).toContain('closed ECONNRESET');
  });

  scripted('is refused when nobody listens any more', {}, (p) => {
    p.connect();
    p.expect('S', { seq: 0 });
    p.send('S.');
    p.expect('.', { ack: 1 });
    p.together(() => {
      p.send('R.');
      p.send('S', { seq: 70_000 });
    });
    p.expect('R.', { ack: 70_001 });
    p.expectState('CLOSED');
  });
});

describe('a user who lets go (RFC 9293 §3.6.1)', () => {
  scripted('SHLD-3: close with unread data sends RST', {}, (p) => {
    p.user.reads = false;
    p.accept();
    p.send('.', { data: 'unread' });
    p.expect('.', { ack: 7 });
    p.user.connection.close();
    p.run(0);
    p.expect('R.', { seq: 1, ack: 7 });
    p.expectState('CLOSED');
  });

  // MAY-1
  scripted('SHLD-3: data after close is answered with RST', {}, (p) => {
    p.accept();
    p.user.connection.close();
    p.expect('F.', { seq: 1 });
    p.send('.', { ack: 2 });
    p.expectState('FIN_WAIT_2');
    p.send('.', { data: 'too late' });
    p.expect('R.', { seq: 2 });
    p.expectState('CLOSED');
    expect(p.user.events).toEqual(['established']);
  });

  scripted('an old duplicate with a FIN behind it is no data after close', {}, (p) => {
    p.accept();
    p.send('.', { data: 'read' });
    p.expect('.', { ack: 5 });
    p.user.connection.close();
    p.expect('F.', { seq: 1 });
    // The peer lost our ACK and sends its data again, this time with its FIN.
    p.send('F.', { seq: 1, ack: 2, data: 'read' });
    p.expect('.', { seq: 2, ack: 6 });
    p.expectState('TIME_WAIT');
  });

  scripted('close with everything read sends FIN and goes on to TIME_WAIT', {}, (p) => {
    p.accept();
    p.send('.', { data: 'read' });
    p.expect('.', { ack: 5 });
    p.user.connection.close();
    p.expect('F.', { seq: 1 });
    p.send('F.', { ack: 2 });
    p.expect('.', { ack: 6 });
    p.expectState('TIME_WAIT');
  });

  scripted('what was written before close is still delivered', {}, (p) => {
    p.accept();
    p.user.write('parting');
    p.user.connection.close();
    p.expect('F.', { data: 'parting' });
    p.expect('F.', { data: 'parting' }, 1_000);
    p.send('F.', { ack: 9 });
    p.expect('.', { ack: 2 });
    p.expectState('TIME_WAIT');
  });

  scripted('FIN_WAIT_2 of a connection that is closed ends after finWait2Timeout', {}, (p) => {
    p.accept();
    p.user.connection.close();
    p.expect('F.');
    p.send('.', { ack: 2 });
    p.expectNothing(59_999);
    p.expectState('FIN_WAIT_2');
    p.expectNothing(2);
    p.expectState('CLOSED');
    // What comes later finds nobody.
    p.send('F.', { ack: 2 });
    p.expect('R', { seq: 2 });
  });

  scripted('FIN_WAIT_2 of a half-closed connection has no limit', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('.', { ack: 2 });
    p.expectNothing(3_600_000);
    p.expectState('FIN_WAIT_2');
    p.send('F.', { ack: 2 });
    p.expect('.', { ack: 2 });
    expect(p.user.events).toContain('end');
  });

  scripted('closing a half-closed connection starts the limit', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('.', { ack: 2 });
    p.run(3_600_000);
    p.user.connection.close();
    p.expectNothing(60_001);
    p.expectState('CLOSED');
  });
});

describe('abort (RFC 9293 §3.10.5)', () => {
  /** Brings the connection of an accepted user to each state. */
  const states: readonly (readonly [string, (p: Peer) => void, string | null])[] = [
    ['ESTABLISHED', () => {}, 'R.'],
    [
      'FIN_WAIT_1',
      (p) => {
        p.user.end();
        p.expect('F.');
      },
      'R.',
    ],
    [
      'FIN_WAIT_2',
      (p) => {
        p.user.end();
        p.expect('F.');
        p.send('.', { ack: 2 });
      },
      'R.',
    ],
    [
      'CLOSE_WAIT',
      (p) => {
        p.send('F.');
        p.expect('.', {}, DELAYED_ACK);
      },
      'R.',
    ],
    [
      'CLOSING',
      (p) => {
        p.user.end();
        p.expect('F.');
        p.send('F.', { ack: 1 });
        p.expect('.');
      },
      null,
    ],
    [
      'LAST_ACK',
      (p) => {
        p.send('F.');
        p.expect('.', {}, DELAYED_ACK);
        p.user.end();
        p.expect('F.');
      },
      null,
    ],
  ];
  for (const [state, reach, answer] of states) {
    scripted(`ABORT in ${state} ${answer === null ? 'sends nothing' : 'sends RST'}`, {}, (p) => {
      p.accept();
      reach(p);
      p.expectState(state);
      const events = p.user.events.length;
      p.user.connection.abort();
      p.run(0);
      if (answer !== null) p.expect(answer);
      p.expectNothing(10_000);
      p.expectState('CLOSED');
      expect(p.user.events.length).toBe(events);
    });
  }

  scripted('ABORT in SYN_SENT sends nothing', {}, (p) => {
    p.connect();
    p.expect('S');
    p.user.connection.abort();
    p.expectNothing(10_000);
    expect(p.host.connectionCount).toBe(0);
  });

  scripted('ABORT drops what was written', {}, (p) => {
    p.accept();
    p.user.write('dropped');
    p.user.connection.abort();
    p.run(0);
    p.expect('R.', { seq: 1 });
    p.expectNothing(1_000);
  });
});
