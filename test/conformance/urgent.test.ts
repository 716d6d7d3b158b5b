import { describe, expect } from 'vitest';
import { seq } from '../../src/base/seq.js';
import { type Peer, scripted } from '../support/peer.js';

/** Notes, among the user's events, when urgent data is told of, and how much. */
function noteUrgent(p: Peer): void {
  p.user.urgent = () => {
    p.user.events.push(`urgent ${p.user.connection.urgentLength}`);
  };
}

describe('urgent data in (RFC 9293 §3.8.5, RFC 6093)', () => {
  // MUST-30, MUST-32
  scripted('the user hears of it at once, and again when the pointer moves on', {}, (p) => {
    p.user.reads = false;
    noteUrgent(p);
    p.accept();
    p.send('U.', { data: 'abc', urg: 10 });
    expect(p.user.events).toEqual(['established', 'urgent 10']);
    p.send('U.', { data: 'def', urg: 7 });
    p.send('U.', { data: 'ghi', urg: 0 });
    expect(p.user.events).toEqual(['established', 'urgent 10']);
    p.send('U.', { data: 'jkl', urg: 3 });
    expect(p.user.events).toEqual(['established', 'urgent 10', 'urgent 12']);
  });

  // MUST-33
  scripted('the user can ask how much is left, arrived or not', {}, (p) => {
    p.user.reads = false;
    p.accept();
    expect(p.user.connection.urgentLength).toBe(0);
    p.send('U.', { data: 'urgent', urg: 10 });
    expect(p.user.connection.urgentLength).toBe(10);
    p.user.read();
    expect(p.user.connection.urgentLength).toBe(4);
    p.send('.', { data: 'more and plain' });
    p.user.read();
    expect(p.user.connection.urgentLength).toBe(0);
  });

  // MUST-32
  scripted('what was read long ago hides nothing that is new', {}, (p) => {
    noteUrgent(p);
    p.accept();
    p.send('U.', { data: 'a', urg: 1 });
    // As after 3 GiB of plain text.
    p.tcb.urgent.rcvUp = seq(p.tcb.rcvNxt + 0x4000_0000);
    p.send('U.', { data: 'b', urg: 1 });
    expect(p.user.events).toEqual(['established', 'urgent 1', 'urgent 1']);
  });

  // MUST-66
  scripted('URG counts with a window of zero', { tcp: { receiveBuffer: 2_048 } }, (p) => {
    p.user.reads = false;
    noteUrgent(p);
    p.accept();
    p.send('.', { data: Buffer.alloc(1_024) });
    p.send('.', { data: Buffer.alloc(1_024) });
    p.run(100);
    expect(p.inbox.at(-1)?.win).toBe(0);
    p.inbox.length = 0;
    p.send('U.', { seq: 2_049, data: 'x', urg: 1 });
    p.expect('.', { ack: 2_049, win: 0 });
    expect(p.user.events.at(-1)).toBe('urgent 2049');
  });
});

describe('urgent data out (RFC 9293 §3.8.5)', () => {
  // MUST-31
  scripted('may be longer than the pointer reaches', {}, (p) => {
    p.accept({ mss: 1_460, wscale: 4 });
    p.tcb.cwnd = 200_000;
    p.user.connection.write(Buffer.alloc(100_000), 0, true);
    p.run(0);
    const packets = p.inbox.splice(0);
    expect(packets.reduce((sum, { data }) => sum + data.length, 0)).toBe(100_000);
    const end = 100_001;
    for (const packet of packets) {
      const ahead = end - (packet.rawSeq - p.hostIss);
      expect(packet.flags).toBe(ahead <= 65_535 ? '.U' : '.');
      if (ahead <= 65_535) expect(packet.urg).toBe(ahead);
    }
    expect(packets.at(-1)?.urg).toBe(packets.at(-1)?.data.length);
  });
});
