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

  scripted("the peer's MSS is the limit", {}, (p) => {
    p.accept({ mss: 1_000 });
    p.user.write(Buffer.alloc(1_500));
    p.expect('.', { len: 1_000 });
    p.expect('.', { len: 500 });
  });

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

  scripted('the configuration can lower ours', { tcp: { mss: 700 } }, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { mss: 700 });
  });
});

describe('window scale (RFC 7323 §2)', () => {
  for (let shift = 0; shift <= 14; shift++) {
    scripted(`the peer's shift of ${shift} counts for all but the SYN`, {}, (p) => {
      p.listen();
      p.send('S', { wscale: shift, win: 1_000 });
      p.expect('S.', { wscale: 6 });
      expect(p.tcb.sndWnd).toBe(1_000);
      p.send('.', { win: 1_001 });
      expect(p.tcb.sndWnd).toBe(1_001 << shift);
    });
  }

  scripted('§2.3: a larger shift counts as 14', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [3, 3, 200, 0] });
    p.expect('S.');
    p.send('.', { win: 3 });
    expect(p.tcb.sndWnd).toBe(3 << 14);
  });

  scripted('without it nobody scales', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { wscale: null, win: 65_535 });
    p.send('.', { data: 'x' });
    p.expect('.', { win: 65_534 });
  });

  scripted('our SYN offers it, an answer without it is unscaled', {}, (p) => {
    p.connect();
    p.expect('S', { wscale: 6, win: 65_535 });
    p.send('S.', { ack: 1 });
    p.expect('.');
    p.send('.', { data: 'x' });
    p.expect('.', { win: 65_534 });
  });

  scripted('switched off it is not offered', { tcp: { windowScale: false } }, (p) => {
    p.connect();
    p.expect('S', { wscale: null });
  });

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

  scripted('are not used unless offered', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.', { ts: null });
  });

  scripted('§3.2: a segment without one is dropped', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 1, data: 'x', ts: null });
    p.expectNothing(1_000);
    expect(p.user.received.length).toBe(0);
    expect(dropsOf(p.host).tcpPaws).toBe(1);
  });

  scripted('§5.2: RST needs none', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('R', { ts: null });
    expect(p.user.events.at(-1)).toBe('closed ECONNRESET');
  });

  scripted('§5.3 R1: an older one is acknowledged and dropped', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 1, data: 'old', ts: 99 });
    p.expect('.', { ack: 1 });
    expect(p.user.received.length).toBe(0);
    p.send('.', { seq: 1, data: 'new', ts: 100 });
    p.expect('.', { ack: 4 });
    expect(p.user.received.toString()).toBe('new');
  });

  scripted('§5.3: comparison is modulo 2^32', {}, (p) => {
    p.accept({ ts: 0x7fff_ffff });
    p.send('.', { data: 'a', ts: 0x8000_0000 | 0 });
    p.expect('.', { ack: 2, tsEcr: 0x8000_0000 | 0 });
    p.send('.', { data: 'b', ts: -1 });
    p.expect('.', { ack: 3 });
    p.send('.', { data: 'c', ts: 5 });
    p.expect('.', { ack: 4, tsEcr: 5 });
  });

  scripted('§5.5: after 24 days of silence an older one is believed', {}, (p) => {
    p.accept({ ts: 100 });
    p.run(25 * 86_400_000);
    p.send('.', { data: 'x', ts: 50 });
    p.expect('.', { ack: 2 });
  });

  scripted('§4.3: a delayed ACK echoes the earliest', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept({ ts: 100, mss: 1_460 });
    p.send('.', { data: 'first', ts: 200 });
    p.send('.', { data: 'second', ts: 300 });
    p.expect('.', { ack: 12, tsEcr: 200 }, 100);
  });

  scripted('§4.3: out of order does not count, what fills the gap does', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('.', { seq: 11, data: 'later', ts: 300 });
    p.expect('.', { ack: 1, tsEcr: 100 });
    p.send('.', { seq: 1, data: '0123456789', ts: 200 });
    p.expect('.', { ack: 16, tsEcr: 200 });
  });

  scripted('a reset that is not believed leaves TS.Recent alone', {}, (p) => {
    p.accept({ ts: 100 });
    p.send('R', { seq: 2, ts: 0x7000_0000 });
    p.expect('.', { tsEcr: 100 });
    p.send('S', { seq: 1, ts: 0x7000_0000 });
    p.expect('.', { tsEcr: 100 });
    p.send('.', { seq: 1, data: 'x', ts: 101 });
    p.expect('.', { ack: 2, tsEcr: 101 });
  });

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
  scripted('is permitted only when offered', {}, (p) => {
    p.listen();
    p.send('S', { mss: 1_460 });
    p.expect('S.', { sackOk: false });
  });

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
  scripted('MUST-6: unknown options are skipped', {}, (p) => {
    p.listen();
    p.send('S', { rawOptions: [253, 6, 1, 2, 3, 4, 2, 4, 4, 0, 77, 2] });
    p.expect('S.');
    p.send('.');
    expect(p.tcb.sndMss).toBe(1_024);
  });

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
