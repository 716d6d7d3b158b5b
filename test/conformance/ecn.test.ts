import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';
import { type Peer, scripted } from '../support/peer.js';

const MSS = 1_000;
const ECT_0 = 2;
const CE = 3;
const ON = { tcp: { ecn: 'on', congestionControl: 'newreno' } } as const;
const DCTCP = { tcp: { congestionControl: 'dctcp' } } as const;

/** A connection that a peer with ECN has opened. */
function accept(p: Peer): void {
  p.listen();
  p.send('SEW', { mss: MSS });
  p.expect('S.E', { tos: 0 });
  p.send('.');
  p.expectNothing(0);
}

/** Full segments that are ECN-capable, `count` of them. */
function take(p: Peer, count: number, flags = '.'): void {
  for (let i = 0; i < count; i++) p.expect(i === 0 ? flags : '.', { len: MSS, tos: ECT_0 });
  p.expectNothing(0);
}

describe('ECN handshake (RFC 3168 §6.1.1)', () => {
  // SHLD-8
  scripted(
    'an ECN-setup SYN is answered with ECE alone, in packets that are not ECN-capable',
    {},
    (p) => {
      accept(p);
      expect(p.tcb.ecnOk).toBe(true);
    },
  );

  for (const flags of ['S', 'SE', 'SW']) {
    scripted(`${flags} is no ECN-setup SYN`, {}, (p) => {
      p.listen();
      p.send(flags, { mss: MSS });
      p.expect('S.');
      p.send('.');
      p.user.write('text');
      p.expect('.', { len: 4, tos: 0 });
    });
  }

  scripted('ecn: on asks for it', ON, (p) => {
    p.connect();
    p.expect('SEW', { tos: 0 });
    p.send('S.E', { mss: MSS });
    p.expect('.', { tos: 0 });
    p.user.write('text');
    p.expect('.', { len: 4, tos: ECT_0 });
  });

  for (const flags of ['S.', 'S.EW', 'S.W']) {
    scripted(`${flags} does not agree`, ON, (p) => {
      p.connect();
      p.expect('SEW');
      p.send(flags, { mss: MSS });
      p.expect('.');
      p.user.write('text');
      p.expect('.', { len: 4, tos: 0 });
    });
  }

  scripted('passive and off do not ask', {}, (p) => {
    p.connect();
    p.expect('S');
  });

  scripted(
    '§6.1.1.1: a SYN that was not answered goes out again without, and that counts',
    ON,
    (p) => {
      p.connect();
      p.expect('SEW');
      p.expect('S', { seq: 0 }, 1_000);
      p.send('S.E', { mss: MSS });
      p.expect('.');
      p.user.write('text');
      p.expect('.', { len: 4, tos: 0 });
      // The peer has the first SYN, and may mean it.
      p.send('.', { data: 'a', tos: CE });
      p.expect('.E', { ack: 2 });
    },
  );

  scripted('a peer that no longer asks when it sends its SYN again is believed', {}, (p) => {
    p.listen();
    p.send('SEW', { mss: MSS });
    p.expect('S.E');
    p.send('S', { seq: 0, mss: MSS });
    p.expect('S.');
    expect(p.tcb.ecnOk).toBe(false);
  });

  conversation('two hosts that cross their SYNs agree', { tcp: { ecn: 'on' } }, (c) => {
    c.connectBoth();
    c.run(100);
    for (const host of [c.a, c.b]) for (const tcb of host.tcbs()) expect(tcb.ecnOk).toBe(true);
  });
});

describe('ECN as the receiver (RFC 3168 §6.1.3)', () => {
  // SHLD-8
  scripted('a mark is echoed at once and in every ACK until CWR', {}, (p) => {
    accept(p);
    p.send('.', { data: 'a', tos: CE });
    p.expect('.E', { ack: 2 });
    p.send('.', { data: 'b', tos: ECT_0 });
    p.expect('.E', { ack: 3 });
    p.user.write('text');
    p.expect('.E', { len: 4 });
    p.send('.W', { data: 'c', tos: ECT_0 });
    p.expect('.', { ack: 4 });
    expect(p.host.counters.tcpInCeSegs).toBe(1);
  });

  scripted('a segment with both is CWR first, then a mark', {}, (p) => {
    accept(p);
    p.send('.', { data: 'a', tos: CE });
    p.expect('.E');
    p.send('.W', { data: 'b', tos: CE });
    p.expect('.E', { ack: 3 });
  });

  scripted('§6.1.5: marks on a pure ACK and outside the window are not heeded', {}, (p) => {
    accept(p);
    p.send('.', { tos: CE });
    p.send('.', { seq: 100_000, data: 'far', tos: CE });
    p.expect('.', { ack: 1 });
    p.send('.', { data: 'a', tos: ECT_0 });
    p.expect('.', { ack: 2 });
  });

  scripted('without ECN agreed on, marks and ECE are noise', {}, (p) => {
    p.accept({ mss: MSS });
    p.send('.', { data: 'a', tos: CE });
    p.expect('.', { ack: 2 });
    p.user.write(Buffer.alloc(30 * MSS));
    for (let i = 0; i < 10; i++) p.expect('.', { tos: 0 });
    p.send('.E', { ack: 5 * MSS + 1 });
    expect(p.tcb.ssthresh).toBe(0x7fffffff);
  });
});

describe('ECN as the sender (RFC 3168 §6.1.2)', () => {
  /** NewReno with 10 segments out. */
  function start(p: Peer): void {
    p.connect();
    p.expect('SEW');
    p.send('S.E', { mss: MSS });
    p.expect('.');
    p.user.write(Buffer.alloc(100 * MSS));
    take(p, 10);
  }

  // SHLD-8
  scripted('ECE halves the window, once for what was sent before it', ON, (p) => {
    start(p);
    p.send('.E', { ack: 2 * MSS + 1 });
    expect(p.tcb.ssthresh).toBe(5 * MSS);
    expect(p.tcb.cwnd).toBe(5 * MSS);
    for (let i = 3; i <= 5; i++) p.send('.E', { ack: i * MSS + 1 });
    p.expectNothing(0);
    expect(p.tcb.cwnd).toBe(5 * MSS);
    // CWR is on the first new segment, and on no other.
    p.send('.E', { ack: 7 * MSS + 1 });
    take(p, 2, '.W');
    expect(p.host.counters.tcpEcnReductions).toBe(1);
    p.send('.', { ack: 10 * MSS + 1 });
    take(p, 3);
    p.send('.E', { ack: 11 * MSS + 1 });
    expect(p.host.counters.tcpEcnReductions).toBe(2);
    expect(p.tcb.ssthresh).toBe(2_500);
  });

  scripted(
    '§6.1.5: what is sent again is not ECN-capable; §6.1.2: loss is followed by CWR',
    ON,
    (p) => {
      start(p);
      p.expect('.', { seq: 1, tos: 0 }, 1_000);
      p.send('.', { ack: 10 * MSS + 1 });
      p.expect('.W', { seq: 10 * MSS + 1, tos: ECT_0 });
    },
  );

  scripted('§6.1.6: a window probe is not ECN-capable', ON, (p) => {
    p.connect();
    p.expect('SEW');
    p.send('S.E', { mss: MSS, win: 0 });
    p.expect('.');
    p.user.write('text');
    p.expect('.', { len: 1, tos: 0 }, 1_000);
  });

  for (const offload of [false, true]) {
    conversation(
      `a megabyte with marks now and then, offload ${offload}`,
      {
        offload,
        tcp: { ecn: 'on' },
        onPacket: (() => {
          let count = 0;
          return (packet: Uint8Array) => {
            if ((packet[1]! & 3) === ECT_0 && ++count % (offload ? 3 : 50) === 0) mark(packet);
            return 0;
          };
        })(),
      },
      (c) => {
        const data = Buffer.alloc(1_000_000, '0123456789');
        c.listen();
        c.connect();
        c.userB.endsWithPeer = true;
        c.userA.write(data);
        c.userA.end();
        c.finish();
        expect(c.userB.received.equals(data)).toBe(true);
        expect(c.a.counters.tcpEcnReductions).toBeGreaterThan(0);
        expect(c.a.counters.tcpRetransSegs).toBe(0);
        expect(c.b.counters.tcpInCeSegs).toBeGreaterThan(0);
      },
    );
  }
});

describe('DCTCP (RFC 8257)', () => {
  scripted(
    '§3.2: each change of the mark is told at once, with what came before it told apart',
    DCTCP,
    (p) => {
      accept(p);
      p.tcb.quickAcks = 0;
      p.send('.', { data: 'a', tos: ECT_0 });
      p.expectNothing(0);
      p.send('.', { data: 'b', tos: CE });
      p.expect('.', { ack: 2 });
      p.expect('.E', { ack: 3 });
      p.send('.', { data: 'c', tos: CE });
      p.expectNothing(0);
      p.send('.', { data: 'd', tos: ECT_0 });
      p.expect('.E', { ack: 4 });
      p.expect('.', { ack: 5 });
      p.expectNothing(0);
    },
  );

  scripted('it asks for ECN whatever the configuration says', DCTCP, (p) => {
    p.connect();
    p.expect('SEW');
  });
});

/** Sets CE, and the header checksum for it (RFC 1624). */
function mark(packet: Uint8Array): void {
  packet[1] = packet[1]! | CE;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const sum = (~view.getUint16(10) & 0xffff) + 1;
  view.setUint16(10, ~(sum + (sum >> 16)) & 0xffff);
}
