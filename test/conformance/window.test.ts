import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { scripted } from '../support/peer.js';

describe('the send window (RFC 9293 §3.8.6)', () => {
  scripted('MUST-36, SHLD-29, SHLD-30: a zero window is probed with back-off', {}, (p) => {
    p.accept({ win: 0 });
    p.user.write('waiting');
    p.expectNothing(199);
    for (const wait of [1, 400, 800, 1_600, 3_200]) {
      p.expect('.', { seq: 1, len: 1 }, wait);
      p.expectNothing(wait === 1 ? 399 : 2 * wait - 1);
      p.send('.', { ack: 1, win: 0 });
    }
    expect(p.host.counters.tcpZeroWindowProbes).toBe(5);
    p.send('.', { ack: 1, win: 1_000 });
    p.expect('.', { seq: 1, data: 'waiting' });
    p.send('.', { ack: 8 });
    p.expectNothing(10_000);
  });

  scripted('a probe whose octet is taken', {}, (p) => {
    p.accept({ win: 0 });
    p.user.write('waiting');
    p.expect('.', { seq: 1, data: 'w' }, 1_000);
    p.send('.', { ack: 2, win: 0 });
    p.expect('.', { seq: 2, data: 'a' }, 1_000);
    p.send('.', { ack: 3, win: 1_000 });
    p.expect('.', { seq: 3, data: 'iting' });
  });

  scripted('MUST-37: a peer that answers probes is never given up', {}, (p) => {
    p.accept({ win: 0 });
    p.user.write('x');
    for (let i = 0; i < 40; i++) {
      p.expect('.', { seq: 1 }, 130_000);
      p.send('.', { ack: 1, win: 0 });
    }
    p.expectState('ESTABLISHED');
  });

  scripted('a peer that does not answer probes is', {}, (p) => {
    p.accept({ win: 0 });
    p.user.write('x');
    p.run(3_600_000);
    expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
  });

  scripted('FIN waits behind a zero window and is probed with', {}, (p) => {
    p.accept({ win: 0 });
    p.user.end();
    p.expect('F.', { seq: 1 }, 1_000);
    p.send('.', { ack: 2 });
    p.expectState('FIN_WAIT_2');
  });

  // SHLD-15, SHLD-16, MAY-7, RFC7323-2.4-d
  scripted('MUST-34: a window that shrinks below what is outstanding', {}, (p) => {
    p.accept({ win: 10_000, mss: 1_000 });
    p.user.write(Buffer.alloc(5_000, 'x'));
    for (let i = 0; i < 5; i++) p.expect('.', { seq: 1 + 1_000 * i, len: 1_000 });
    p.send('.', { ack: 1_001, win: 1_500 });
    p.user.write(Buffer.alloc(5_000, 'y'));
    p.expectNothing(100);
    // SHLD-16: old data is retransmitted, and nothing new beyond the window with it.
    p.expect('.', { seq: 1_001, len: 1_000 }, 1_000);
    p.send('.', { ack: 5_001, win: 10_000 });
    p.expect('.', { seq: 5_001, len: 1_000 });
  });

  // MUST-35, RFC5681-2-a, RFC7323-2.4-d
  scripted('SHLD-15: no new data beyond a window that has shrunk to 0', {}, (p) => {
    p.accept({ win: 10_000, mss: 1_000 });
    p.user.write('1234');
    p.expect('.', { data: '1234' });
    p.send('.', { ack: 1, win: 0 });
    p.user.write(Buffer.alloc(3_000));
    // It may be retransmitted, or probed; but never anything beyond.
    for (let i = 0; i < 4; i++) {
      const packet = p.expect('.', { seq: 1 }, 10_000);
      expect(packet.data.length).toBeLessThanOrEqual(4);
      p.send('.', { ack: 1, win: 0 });
    }
    p.send('.', { ack: 5, win: 10_000 });
    p.expect('.', { seq: 5, len: 1_000 });
  });

  scripted('the window of an old segment is not taken (SND.WL1, SND.WL2)', {}, (p) => {
    p.accept({ win: 1_000 });
    p.send('.', { data: 'abc', win: 2_000 });
    p.expect('.');
    p.send('.', { win: 3_000 });
    expect(p.tcb.sndWnd).toBe(3_000);
    p.send('.', { seq: 1, data: 'abcd', win: 500 });
    p.expect('.', { ack: 5 });
    expect(p.tcb.sndWnd).toBe(3_000);
  });

  scripted(
    'sequence numbers high at the start do not freeze the window',
    { isn: 0xf000_0000 },
    (p) => {
      p.accept({ win: 1_000 });
      p.send('.', { win: 2_000 });
      expect(p.tcb.sndWnd).toBe(2_000);
    },
  );
});

describe('a window that has shrunk', () => {
  // SHLD-17, MUST-35
  scripted(
    'over what is outstanding ends no connection while the peer answers',
    { tcp: { retransmitR2: 3 } },
    (p) => {
      p.accept({ win: 10_000, mss: 1_000 });
      p.user.write(Buffer.alloc(3_000));
      for (let i = 0; i < 3; i++) p.expect('.', { seq: 1 + 1_000 * i });
      p.send('.', { ack: 1, win: 0 });
      for (let i = 0; i < 12; i++) {
        p.expect('.', { seq: 1 }, 130_000);
        p.run(0);
        p.inbox.length = 0;
        p.send('.', { ack: 1, win: 0 });
      }
      p.expectState('ESTABLISHED');
      p.send('.', { ack: 1, win: 10_000 });
      // Once it opens nothing waits for the timer, and R2 counts from there.
      p.expect('.', { seq: 1 });
      p.run(500);
      p.expectState('ESTABLISHED');
      p.send('.', { ack: 3_001 });
      expect(p.user.connection.unacknowledged).toBe(0);
    },
  );
});

describe('silly windows (RFC 9293 §3.8.6.2)', () => {
  // MUST-38
  scripted('sender: no crumbs for a small window until the override timer', {}, (p) => {
    p.accept({ win: 10_000, mss: 1_000 });
    p.user.write(Buffer.alloc(10_000));
    for (let i = 0; i < 10; i++) p.expect('.', { len: 1_000 });
    p.send('.', { win: 10 });
    p.user.write(Buffer.alloc(1_000));
    p.expectNothing(150);
    p.expect('.', { len: 10 }, 1_000);
  });

  // MUST-38
  scripted('sender: half of the largest window is enough', {}, (p) => {
    p.accept({ win: 400, mss: 1_000 });
    p.user.write(Buffer.alloc(1_000));
    p.expect('.', { len: 400 });
    p.send('.', { win: 200 });
    p.expect('.', { len: 200 });
    p.send('.', { win: 150 });
    p.expectNothing(100);
  });

  // MAY-8
  scripted(
    'receiver: the window closes, and reopens in a step',
    { tcp: { receiveBuffer: 8_192 } },
    (p) => {
      p.user.reads = false;
      p.accept({ mss: 1_460 });
      for (let i = 0; i < 8; i++) {
        p.send('.', { data: Buffer.alloc(1_024, 'x') });
        p.expect('.', { ack: 1 + 1_024 * (i + 1) }, 100);
      }
      p.send('.', { seq: 8_193, data: 'more' });
      p.expect('.', { ack: 8_193, win: 0 });
      const before = p.user.received.length;
      expect(before).toBe(0);
      p.user.read();
      p.run(0);
      expect(p.user.received.length).toBe(8_192);
      p.expect('.', { ack: 8_193, win: 8_192 });
      p.send('.', { seq: 8_193, data: 'more' });
      p.user.read();
      expect(p.user.received.length).toBe(8_196);
    },
  );

  // MUST-39
  scripted(
    'receiver: the right edge moves in steps of a segment, however small the reads',
    { tcp: { receiveBuffer: 8_192 } },
    (p) => {
      p.accept({ mss: 1_460 });
      for (let taken = 100; taken <= 1_400; taken += 100) {
        p.send('.', { data: Buffer.alloc(100) });
        p.expect('.', { win: 8_192 - taken });
      }
      p.send('.', { data: Buffer.alloc(100) });
      p.expect('.', { win: 8_192 });
    },
  );

  scripted(
    'receiver: data in a zero window is not taken, its ACK is',
    { tcp: { receiveBuffer: 2_048 } },
    (p) => {
      p.user.reads = false;
      p.accept();
      p.user.write('x');
      p.expect('.', { data: 'x' });
      p.send('.', { ack: 1, data: Buffer.alloc(1_024) });
      p.expect('.', { ack: 1_025 }, 100);
      p.send('.', { ack: 1, data: Buffer.alloc(1_024) });
      p.expect('.', { ack: 2_049, win: 0 }, 100);
      p.send('.', { seq: 9_999, ack: 2, data: 'elsewhere' });
      p.expect('.', { ack: 2_049, win: 0 });
      expect(p.user.connection.unacknowledged).toBe(1);
      p.send('.', { seq: 2_049, ack: 2, data: 'probe' });
      p.expect('.', { ack: 2_049, win: 0 });
      expect(p.user.connection.unacknowledged).toBe(0);
    },
  );

  // SHLD-14, RFC7323-2.4-b, RFC7323-2.4-c
  scripted('by rounding to the scale the right edge moves left by less than a unit', {}, (p) => {
    p.user.reads = false;
    p.accept({ wscale: 2, win: 65_535 });
    let edge = 0;
    for (let i = 1; i < 100; i++) {
      p.send('.', { data: Buffer.alloc(i % 11) });
      if (i % 11 === 0) continue;
      const packet = p.expect('.', {}, 100);
      const now = packet.rawAck - p.iss + (packet.win << p.tcb.rcvWindowShift);
      expect(now).toBeGreaterThan(edge - (1 << p.tcb.rcvWindowShift));
      edge = Math.max(edge, now);
    }
  });

  conversation(
    'SHLD-14: the right edge never moves left for a slow reader',
    {
      tcpB: { receiveBuffer: 30_000 },
    },
    (c) => {
      c.userB.reads = false;
      c.establish();
      c.userA.write(Buffer.alloc(300_000, 'z'));
      c.userA.end();
      const tick = (): void => {
        c.userB.readChunk();
        if (c.userB.received.length < 300_000) c.runtime.schedule(c.runtime.now() + 20, tick);
        else {
          c.userB.reads = true;
          c.userB.read();
          c.userB.end();
        }
      };
      tick();
      c.finish();
      expect(c.userB.received.length).toBe(300_000);
      expect(c.userA.events.at(-1)).toBe('closed');
    },
  );

  // RFC7323-2.4-b, RFC7323-2.4-c
  scripted(
    'RFC 7323 §2.4: rounding does not offer more than the buffer, whatever is announced stays open',
    { tcp: { receiveBuffer: 1_000_000 } },
    (p) => {
      p.user.reads = false;
      p.accept({ mss: 1_460, wscale: 0 });
      const unit = 1 << p.tcb.rcvWindowShift;
      expect(unit).toBe(16);
      let furthest = 0;
      // Odd lengths, so that RCV.NXT is mostly not on a boundary of the scale.
      for (let i = 0; i < 1_500 && furthest < 2_000_000; i++) {
        p.send('.', { data: Buffer.alloc(777, 'x') });
        p.run(50);
        for (const packet of p.inbox.splice(0)) {
          furthest = Math.max(furthest, packet.rawAck - p.iss + packet.win * unit);
        }
      }
      expect(furthest - 1).toBeGreaterThanOrEqual(1_000_000);
      expect(furthest - 1).toBeLessThan(1_000_000 + unit);
      expect(p.tcb.receiveQueue.length).toBe(furthest - 1);
      p.send('.', { seq: 0, data: 'keep-alive' });
      p.expect('.', { ack: furthest, win: 0 });
    },
  );

  conversation(
    'back-pressure: write takes what there is room for',
    { tcpA: { sendBuffer: 2_048 } },
    (c) => {
      c.establish();
      expect(c.userA.connection.write(Buffer.alloc(5_000))).toBe(2_048);
      expect(c.userA.connection.write(Buffer.alloc(1))).toBe(0);
      c.run(100);
      expect(c.userA.events).toContain('writable');
      expect(c.userA.connection.write(Buffer.alloc(5_000))).toBe(2_048);
    },
  );
});

describe('Nagle (RFC 9293 §3.7.4)', () => {
  // SHLD-27
  scripted('SHLD-7: a short segment waits for the ACK of an earlier one', {}, (p) => {
    p.accept();
    p.user.write('a');
    p.expect('.', { data: 'a' });
    p.user.write('b');
    p.user.write('c');
    p.expectNothing(100);
    p.send('.', { ack: 2 });
    p.expect('.', { data: 'bc' });
  });

  scripted('MUST-17: setNoDelay switches it off', {}, (p) => {
    p.accept();
    p.user.connection.setNoDelay(true);
    p.user.write('a');
    p.expect('.', { data: 'a' });
    p.user.write('b');
    p.expect('.', { data: 'b' });
  });

  scripted('setNoDelay lets out what was held back', {}, (p) => {
    p.accept();
    p.user.write('a');
    p.expect('.', { data: 'a' });
    p.user.write('b');
    p.expectNothing(10);
    p.user.connection.setNoDelay(true);
    p.expect('.', { data: 'b' });
  });

  scripted('a full segment does not wait', {}, (p) => {
    p.accept({ mss: 500 });
    p.user.write('a');
    p.expect('.', { data: 'a' });
    p.user.write(Buffer.alloc(600));
    p.expect('.', { len: 500 });
    p.expectNothing(50);
  });

  scripted('FIN pushes out what waits', {}, (p) => {
    p.accept();
    p.user.write('a');
    p.expect('.', { data: 'a' });
    p.user.write('b');
    p.expectNothing(10);
    p.user.end();
    p.expect('F.', { data: 'b' });
  });
});

describe('acknowledgements (RFC 9293 §3.8.6.3, RFC 5681 §4.2)', () => {
  // MUST-58, MUST-59, RFC5681-4.2-f
  scripted('what arrives in one batch gets one ACK, sent after all of it', {}, (p) => {
    p.accept({ mss: 1_000, sackOk: true });
    p.together(() => {
      for (let i = 0; i < 7; i++) p.send('.', { data: Buffer.alloc(1_000) });
    });
    p.expect('.', { ack: 7_001 });
    p.together(() => {
      p.send('.', { seq: 8_001, data: Buffer.alloc(1_000) });
      p.send('.', { seq: 7_001, data: Buffer.alloc(1_000) });
    });
    p.expect('.', { ack: 9_001, sack: [] });
    p.expectNothing(1_000);
  });

  // SHLD-18
  scripted(
    'MUST-40: a small segment is acknowledged within 500 ms',
    { tcp: { quickAcks: 0 } },
    (p) => {
      p.accept({ mss: 1_460 });
      p.send('.', { data: 'x' });
      p.expectNothing(39);
      p.expect('.', { ack: 2 }, 2);
      expect(p.host.counters.tcpDelayedAcks).toBe(1);
    },
  );

  scripted('SHLD-19: every second full-sized segment at once', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept({ mss: 1_460 });
    p.send('.', { data: Buffer.alloc(1_460) });
    p.expectNothing(10);
    p.send('.', { data: Buffer.alloc(1_460) });
    p.expect('.', { ack: 2_921 });
    p.expectNothing(100);
  });

  scripted('SHLD-19: full-sized is less with timestamps', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept({ mss: 1_460, ts: 1 });
    p.send('.', { data: Buffer.alloc(1_448) });
    p.expectNothing(10);
    p.send('.', { data: Buffer.alloc(1_448) });
    p.expect('.', { ack: 2_897 });
  });

  for (const sackOk of [false, true]) {
    scripted(`RFC 5681 §2: a gap is told by an ACK without text, SACK ${sackOk}`, {}, (p) => {
      p.accept({ sackOk });
      p.user.readable = () => {
        p.user.read();
        p.user.write('answer');
      };
      p.together(() => {
        p.send('.', { data: 'a' });
        p.send('.', { seq: 5, data: 'later' });
      });
      p.expect('.', { ack: 2, len: 0, sack: sackOk ? [[5, 10]] : [] });
      p.expect('.', { ack: 2, data: 'answer' });
      p.expectNothing(0);
    });
  }

  scripted('an answer carries the ACK', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept();
    p.send('.', { data: 'ping' });
    p.user.write('pong');
    p.expect('.', { data: 'pong', ack: 5 });
    p.expectNothing(190);
  });

  // SHLD-31, MAY-13, RFC5681-3.2-a, RFC5681-3.2-b, RFC2018-4-d
  scripted('out of order, and what fills the gap, at once', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept();
    p.send('.', { seq: 3, data: 'cd' });
    p.expect('.', { ack: 1 });
    p.send('.', { seq: 1, data: 'ab' });
    p.expect('.', { ack: 5 });
    expect(p.user.received.toString()).toBe('abcd');
  });

  scripted('after a gap the next segments are not delayed', { tcp: { quickAcks: 2 } }, (p) => {
    p.accept();
    p.send('.', { data: 'a' });
    p.expect('.', { ack: 2 });
    p.send('.', { data: 'b' });
    p.expect('.', { ack: 3 });
    p.send('.', { data: 'c' });
    p.expectNothing(39);
    p.expect('.', { ack: 4 }, 2);
    p.send('.', { seq: 5, data: 'e' });
    p.expect('.', { ack: 4 });
    p.send('.', { seq: 4, data: 'd' });
    p.expect('.', { ack: 6 });
    p.send('.', { seq: 6, data: 'f' });
    p.expect('.', { ack: 7 });
    p.send('.', { seq: 7, data: 'g' });
    p.expectNothing(39);
  });

  scripted('an old duplicate is acknowledged', {}, (p) => {
    p.accept();
    p.send('.', { data: 'abc' });
    p.expect('.', { ack: 4 });
    p.send('.', { seq: 1, data: 'abc' });
    p.expect('.', { ack: 4 });
    expect(p.user.received.toString()).toBe('abc');
  });

  scripted('what overlaps is taken once', {}, (p) => {
    p.accept();
    p.send('.', { seq: 1, data: 'abcd' });
    p.expect('.', { ack: 5 });
    p.send('.', { seq: 3, data: 'cdef' });
    p.expect('.', { ack: 7 });
    p.send('.', { seq: 9, data: 'ij' });
    p.expect('.', { ack: 7 });
    p.send('.', { seq: 5, data: 'efghijkl' });
    p.expect('.', { ack: 13 });
    expect(p.user.received.toString()).toBe('abcdefghijkl');
  });

  scripted('what is beyond the window is trimmed off', { tcp: { receiveBuffer: 2_048 } }, (p) => {
    p.user.reads = false;
    p.accept();
    p.send('F.', { seq: 1, data: Buffer.alloc(3_000, 'x') });
    p.expect('.', { ack: 2_049, win: 0 });
    p.expectState('ESTABLISHED');
  });

  scripted(
    'wholly beyond the window is dropped and acknowledged',
    { tcp: { receiveBuffer: 2_048 } },
    (p) => {
      p.accept();
      p.send('.', { seq: 5_000, data: 'far' });
      p.expect('.', { ack: 1 });
    },
  );

  // MAY-12, RFC5961-5.2-a
  scripted('RFC 5961 §5: an ACK of what was not sent is answered and dropped', {}, (p) => {
    p.accept();
    p.send('.', { ack: 100, data: 'bad' });
    p.expect('.', { seq: 1, ack: 1 });
    expect(p.user.received.length).toBe(0);
  });

  // MAY-12, RFC5961-5.2-a
  scripted('RFC 5961 §5: an ACK older than the largest window as well', {}, (p) => {
    p.accept({ win: 1_000 });
    p.send('.', { ack: -2_000, data: 'bad' });
    p.expect('.', { seq: 1, ack: 1 });
    expect(p.user.received.length).toBe(0);
  });

  // MUST-30, RFC6093-3.2-a
  scripted('RFC 6093: urgent data is in line', {}, (p) => {
    p.accept();
    p.send('U.', { data: 'urgent!', urg: 6 });
    p.expect('.', { ack: 8 });
    p.send('.', { data: ' rest' });
    expect(p.user.received.toString()).toBe('urgent! rest');
    p.send('U.', { urg: 60_000 });
    p.expect('.', { ack: 13 }, 100);
  });
});
