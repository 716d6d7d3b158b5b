import { describe, expect } from 'vitest';
import { ADDRESS_A, ADDRESS_B } from '../../support/conversation.js';
import { dropsOf } from '../../support/drops.js';
import { icmp, icmpErrorFor } from '../../support/icmp.js';
import { writeIcmpPacket, writeSegment } from '../../support/packet.js';
import { type Peer, scripted } from '../../support/peer.js';

const UNREACHABLE = 3;
const FRAG_NEEDED = 4;
const BROADCAST = 0x0a00_00ff;

function tooBig(p: Peer, seq: number, mtu: number): void {
  icmpErrorFor(p, UNREACHABLE, FRAG_NEEDED, seq, mtu, mtu + 1);
}

/** Segments that carry text, since the last call. */
function textSegments(p: Peer): number {
  p.run(0);
  return p.inbox.splice(0).filter((packet) => packet.data.length > 0).length;
}

describe('forged ICMP errors (RFC 5927)', () => {
  // RFC792-3-c, MUST-54
  scripted('a number that is not in flight changes nothing, whatever the error', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.', { len: 1_460 });
    let sent = 0;
    for (const [type, codes] of [
      [UNREACHABLE, 16],
      [11, 2],
      [12, 2],
    ] as const) {
      for (let code = 0; code < codes; code++) {
        for (const seq of [0, 1_461, -1_000, 100_000, 0x7fff_ffff, -0x7fff_ffff]) {
          icmpErrorFor(p, type, code, seq, code === FRAG_NEEDED ? 576 : 0, 1_500);
          sent++;
        }
      }
    }
    expect(dropsOf(p.host).icmpUnquoted).toBe(sent);
    expect(p.tcb.pathMss).toBe(1_460);
    expect(p.tcb.softError).toBe(null);
    p.expectNothing(0);
  });

  scripted('SYN_RECEIVED: only the number of the SYN,ACK itself counts', {}, (p) => {
    p.listen();
    p.send('S');
    p.expect('S.');
    for (const seq of [-1, 1, 2, 500]) icmpErrorFor(p, UNREACHABLE, 3, seq);
    p.expectState('SYN_RECEIVED');
  });

  scripted('what came true of an error is forgotten once the peer answers', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.');
    icmpErrorFor(p, UNREACHABLE, 1, 1);
    p.send('.', { ack: 2 });
    p.user.write('y');
    p.run(2_000_000);
    expect(p.user.events.at(-1)).toBe('closed ETIMEDOUT');
  });

  // MUST-55
  scripted('source quench, redirects and questions about us get no answer', {}, (p) => {
    p.accept();
    p.user.write(Buffer.alloc(1_000));
    p.run(0);
    const { cwnd } = p.tcb;
    for (const type of [4, 5]) for (let code = 0; code < 4; code++) icmpErrorFor(p, type, code, 1);
    // Router solicitation, timestamp, information, address mask.
    for (const type of [9, 10, 13, 15, 17]) {
      p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(type, 0, 0, Buffer.alloc(12))));
    }
    expect(p.tcb.cwnd).toBe(cwnd);
    expect(p.others).toEqual([]);
    expect(dropsOf(p.host).icmpType).toBe(13);
  });

  scripted('TIME_WAIT, LISTEN and no connection at all take none', {}, (p) => {
    p.accept();
    p.user.end();
    p.expect('F.');
    p.send('F.', { ack: 2 });
    p.expect('.');
    icmpErrorFor(p, UNREACHABLE, 3, 1);
    p.expectState('TIME_WAIT');
    p.peerPort = 1_234;
    icmpErrorFor(p, UNREACHABLE, 3, 1);
    expect(dropsOf(p.host).icmpUnquoted).toBe(2);
  });

  scripted('an error in answer to a segment that another host sent is not ours', {}, (p) => {
    p.accept();
    p.user.write('x');
    p.expect('.');
    const quoted = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 80,
      dstPort: 5_000,
      flags: '.',
      seq: p.hostIss + 1,
    }).subarray(0, 28);
    p.sendRaw(writeIcmpPacket(ADDRESS_A, ADDRESS_B, icmp(UNREACHABLE, 1, 0, quoted)));
    expect(dropsOf(p.host).icmpUnquoted).toBe(1);
  });
});

describe('forged path MTUs (RFC 5927 §7)', () => {
  scripted('a thousand of them send the flight again a few times, no more', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(14_600));
    expect(textSegments(p)).toBe(10);
    for (let mtu = 1_499; mtu > 552; mtu--) tooBig(p, 1, mtu);
    expect(textSegments(p)).toBeLessThan(5 * 12);
    p.send('.', { ack: 14_601 });
    p.expectNothing(1_000);
  });

  // RFC1191-3-d
  scripted('nothing makes segments smaller than `minPathMtu`', {}, (p) => {
    p.accept({ mss: 1_460 });
    p.user.write(Buffer.alloc(3_000));
    p.run(0);
    for (const mtu of [0, 1, 20, 40, 67, 68, 296, 551]) {
      icmpErrorFor(p, UNREACHABLE, FRAG_NEEDED, 1, mtu, 1_500);
    }
    expect(p.tcb.sndMss).toBe(552 - 40);
  });

  // RFC1191-3-f
  scripted('the way back to full segments is ten minutes', {}, (p) => {
    p.accept({ mss: 1_460, sackOk: true });
    p.user.write(Buffer.alloc(1_460));
    p.expect('.');
    tooBig(p, 1, 576);
    p.run(0);
    p.inbox.length = 0;
    p.send('.', { ack: 1_461 });
    p.run(600_000);
    p.user.write(Buffer.alloc(20_000));
    p.expect('.', { len: 1_460 });
    p.inbox.length = 0;
  });
});

describe('ICMP is no amplifier', () => {
  scripted('nothing sent to all is answered, nor anything that seems to come from all', {}, (p) => {
    const ping = icmp(8, 0, 1, Buffer.alloc(8));
    for (const destination of [-1, BROADCAST, 0xe000_0001 | 0]) {
      p.sendRaw(writeIcmpPacket(ADDRESS_A, destination, ping));
    }
    for (const source of [-1, BROADCAST, 0xe000_0001 | 0, 0, 0x7f00_0001, ADDRESS_B]) {
      p.sendRaw(writeIcmpPacket(source, ADDRESS_B, ping));
    }
    expect(p.others).toEqual([]);
    expect(dropsOf(p.host)).toEqual({ ipNotOurs: 3, ipBadSource: 6 });
  });
});
