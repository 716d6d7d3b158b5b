import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { dropsOf } from '../support/drops.js';
import { scripted } from '../support/peer.js';

describe('maximum segment size (RFC 9293 §3.7.1, RFC 6691)', () => {
  scripted('MUST-15: 536 without the option', {}, (p) => {
    p.accept();
    p.user.write(Buffer.alloc(1_200));
    p.expect('.', { len: 536 });
    p.expect('.', { len: 536 });
    p.expect('.', { len: 128 });
  });

  // MUST-4, MUST-14, MUST-16
  scripted("the peer's MSS is the limit", {}, (p) => {
    p.accept({ mss: 1_000 });
    p.user.write(Buffer.alloc(1_500));
    p.expect('.', { len: 1_000 });
    p.expect('.', { len: 500 });
  });

  // MUST-14, MUST-16, MUST-67
  scripted('our MTU is the limit', { mtu: 576 }, (p) => {
    p.listen();
    p.send('S', { mss: 9_000 });
    p.expect('S.', { mss: 536 });
    p.send('.');
    p.user.write(Buffer.alloc(600));
    p.expect('.', { len: 536 });
    p.expect('.', { len: 64 });
  });

  scripted('MUST-16: the effective MSS is less the timestamps', {}, (p) => {
    p.accept({ mss: 1_000, ts: 1 });
    p.user.write(Buffer.alloc(1_500));
    p.expect('.', { len: 988 });
    p.expect('.', { len: 512 });
  });

  scripted('an MSS of 0 does not make us send nothing', {}, (p) => {
    p.accept({ mss: 0, ts: 1 });
    p.user.write(Buffer.alloc(10));
    expect(p.expect('.').data.length).toBeGreaterThan(0);
  });

  scripted('an MSS in a segment without SYN is ignored', {}, (p) => {
    p.accept({ mss: 1_000 });
    p.send('.', { rawOptions: [2, 4, 0, 100] });
    p.user.write(Buffer.alloc(1_000));
    p.expect('.', { len: 1_000 });
  });

  // SHLD-5
  scripted('the configuration can lower ours', { tcp: { mss: 700 } }, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { mss: 700 });
  });
});

describe('what stands only in a SYN', () => {
  // MUST-14, MUST-65, MUST-67, SHLD-5, MAY-3, RFC2018-2-a, RFC7323-2.2-a
  scripted('MSS, window scale and SACK-permitted', {}, (p) => {
    p.connect();
    p.expect('S', { mss: 1_460, wscale: 7, sackOk: true });
    p.send('S.', { ack: 1, mss: 1_460, wscale: 6, sackOk: true });
    p.expect('.', { mss: null, wscale: null, sackOk: false });
    p.user.write('text');
    p.expect('.', { data: 'text', mss: null, wscale: null, sackOk: false });
    p.user.end();
    p.expect('F.', { mss: null, wscale: null, sackOk: false });
    p.expect('F.', { mss: null, wscale: null, sackOk: false }, 5_000);
  });
});

describe('window scale (RFC 7323 §2)', () => {
  // RFC7323-2.2-d
  scripted('a window scale in a segment without SYN is ignored', {}, (p) => {
    p.accept({ wscale: 2 });
    p.send('.', { win: 1_000, rawOptions: [3, 3, 7, 0] });
    p.send('.', { win: 1_001 });
    expect(p.tcb.sndWnd).toBe(1_001 << 2);
  });

  // RFC7323-2.2-b, RFC7323-2.3-c
  scripted(
    'offered to one that does not scale: both shifts are 0',
    { tcp: { windowScale: false } },
    (p) => {
      p.listen();
      p.send('S', { wscale: 7 });
      p.expect('S.', { wscale: null });
      p.send('.', { win: 1_000 });
      expect(p.tcb.sndWnd).toBe(1_000);
      p.send('.', { data: 'x' });
      p.expect('.', { win: 65_534 });
    },
  );

  for (let shift = 0; shift <= 14; shift++) {
    // RFC7323-2.2-e, RFC7323-2.3-a, RFC7323-2.3-c, RFC7323-2.3-d
    scripted(`the peer's shift of ${shift} counts for all but the SYN`, {}, (p) => {
      p.listen();
      p.send('S', { wscale: shift, win: 1_000 });
      p.expect('S.', { wscale: 7 });
      expect(p.tcb.sndWnd).toBe(1_000);
      p.send('.', { win: 1_001 });
      expect(p.tcb.sndWnd).toBe(1_001 << shift);
    });
  }

  // RFC7323-2.3-f
  scripted('§2.3: a larger shift counts as 14', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [3, 3, 200, 0] });
    p.expect('S.');
    p.send('.', { win: 3 });
    expect(p.tcb.sndWnd).toBe(3 << 14);
  });

  // RFC7323-2.2-b, RFC7323-2.2-c, RFC7323-2.3-c
  scripted('without it nobody scales', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { wscale: null, win: 65_535 });
    p.send('.', { data: 'x' });
    p.expect('.', { win: 65_534 });
  });

  // RFC7323-2.2-a, RFC7323-2.2-e, RFC7323-2.3-c
  scripted('our SYN offers it, an answer without it is unscaled', {}, (p) => {
    p.connect();
    p.expect('S', { wscale: 7, win: 65_535 });
    p.send('S.', { ack: 1 });
    p.expect('.');
    p.send('.', { data: 'x' });
    p.expect('.', { win: 65_534 });
  });

  scripted('switched off it is not offered', { tcp: { windowScale: false } }, (p) => {
    p.connect();
    p.expect('S', { wscale: null });
  });

  // MUST-1, REC-1, RFC7323-2.3-b, RFC7323-2.3-e
  scripted('windows up to 1 GiB', { tcp: { receiveBuffer: 1 << 30 } }, (p) => {
    p.listen();
    p.send('S', { wscale: 14, win: 65_535, mss: 1_460 });
    p.expect('S.', { wscale: 14 });
    p.send('.');
    p.send('.', { data: 'x' });
    const packet = p.expect('.');
    expect(packet.win << 14).toBeGreaterThanOrEqual((1 << 30) - 2 * 16_384);
    expect(p.tcb.sndWnd).toBe(65_535 << 14);
  });
});

describe('timestamps and PAWS (RFC 7323 §3 to §5)', () => {
  // RFC7323-3.2-b, RFC7323-3.2-e
  scripted('are on every segment once agreed on', {}, (p) => {
    p.listen();
    p.send('S', { ts: 100 });
    p.expect('S.', { ts: 0, tsEcr: 100 });
    p.send('.', { ts: 101 });
    p.user.write('x');
    p.expect('.', { ts: 0, tsEcr: 101 });
    p.user.end();
    p.expect('F.', { ts: 0 });
  });

  // RFC7323-3.2-d
  scripted('are not used unless offered', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.', { ts: null });
  });

  // RFC7323-3.2-g, RFC7323-3.2-h
  scripted('§3.2: a segment without one is dropped', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 1, data: 'x', ts: null });
    p.expectNothing(1_000);
    expect(p.user.received.length).toBe(0);
    expect(dropsOf(p.host).tcpPaws).toBe(1);
    p.expectState('ESTABLISHED');
  });

  // RFC7323-3.2-a
  scripted('§3.2: our SYN echoes nothing', {}, (p) => {
    p.connect();
    p.expect('S', { ts: 0, tsEcr: 0 });
  });

  // RFC7323-3.2-c
  scripted('§3.2: what a SYN echoes is no round trip', {}, (p) => {
    p.listen();
    p.send('S', { ts: [100, 0x1234_5678] });
    p.expect('S.', { tsEcr: 100 });
    expect(p.tcb.srtt).toBe(0);
    expect(p.tcb.rto).toBe(1_000);
  });

  // RFC7323-3.2-d
  scripted('§3.2: a SYN without is answered without', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { ts: null });
  });

  // RFC7323-3.2-i
  scripted('§3.2: when not agreed on they mean nothing', {}, (p) => {
    p.accept();
    p.send('.', { data: 'new', ts: [1_000, 0] });
    p.expect('.', { ack: 4, ts: null });
    p.send('.', { data: 'old', ts: [5, 0] });
    p.expect('.', { ack: 7, ts: null });
    expect(p.user.received.toString()).toBe('newold');
  });

  // RFC7323-4.1-a, RFC7323-5.2-a, RFC7323-5.4-a, RFC7323-5.4-b, RFC7323-5.4-c
  scripted('§5.4: the clock has milliseconds', {}, (p) => {
    p.accept({ ts: 100 });
    const seen: number[] = [];
    for (const wait of [0, 1, 10, 100_000]) {
      p.run(wait);
      p.user.write('x');
      seen.push(p.expect('.').ts![0]);
      p.send('.');
    }
    expect(seen.map((value) => (value - seen[0]!) | 0)).toEqual([0, 1, 11, 100_011]);
  });

  // RFC7323-4.2-a, RFC6298-3-b
  scripted('§4.2: a flight of many ACKs is one sample', {}, (p) => {
    p.listen();
    p.send('S', { ts: 1, mss: 1_012 });
    p.expect('S.');
    p.ts = 1;
    p.run(100);
    p.send('.');
    expect([p.tcb.srtt, p.tcb.rttvar]).toEqual([100, 50]);
    p.user.write(Buffer.alloc(10_000));
    p.run(200);
    for (let i = 1; i <= 10; i++) p.send('.', { ack: 1 + 1_000 * i });
    expect(p.tcb.srtt).toBeCloseTo(112.5);
    expect(p.tcb.rttvar).toBeCloseTo(62.5);
  });

  // RFC7323-5.2-b
  scripted('§5.2: RST in answer to a segment with timestamps', {}, (p) => {
    p.send('S', { ts: 4_711 });
    expect(p.expect('R.', { tsEcr: 4_711 }).ts![0]).toBe(0);
    p.send('.', { ack: 1, ts: 4_712 });
    expect(p.expect('R', { tsEcr: 4_712 }).ts![0]).toBe(0);
    p.send('S', { ts: null });
    p.expect('R.', { ts: null });
  });

  // RFC7323-5.2-c
  scripted("§5.2: RST of a user's abort", {}, (p) => {
    p.accept({ ts: 100 });
    p.user.connection.abort();
    p.expect('R.', { ts: 0, tsEcr: 100 });
  });

  // RFC7323-5.2-d
  scripted('§5.2: a RST with an old timestamp resets', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('R', { ts: 5 });
    expect(p.user.events.at(-1)).toBe('closed ECONNRESET');
  });

  // RFC7323-5.3-b
  scripted('§5.3: PAWS comes before the check of the number', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 100_000_000, data: 'x', ts: 99 });
    p.expect('.', { ack: 1 });
    expect(dropsOf(p.host)).toEqual({ tcpPaws: 1 });
  });

  // RFC7323-5.3-d
  scripted('§5.3: what waits for a gap is not checked again', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 4, data: 'def', ts: 150 });
    p.expect('.', { ack: 1 });
    p.send('.', { seq: 1, data: 'abc', ts: 200 });
    p.expect('.', { ack: 7, tsEcr: 200 });
    expect(p.user.received.toString()).toBe('abcdef');
  });

  // RFC7323-5.2-d
  scripted('§5.2: RST needs none', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('R', { ts: null });
    expect(p.user.events.at(-1)).toBe('closed ECONNRESET');
  });

  // RFC7323-5.3-a
  scripted('§5.3 R1: an older one is acknowledged and dropped', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 1, data: 'old', ts: 99 });
    p.expect('.', { ack: 1 });
    expect(p.user.received.length).toBe(0);
    p.send('.', { seq: 1, data: 'new', ts: 100 });
    p.expect('.', { ack: 4 });
    expect(p.user.received.toString()).toBe('new');
  });

  // RFC7323-5.3-a
  scripted('§5.3: comparison is modulo 2^32', {}, (p) => {
    p.accept({ ts: 0x7fff_ffff });
    p.send('.', { data: 'a', ts: 0x8000_0000 | 0 });
    p.expect('.', { ack: 2, tsEcr: 0x8000_0000 | 0 });
    p.send('.', { data: 'b', ts: -1 });
    p.expect('.', { ack: 3 });
    p.send('.', { data: 'c', ts: 5 });
    p.expect('.', { ack: 4, tsEcr: 5 });
  });

  // RFC7323-5.5-a
  scripted('§5.5: after 24 days of silence an older one is believed', {}, (p) => {
    p.accept({ ts: 100 });
    p.run(25 * 86_400_000);
    p.send('.', { data: 'x', ts: 50 });
    p.expect('.', { ack: 2 });
  });

  // RFC7323-4.3-a
  scripted('§4.3: a delayed ACK echoes the earliest', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept({ ts: 100, mss: 1_460 });
    p.send('.', { data: 'first', ts: 200 });
    p.send('.', { data: 'second', ts: 300 });
    p.expect('.', { ack: 12, tsEcr: 200 }, 100);
  });

  // RFC7323-4.3-b, RFC7323-4.3-c, RFC7323-5.3-c
  scripted('§4.3: out of order does not count, what fills the gap does', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 11, data: 'later', ts: 300 });
    p.expect('.', { ack: 1, tsEcr: 100 });
    p.send('.', { seq: 1, data: '0123456789', ts: 200 });
    p.expect('.', { ack: 16, tsEcr: 200 });
  });

  // RFC7323-5.2-e
  scripted('a reset that is not believed leaves TS.Recent alone', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('R', { seq: 2, ts: 0x7000_0000 });
    p.expect('.', { tsEcr: 100 });
    p.send('S', { seq: 1, ts: 0x7000_0000 });
    p.expect('.', { tsEcr: 100 });
    p.send('.', { seq: 1, data: 'x', ts: 101 });
    p.expect('.', { ack: 2, tsEcr: 101 });
  });

  // RFC7323-5.3-c
  scripted('an ACK of what was not sent leaves TS.Recent alone', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { ack: 1_000, ts: 0x7000_0000 });
    p.expect('.', { tsEcr: 100 });
  });

  conversation('the round trip is measured', { delay: 30 }, (c) => {
    c.establish();
    c.userA.write('x');
    c.run(200);
    expect(c.userA.connection.info().srtt).toBeCloseTo(60, 0);
  });
});

describe('SACK, the receiver (RFC 2018)', () => {
  // RFC2018-4-b
  scripted('is permitted only when offered', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { sackOk: false });
  });

  // RFC2018-4-a, RFC2018-4-c, RFC2018-4-e, RFC2018-4-f, RFC2018-4-g, RFC2018-8-b
  scripted('§4: the latest block first, three with timestamps', {}, (p) => {
    p.accept({ sackOk: true, ts: 1, mss: 1_000 });
    const block = (seq: number): void => p.send('.', { seq, data: Buffer.alloc(10) });
    block(11);
    p.expect('.', { ack: 1, sack: [[11, 21]] });
    block(31);
    p.expect('.', {
      ack: 1,
      sack: [
        [31, 41],
        [11, 21],
      ],
    });
    block(51);
    p.expect('.', {
      ack: 1,
      sack: [
        [51, 61],
        [31, 41],
        [11, 21],
      ],
    });
    block(71);
    p.expect('.', {
      ack: 1,
      sack: [
        [71, 81],
        [51, 61],
        [31, 41],
      ],
    });
    // An arrival that grows an old block makes it the latest.
    block(21);
    p.expect('.', {
      ack: 1,
      sack: [
        [11, 41],
        [71, 81],
        [51, 61],
      ],
    });
    block(1);
    p.expect('.', {
      ack: 41,
      sack: [
        [71, 81],
        [51, 61],
      ],
    });
    block(61);
    p.expect('.', { ack: 41, sack: [[51, 81]] });
    block(41);
    p.expect('.', { ack: 81, sack: [] });
  });

  // RFC2018-4-f, RFC2018-4-g
  scripted('four blocks without timestamps', {}, (p) => {
    p.accept({ sackOk: true });
    for (let i = 1; i <= 5; i++) p.send('.', { seq: 20 * i + 1, data: Buffer.alloc(10) });
    for (let i = 1; i <= 4; i++) p.expect('.', { ack: 1 });
    p.expect('.', {
      ack: 1,
      sack: [
        [101, 111],
        [81, 91],
        [61, 71],
        [41, 51],
      ],
    });
  });

  // RFC2018-4-b
  scripted('no blocks without permission', {}, (p) => {
    p.accept();
    p.send('.', { seq: 11, data: 'x' });
    p.expect('.', { ack: 1, sack: [] });
  });

  scripted('SACK blocks of nonsense from the peer harm nobody', {}, (p) => {
    p.accept({ sackOk: true });
    p.user.write('data');
    p.expect('.', { data: 'data' });
    for (const sack of [
      [[100, 50]],
      [[-1_000, 1_000]],
      [[2_000_000_000, 2_100_000_000]],
    ] as const) {
      p.send('.', { ack: 1, sack });
    }
    p.send('.', { ack: 5 });
    expect(p.user.connection.unacknowledged).toBe(0);
  });
});

describe('option parsing (RFC 9293 §3.1)', () => {
  // MUST-5, MUST-64, MUST-68
  scripted('options in any segment, at any place, with unknown ones between', {}, (p) => {
    p.accept({ ts: 100 });
    const timestamps = [8, 10, 0, 0, 0, 200, 0, 0, 0, 0];
    p.send('.', {
      data: 'x',
      ts: null,
      rawOptions: [1, 253, 5, 1, 2, 3, 1, ...timestamps, 1, 1, 0],
    });
    p.expect('.', { ack: 2, tsEcr: 200 });
    expect(p.user.received.toString()).toBe('x');
  });

  // MUST-2
  scripted('texts of every length and place have a right checksum', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.connection.setNoDelay(true);
    for (let length = 1; length < 40; length++) {
      p.user.write(Buffer.alloc(length, length * 7));
      p.expect('.', { len: length });
      p.send('.');
    }
    expect(p.others).toEqual([]);
  });

  // MUST-4, MUST-64, MUST-68
  scripted('MUST-6: unknown options are skipped', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [253, 6, 1, 2, 3, 4, 2, 4, 4, 0, 77, 2] });
    p.expect('S.');
    p.send('.');
    expect(p.tcb.sndMss).toBe(1_024);
  });

  // MUST-4, MUST-69
  scripted('nothing counts after the end of the list', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [0, 2, 4, 4, 2, 0, 0, 0] });
    p.expect('S.');
    p.send('.');
    expect(p.tcb.sndMss).toBe(536);
  });

  for (const [name, rawOptions] of [
    ['of length 0', [253, 0, 0, 0]],
    ['of length 1', [253, 1, 0, 0]],
    ['beyond the header', [1, 1, 253, 3]],
    ['without a length', [1, 1, 1, 2]],
  ] as const) {
    scripted(`MUST-7: an option ${name} drops the segment`, {}, (p) => {
      p.listen();
      p.send('S', { rawOptions });
      p.expectNothing(100);
      expect(dropsOf(p.host).tcpOptionLength).toBe(1);
      expect(p.host.counters.tcpInErrs).toBe(1);
    });
  }

  scripted('a known option of the wrong length is skipped', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [2, 3, 9, 3, 4, 7, 7, 1] });
    p.expect('S.', { wscale: null });
    p.send('.');
    expect(p.tcb.sndMss).toBe(536);
  });

  scripted(
    'without ECN, an ECN-setup SYN is answered like any other',
    { tcp: { ecn: 'off' } },
    (p) => {
      p.listen();
      p.send('SEW', { mss: 1_460 });
      p.expect('S.');
    },
  );
});
