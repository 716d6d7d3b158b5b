import { describe, expect } from 'vitest';
import { type Peer, scripted } from '../support/peer.js';

/** Every SYN gets a cookie. */
const ALWAYS = { tcp: { synCookies: 'always' } } as const;
/** A cookie is good for one or two of these, ms. */
const COUNT_TIME = 64_000;

const FULL_SYN = { mss: 1460, wscale: 7, sackOk: true, ts: 5_000 } as const;

/** The handshake, of which the host keeps nothing before the last segment. */
function open(p: Peer, flags: string, syn: Parameters<Peer['send']>[1], answer: string): void {
  p.send(flags, syn);
  p.expect(answer, { seq: 0, ack: 1 });
  expect(p.host.connectionCount).toBe(0);
  if (syn?.ts !== undefined) p.ts = 5_001;
  p.send('.');
  p.expectState('ESTABLISHED');
}

describe('SYN cookies (RFC 4987 §3.6)', () => {
  scripted('with timestamps keep window scale, SACK-permitted and the MSS', ALWAYS, (p) => {
    p.run(1_234);
    p.listen();
    p.send('S', FULL_SYN);
    const answer = { mss: 1460, wscale: 7, sackOk: true, ts: 0, tsEcr: 5_000 };
    expect(p.expect('S.', { seq: 0, ack: 1, ...answer }).win).toBe(65_535);
    expect(p.host.connectionCount).toBe(0);
    p.ts = 5_001;
    p.send('.', { win: 100 });
    const { tcb } = p;
    expect(tcb).toMatchObject({ windowScaleOk: true, sndWindowShift: 7, sndWnd: 100 << 7 });
    expect(tcb).toMatchObject({ sackOk: true, timestampsOk: true, peerMss: 1460, sndMss: 1448 });
    expect(p.user.events).toEqual(['established']);
    const { counters } = p.host;
    expect(counters).toMatchObject({ tcpSyncookiesSent: 1, tcpSyncookiesRecv: 1 });
    expect(counters).toMatchObject({ tcpSyncookiesFailed: 0, tcpPassiveOpens: 1 });
    p.send('.', { data: 'hello' });
    p.expect('.', { seq: 1, ack: 6, ts: 0 });
    expect(p.user.received.toString()).toBe('hello');
    p.user.write('world');
    p.expect('.', { seq: 1, data: 'world' });
  });

  scripted('our timestamps do not go back behind the one of a cookie', ALWAYS, (p) => {
    p.listen();
    for (let i = 0; i < 130; i++) {
      p.peerPort++;
      p.seq = 0;
      p.send('S', { ...FULL_SYN, wscale: i % 15, sackOk: i % 2 === 0 });
      const cookie = p.expect('S.').ts![0];
      p.send('.', { ts: 5_001, data: 'x', ack: 1 });
      const { ts } = p.expect('.');
      expect((ts![0] - cookie) | 0).toBeGreaterThanOrEqual(0);
      const tcb = [...p.host.tcbs()].find((each) => each.remotePort === p.peerPort)!;
      expect([tcb.sndWindowShift, tcb.sackOk]).toEqual([i % 15, i % 2 === 0]);
      p.run(7);
    }
  });

  scripted('without timestamps keep the MSS, and agree on no other option', ALWAYS, (p) => {
    p.listen();
    p.send('S', { mss: 1000, wscale: 7, sackOk: true });
    p.expect('S.', { mss: 1460, wscale: null, sackOk: false, ts: null });
    p.send('.', { win: 100 });
    const { tcb } = p;
    expect(tcb).toMatchObject({ windowScaleOk: false, sackOk: false, timestampsOk: false });
    expect(tcb).toMatchObject({ sndWnd: 100, peerMss: 536, sndMss: 536, rcvWindowShift: 0 });
  });

  for (const [offered, kept] of [
    [20, 48],
    [48, 48],
    [300, 256],
    [536, 536],
    [1_299, 1_200],
    [1_300, 1_300],
    [1_452, 1_440],
    [1_460, 1_460],
    [8_000, 1_460],
    [9_000, 8_960],
  ] as const) {
    scripted(`an MSS of ${offered} comes back as ${kept}, never as more`, ALWAYS, (p) => {
      p.listen();
      open(p, 'S', { mss: offered }, 'S.');
      expect(p.tcb.peerMss).toBe(kept);
    });
  }

  scripted('a SYN without MSS stands for 536 octets: MUST-15', ALWAYS, (p) => {
    p.listen();
    open(p, 'S', {}, 'S.');
    expect(p.tcb.peerMss).toBe(536);
  });

  scripted('ECN is kept through the timestamp', ALWAYS, (p) => {
    p.listen();
    open(p, 'SEW', FULL_SYN, 'S.E');
    expect(p.tcb.ecnOk).toBe(true);
  });

  scripted('ECN is not agreed on without timestamps', ALWAYS, (p) => {
    p.listen();
    open(p, 'SEW', { mss: 1460 }, 'S.');
    expect(p.tcb.ecnOk).toBe(false);
  });

  const PLAIN = {
    tcp: { synCookies: 'always', sack: false, windowScale: false, ecn: 'off' },
  } as const;
  scripted('what the host does not want is not agreed on', PLAIN, (p) => {
    p.listen();
    p.send('SEW', FULL_SYN);
    p.expect('S.', { wscale: null, sackOk: false, ts: 0 });
    p.ts = 5_001;
    p.send('.');
    expect(p.tcb).toMatchObject({ sackOk: false, windowScaleOk: false, ecnOk: false });
  });

  scripted('text and FIN may come with the ACK', ALWAYS, (p) => {
    p.listen();
    p.send('S', FULL_SYN);
    p.expect('S.');
    p.ts = 5_001;
    p.send('F.', { data: 'all' });
    expect(p.user.received.toString()).toBe('all');
    expect(p.user.events).toEqual(['established', 'end']);
    p.expectState('CLOSE_WAIT');
  });

  scripted('no round trip is taken from a handshake of which nothing was kept', ALWAYS, (p) => {
    p.listen();
    p.send('S', FULL_SYN);
    p.expect('S.');
    p.run(300);
    p.ts = 5_300;
    p.send('.', { data: 'x' });
    expect(p.tcb).toMatchObject({ srtt: 0, rto: 1_000, autotune: { rtt: -0 } });
  });

  scripted('a cookie is good for a minute', ALWAYS, (p) => {
    p.listen();
    p.run(COUNT_TIME - 1);
    p.send('S', FULL_SYN);
    p.expect('S.');
    p.run(COUNT_TIME);
    p.ts = 70_000;
    p.send('.');
    p.expectState('ESTABLISHED');
  });

  scripted('an old cookie is answered with RST: §3.10.7.2', ALWAYS, (p) => {
    p.listen();
    p.send('S', { mss: 1460 });
    p.expect('S.');
    p.run(COUNT_TIME);
    const early = p.peerPort;
    p.peerPort++;
    p.send('S', { seq: 0, mss: 1460 });
    p.inbox.length = 0;
    p.peerPort = early;
    p.run(COUNT_TIME);
    p.send('.', { ack: 1 });
    p.expect('R', { seq: 1 });
    expect(p.host.connectionCount).toBe(0);
    expect(p.host.counters.tcpSyncookiesFailed).toBe(1);
  });

  scripted('a forged cookie is answered with RST: §3.10.7.2', ALWAYS, (p) => {
    p.listen();
    p.send('S', { mss: 1460 });
    p.expect('S.');
    for (const ack of [0, 2, 3, 1 << 8, 1 << 23, 1 << 24, 1 << 25, -(1 << 24), 1 << 30]) {
      p.send('.', { seq: 1, ack: ack === 1 << 24 ? ack : ack + 9 });
      p.expect('R');
    }
    expect(p.host.connectionCount).toBe(0);
    expect(p.host.counters).toMatchObject({ tcpSyncookiesFailed: 9, tcpSyncookiesRecv: 0 });
  });

  scripted('a cookie is good for its own four-tuple and initial sequence number', ALWAYS, (p) => {
    p.listen();
    p.send('S', { mss: 1460 });
    p.expect('S.');
    const port = p.peerPort;
    p.peerPort++;
    p.send('.', { seq: 1, ack: 1 });
    p.expect('R');
    p.peerPort = port;
    p.send('.', { seq: 2, ack: 1 });
    p.expect('R');
    p.send('.', { seq: 1, ack: 1 });
    p.expectState('ESTABLISHED');
  });

  scripted('a timestamp that no cookie had is refused', ALWAYS, (p) => {
    p.listen();
    p.send('S', FULL_SYN);
    p.expect('S.');
    p.send('.', { ts: [5_001, p.lastTsVal + 100] });
    p.expect('R');
    p.send('.', { ts: [5_001, p.lastTsVal - 1_000_000] });
    p.expect('R');
    expect(p.host.counters.tcpSyncookiesFailed).toBe(2);
  });

  scripted('SYN,ACK or RST with a good cookie open nothing', ALWAYS, (p) => {
    p.listen();
    p.send('S', { mss: 1460 });
    p.expect('S.');
    p.send('S.', { seq: 1, ack: 1 });
    p.expect('R');
    p.send('R.', { seq: 1, ack: 1 });
    p.expectNothing(0);
    expect(p.host.connectionCount).toBe(0);
  });

  scripted('the same ACK again belongs to the connection that it has opened', ALWAYS, (p) => {
    p.listen();
    open(p, 'S', FULL_SYN, 'S.');
    const { tcb } = p;
    p.send('.', { seq: 1, ack: 1 });
    p.send('.', { seq: 1, ack: 1 });
    p.expectNothing(0);
    expect(p.tcb).toBe(tcb);
    expect(p.accepted).toBe(1);
    expect(p.host.counters.tcpSyncookiesRecv).toBe(1);
  });

  scripted(
    'a SYN that comes again gets a cookie again; either may be acknowledged',
    ALWAYS,
    (p) => {
      p.listen();
      p.send('S', { seq: 0, mss: 1460 });
      const first = p.expect('S.').rawSeq;
      p.run(1_000);
      p.send('S', { seq: 0, mss: 1460 });
      expect(p.expect('S.').rawSeq).toBe(first);
      p.send('.', { seq: 1, ack: 1 });
      p.expectState('ESTABLISHED');
      expect(p.host.counters.tcpSyncookiesSent).toBe(2);
    },
  );

  scripted('after the listener has closed the ACK is answered with RST', ALWAYS, (p) => {
    const listener = p.host.listen({ port: 80 }, () => p.user);
    p.send('S', { mss: 1460 });
    p.expect('S.');
    listener.close();
    p.send('.', { seq: 1, ack: 1 });
    p.expect('R', { seq: 1 });
    // Nor does one that listens there now know of cookies of another.
    p.listen();
    p.send('.', { seq: 1, ack: 1 });
    p.expect('R', { seq: 1 });
    expect(p.host.counters.tcpSyncookiesFailed).toBe(0);
    expect(p.host.connectionCount).toBe(0);
  });
});

describe('SYN cookies when the backlog is full', () => {
  scripted('are sent then only, and let peers in that answer', {}, (p) => {
    p.listen(2);
    for (let i = 0; i < 4; i++) {
      p.peerPort++;
      p.send('S', { ...FULL_SYN, seq: 0 });
      p.expect('S.', { sackOk: true, wscale: 7 });
    }
    expect(p.host.connectionCount).toBe(2);
    const { counters } = p.host;
    expect(counters).toMatchObject({ tcpSyncookiesSent: 2, tcpReqQFullDoCookies: 2 });
    expect(counters).toMatchObject({ tcpListenDrops: 0, tcpListenOverflows: 0 });
    p.ts = 5_001;
    p.send('.', { seq: 1 });
    expect(p.accepted).toBe(1);
    expect(p.host.connectionCount).toBe(3);
    expect(counters.tcpSyncookiesRecv).toBe(1);
  });

  scripted('an ACK without connection is no matter of cookies while none were sent', {}, (p) => {
    p.listen();
    p.send('.', { seq: 1, ack: 1 });
    p.expect('R');
    expect(p.host.counters.tcpSyncookiesFailed).toBe(0);
  });

  scripted('half-open connections give up their places after the last SYN,ACK', {}, (p) => {
    p.listen(1);
    p.send('S', { seq: 0 });
    p.expect('S.');
    p.run(64_000);
    p.inbox.length = 0;
    expect(p.host.connectionCount).toBe(0);
    p.peerPort++;
    p.send('S', { seq: 0 });
    p.expect('S.');
    expect(p.host.counters.tcpSyncookiesSent).toBe(0);
  });
});
