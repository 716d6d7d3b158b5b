import { describe, expect } from 'vitest';
import { DELAYED_ACK, type Fields, type Peer, scripted } from '../../support/peer.js';

describe('a window that stays shut (RFC 9293 §3.8.6.1, RFC 6429)', () => {
  const tcp = { userTimeout: 30_000 };

  /** Answers each probe with a window of zero for `ms`. */
  function keepShut(p: Peer, ms: number): void {
    for (const end = p.runtime.now() + ms; p.runtime.now() < end; ) {
      p.run(100);
      if (p.inbox.splice(0).length > 0) p.send('.', { ack: 1, win: 0 });
    }
  }

  // MUST-37
  scripted('keeps the connection as long as the user likes, by default', {}, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.user.write('x');
    keepShut(p, 3_600_000);
    p.expectState('ESTABLISHED');
  });

  scripted('ends by the user timeout, though the peer answers', { tcp }, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.user.write('x');
    keepShut(p, 29_000);
    p.expectState('ESTABLISHED');
    keepShut(p, 30_000);
    expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
  });

  scripted('and the time before there was anything to send does not count', { tcp }, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.run(100_000);
    p.user.write('x');
    keepShut(p, 20_000);
    p.expectState('ESTABLISHED');
    p.send('.', { ack: 1, win: 1_000 });
    p.expect('.', { len: 1 });
    p.send('.', { ack: 2 });
    p.expectNothing(100_000);
    p.expectState('ESTABLISHED');
  });

  scripted('a window that opens between starts the time anew', { tcp }, (p) => {
    p.accept();
    p.user.write(Buffer.alloc(5_000));
    p.run(0);
    p.inbox.length = 0;
    for (let i = 0; i < 5; i++) {
      p.ack = 1 + (i + 1) * 100;
      p.send('.', { win: 0 });
      p.run(20_000);
      p.inbox.length = 0;
    }
    p.expectState('ESTABLISHED');
  });

  scripted('once the user has gone, it ends after a few probes', {}, (p) => {
    p.accept();
    p.send('.', { win: 0 });
    p.user.write('x');
    p.user.connection.close();
    keepShut(p, 600_000);
    expect(p.host.connectionCount).toBe(0);
  });
});

describe('memory that a peer can pin', () => {
  scripted('crumbs in order are merged', {}, (p) => {
    p.user.reads = false;
    p.accept();
    for (let i = 0; i < 3_000; i++) p.send('.', { data: 'c' });
    expect(chunks(p)).toBeLessThan(20);
    expect(p.user.received.toString()).toBe('c'.repeat(3_000));
  });

  scripted('crumbs out of order are merged when the gap is filled', {}, (p) => {
    p.user.reads = false;
    p.accept();
    for (let round = 0; round < 20; round++) {
      const from = p.seq;
      for (let i = 1; i < 100; i++) p.send('.', { seq: from + i, data: 'c' });
      p.send('.', { seq: from, data: 'c' });
      p.seq = from + 100;
    }
    expect(chunks(p)).toBeLessThan(20);
    expect(p.user.received.toString()).toBe('c'.repeat(2_000));
  });

  // SHLD-31
  scripted('crumbs with gaps cost what they need', { tcp: { receiveBuffer: 65_536 } }, (p) => {
    p.accept();
    for (let i = 0; i < 5_000; i++) p.send('.', { seq: 2 + 2 * i, data: 'c' });
    expect(p.tcb.reassembly.cost).toBeLessThanOrEqual(2 * 65_536 + 256);
    expect(p.tcb.reassembly.blocks).toBeLessThanOrEqual(513);
    // What is in order is still taken.
    p.send('.', { seq: 1, data: 'first' });
    expect(p.user.received.toString()).toBe('fcrctc');
  });

  scripted('text beyond the window is not kept', { tcp: { receiveBuffer: 4_096 } }, (p) => {
    p.user.reads = false;
    p.accept();
    for (let i = 0; i < 10; i++) p.send('.', { data: Buffer.alloc(1_000) });
    p.send('.', { seq: 4_000, data: Buffer.alloc(1_400) });
    p.send('.', { seq: 1_000_000, data: Buffer.alloc(1_400) });
    expect(p.tcb.receiveQueue.length).toBe(4_096);
    expect(p.tcb.reassembly.cost).toBe(0);
  });

  function chunks(p: Peer): number {
    let count = 0;
    while (p.user.readChunk() !== null) count++;
    return count;
  }
});

describe('ends that a peer never lets come', () => {
  for (const [state, reach] of [
    [
      'FIN_WAIT_1',
      (p: Peer) => {
        p.user.connection.close();
      },
    ],
    [
      'CLOSING',
      (p: Peer) => {
        p.user.connection.close();
        p.send('F.', { ack: 1 });
      },
    ],
    [
      'LAST_ACK',
      (p: Peer) => {
        p.send('F.');
        p.user.connection.close();
      },
    ],
    [
      'FIN_WAIT_2',
      (p: Peer) => {
        p.user.connection.close();
        p.run(0);
        p.send('.', { ack: 2 });
      },
    ],
  ] as const) {
    scripted(`${state} ends, whatever else the peer says`, {}, (p) => {
      p.accept();
      reach(p);
      p.run(0);
      p.expectState(state);
      for (let i = 0; i < 300; i++) {
        if (p.host.connectionCount === 0) break;
        p.send('.', { ack: state === 'FIN_WAIT_2' ? 2 : 1, win: i % 2 === 0 ? 0 : 100 });
        p.run(1_000);
        p.inbox.length = 0;
      }
      expect(p.host.connectionCount).toBe(0);
    });
  }

  scripted('SYN_RECEIVED ends after the last SYN,ACK', {}, (p) => {
    p.listen();
    p.send('S');
    p.run(70_000);
    expect(p.host.connectionCount).toBe(0);
    expect(p.inbox.splice(0).length).toBe(6);
  });
});

describe('segments that a peer makes small', () => {
  for (const mss of [0, 1, 8, 47]) {
    scripted(`an MSS of ${mss} counts as 48 (CVE-2019-11479)`, {}, (p) => {
      p.accept({ mss, ts: 1 });
      p.user.write(Buffer.alloc(360));
      for (let i = 0; i < 10; i++) p.expect('.', { len: 36 });
    });
  }

  scripted('windows of one octet are not filled octet by octet (SWS)', {}, (p) => {
    p.accept({ mss: 536 });
    p.user.write(Buffer.alloc(400));
    p.run(0);
    p.inbox.length = 0;
    p.send('.', { ack: 401, win: 1 });
    p.user.write(Buffer.alloc(1_000));
    let sent = 0;
    for (let i = 0; i < 100; i++) {
      p.send('.', { win: 1 + (i % 2) });
      sent += p.inbox.splice(0).length;
    }
    expect(sent).toBe(0);
  });

  scripted('a window that is drawn back leaves what was sent outstanding', {}, (p) => {
    p.accept({ mss: 536 });
    p.user.write(Buffer.alloc(5_360));
    p.run(0);
    p.inbox.length = 0;
    for (const win of [100, 0, 4_000, 1]) p.send('.', { ack: 1, win });
    expect(p.tcb.flight).toBe(5_360);
    p.send('.', { ack: 5_361, win: 65_535 });
    expect(p.tcb.flight).toBe(0);
    p.inbox.length = 0;
  });
});

describe('options that make no sense', () => {
  const NOP = 1;
  for (const [what, options, sent] of [
    ['two MSS options: the last counts', [2, 4, 1, 0, 2, 4, 2, 0], { len: 512 }],
    ['three window scales', [3, 3, 255, 3, 3, 0, 3, 3, 20, 0, 0, 0], { len: 536 }],
    ['SACK blocks in a SYN', [5, 10, 0, 0, 0, 1, 0, 0, 0, 9, NOP, NOP], { len: 536 }],
    [
      'timestamps twice',
      [8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0],
      { len: 524 },
    ],
    ['nothing but NOPs', new Array<number>(40).fill(NOP), { len: 536 }],
  ] as const) {
    // MUST-5
    scripted(`a SYN with ${what}`, {}, (p) => {
      p.listen();
      p.send('S', { rawOptions: options as readonly number[] });
      const answer = p.expect('S.');
      const later: Fields = answer.ts === null ? {} : { ts: 9 };
      p.send('.', later);
      p.user.write(Buffer.alloc(1_000));
      p.expect('.', sent);
      p.inbox.length = 0;
    });
  }

  scripted('MSS, window scale and SACK-permitted in mid-connection change nothing', {}, (p) => {
    p.accept({ mss: 1_000 });
    p.send('.', { rawOptions: [2, 4, 0, 8, 3, 3, 14, NOP, 4, 2, NOP, NOP] });
    p.user.write(Buffer.alloc(2_000));
    p.expect('.', { len: 1_000 });
    expect(p.tcb.sndWnd).toBe(65_535);
    expect(p.tcb.sackOk).toBe(false);
    p.inbox.length = 0;
  });

  scripted('timestamps from zero to the largest are only compared', {}, (p) => {
    p.accept({ ts: [0, 0] });
    for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, -1]) {
      p.send('.', { data: 't', ts: [value, p.lastTsVal] });
      p.run(DELAYED_ACK);
    }
    expect(p.user.received.toString()).toBe('ttttt');
    p.inbox.length = 0;
  });

  // MUST-30, RFC6093-3.2-a
  scripted('urgent pointers to everywhere take nothing out of the stream', {}, (p) => {
    p.accept();
    for (const urg of [0, 1, 2, 65_535, 3]) p.send('U.', { data: 'urgent ', urg });
    p.send('.', { data: 'U', urg: 999 });
    p.run(DELAYED_ACK);
    expect(p.user.received.toString()).toBe(`${'urgent '.repeat(5)}U`);
    p.inbox.length = 0;
  });
});
