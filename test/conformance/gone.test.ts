import { describe, expect } from 'vitest';
import { send } from '../../src/tcp/calls.js';
import { DELAYED_ACK, scripted } from '../support/peer.js';

describe('a connection that is gone', () => {
  scripted(
    'reading what was left after the end changes nothing',
    { tcp: { receiveBuffer: 2_048 } },
    (p) => {
      p.user.reads = false;
      p.accept();
      p.user.end();
      p.expect('F.');
      p.send('F.', { ack: 2, data: Buffer.alloc(2_000, 'z') });
      p.expect('.', { ack: 2_002 });
      expect(p.host.timeWaitCount).toBe(1);
      expect(p.user.events).toEqual(['established', 'finished', 'closed']);
      p.user.read();
      expect(p.user.received.length).toBe(2_000);
      p.expectNothing(0);
      expect(p.host.timeWaitCount).toBe(1);
    },
  );

  scripted('no call of its user does anything', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    const { connection } = p.user;
    connection.setNoDelay(true);
    connection.setKeepAlive(true, 1_000);
    connection.shutdown();
    expect(connection.write(Buffer.from('x'))).toBe(0);
    expect(connection.read()).toBe(null);
    p.expectNothing(0);
    connection.close();
    p.expectNothing(0);
    connection.abort();
    p.expectNothing(10_000);
    expect(p.host.timeWaitCount).toBe(1);
    expect(p.states.at(-1)).toBe('TIME_WAIT');
    p.run(60_000);
    expect(p.host.connectionCount).toBe(0);
    p.expectNothing(10_000);
  });

  scripted('nor after a reset', {}, (p) => {
    p.accept();
    p.send('R');
    const { connection } = p.user;
    connection.setNoDelay(true);
    connection.setKeepAlive(true, 1_000);
    connection.shutdown();
    connection.close();
    connection.abort();
    p.expectNothing(100_000);
    expect(connection.state).toBe('CLOSED');
    expect(p.user.events).toEqual(['established', 'closed ECONNRESET']);
  });
});

describe('a handler that throws', () => {
  scripted('does not keep the others from being served', {}, (p) => {
    p.accept();
    p.user.onEvent = (event) => {
      if (event === 'end') throw new Error('from a handler');
    };
    expect(() => p.send('F.', { data: 'last' })).toThrow('from a handler');
    p.expect('.', { ack: 6 }, DELAYED_ACK);
    expect(p.user.received.toString()).toBe('last');
    p.user.onEvent = null;
    p.user.end();
    p.expect('F.', { ack: 6 });
    p.send('.', { ack: 2 });
    expect(p.user.events.slice(-2)).toEqual(['finished', 'closed']);
  });

  scripted('hears of the end nevertheless', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.user.onEvent = (event) => {
      if (event === 'end') throw new Error('from a handler');
    };
    expect(() => p.send('F.', { ack: 2 })).toThrow('from a handler');
    p.run(0);
    expect(p.user.events).toContain('finished');
    expect(p.user.events.at(-1)).toBe('closed');
    expect(p.host.timeWaitCount).toBe(1);
  });
});

describe('sequence numbers that come round', () => {
  scripted('a retransmission that starts at the ISS again is no SYN', {}, (p) => {
    p.accept({ mss: 100 });
    p.user.write(Buffer.alloc(100));
    p.expect('.', { seq: 1 });
    p.send('.', { ack: 101 });
    // As after 4 GiB.
    p.tcb.iss = p.tcb.sndNxt;
    p.user.write('around');
    p.expect('.', { seq: 101, data: 'around' });
    p.expect('.', { seq: 101, data: 'around' }, 1_000);
    p.send('.', { ack: 107 });
    expect(p.user.events).toEqual(['established']);
    p.expectState('ESTABLISHED');
  });
});

describe('urgent data out (RFC 9293 §3.8.5, RFC 6093)', () => {
  scripted('MUST-62: the pointer is to the octet behind the urgent data', {}, (p) => {
    p.accept();
    send(p.tcb, Buffer.from('urgent'), 0, true);
    p.expect('.U', { seq: 1, data: 'urgent', urg: 6 });
    p.send('.', { ack: 7 });
    p.user.write('plain');
    p.expect('.', { data: 'plain' });
  });
});
