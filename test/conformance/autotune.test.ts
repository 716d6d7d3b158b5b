import { describe, expect } from 'vitest';
import { DEFAULT_TCP_CONFIG } from '../../src/tcp/config.js';
import { conversation } from '../support/conversation.js';
import { type Peer, scripted } from '../support/peer.js';

const { receiveBuffer, receiveBufferMax, sendBuffer, sendBufferMax } = DEFAULT_TCP_CONFIG;

/** The peer sends `segments` full segments, and acknowledgments are left in the inbox. */
function stream(p: Peer, segments: number): void {
  for (let i = 0; i < segments; i++) p.send('.', { data: Buffer.alloc(1_460, 'x') });
}

describe('the receive window follows what is read in a round trip', () => {
  scripted('it grows to more than twice that, up to its limit, and never falls', {}, (p) => {
    p.accept({ mss: 1_460, wscale: 7 });
    expect(p.tcb.rcvBufferLimit).toBe(receiveBuffer);
    let last = 0;
    for (const segments of [40, 60, 80, 160, 320, 640, 1_280, 2_000, 2, 2]) {
      p.run(100);
      stream(p, segments);
      p.run(100);
      const limit = p.tcb.rcvBufferLimit;
      const twice = 2 * segments * 1_460;
      expect(limit).toBeGreaterThanOrEqual(Math.min(twice, receiveBufferMax));
      expect(limit).toBeGreaterThanOrEqual(last);
      last = limit;
    }
    expect(last).toBe(receiveBufferMax);
    p.inbox.length = 0;
  });

  scripted('not for a reader that pauses: then the buffer is the limit', {}, (p) => {
    p.user.reads = false;
    p.accept({ mss: 1_460, wscale: 7 });
    for (let i = 0; i < 10; i++) {
      stream(p, 20);
      p.run(100);
    }
    expect(p.tcb.rcvBufferLimit).toBe(receiveBuffer);
    expect(p.tcb.receiveQueue.length).toBeLessThan(receiveBuffer + 128);
    p.inbox.length = 0;
  });

  scripted('not where the size is given', { tcp: { receiveBuffer: 100_000 } }, (p) => {
    p.accept({ mss: 1_460, wscale: 7 });
    for (let i = 0; i < 5; i++) {
      stream(p, 60);
      p.run(100);
    }
    expect(p.tcb.rcvBufferLimit).toBe(100_000);
    p.inbox.length = 0;
  });
});

describe('the send buffer follows the congestion window', () => {
  conversation(
    'an idle connection has the first size; a long path gets more',
    { delay: 30 },
    (c) => {
      c.establish();
      const [tcb] = [...c.a.tcbs()];
      expect(c.userA.connection.info().sendBufferSize).toBe(sendBuffer);
      const total = 20_000_000;
      let written = 0;
      const write = (): void => {
        const chunk = Buffer.alloc(65_536);
        for (;;) {
          const taken = c.userA.connection.write(chunk.subarray(0, total - written));
          written += taken;
          if (taken < chunk.length) return;
        }
      };
      c.userA.writable = write;
      write();
      expect(written).toBe(sendBuffer);
      // 20 MB in 3 s takes a window of 400 kB and more.
      c.until(() => c.userB.received.length === total, 3_000);
      expect(c.userB.received.length).toBe(total);
      expect(tcb!.sendBuffer.limit).toBeGreaterThan(4 * sendBuffer);
      expect(tcb!.sendBuffer.limit).toBeLessThanOrEqual(sendBufferMax);
      c.run(1_000);
      expect(tcb!.sendBuffer.bytes.length).toBe(0);
    },
  );
});

describe('ACKs for a peer whose segments are smaller than our MSS allows (RFC 5681 §4.2)', () => {
  scripted('every second of them is acknowledged at once', { tcp: { quickAcks: 0 } }, (p) => {
    p.accept({ mss: 1_460 });
    const segment = { data: Buffer.alloc(536) };
    for (let i = 0; i < 3; i++) p.send('.', segment);
    p.run(50);
    p.inbox.length = 0;
    p.send('.', segment);
    p.expectNothing(5);
    p.send('.', segment);
    p.expect('.', { ack: 1 + 5 * 536 });
  });
});
