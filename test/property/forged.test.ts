import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksum, pseudoHeaderSum } from '../../src/wire/checksum.js';
import { PROTOCOL_TCP } from '../../src/wire/ipv4.js';
import { ADDRESS_A, ADDRESS_B, Conversation, recorded } from '../support/conversation.js';
import { dropsOf } from '../support/drops.js';
import { writeSegment } from '../support/packet.js';
import { Peer } from '../support/peer.js';
import { runs } from '../support/seed.js';

/** Makes the checksums of IPv4 and TCP right, as far as there is a place for them. */
function repair(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (bytes[0]! & 15) << 2;
  if (header < 20 || bytes.length < header + 20) return;
  view.setUint16(10, 0);
  view.setUint16(10, checksum(bytes, view, 0, header));
  const length = view.getUint16(2) - header;
  if (bytes[9] !== PROTOCOL_TCP || length < 20 || header + length > bytes.length) return;
  view.setUint16(header + 16, 0);
  const pseudo = pseudoHeaderSum(view.getInt32(12), view.getInt32(16), PROTOCOL_TCP, length);
  view.setUint16(header + 16, checksum(bytes, view, header, length, pseudo));
}

describe('bad packets', () => {
  test('any IPv4 datagram cut at any place', () => {
    const whole = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: 5_000,
      dstPort: 80,
      flags: 'S',
      seq: 1,
      mss: 1_460,
      ts: [1, 0],
      sackOk: true,
      wscale: 7,
    });
    const p = new Peer();
    for (let length = 0; length < whole.length; length++) {
      const bytes = whole.slice(0, length);
      p.sendRaw(bytes);
      // The same, with a total length that tells the truth.
      if (length < 20) continue;
      new DataView(bytes.buffer).setUint16(2, length);
      repair(bytes);
      const view = new DataView(bytes.buffer);
      view.setUint16(10, 0);
      view.setUint16(10, checksum(bytes, view, 0, 20));
      p.sendRaw(bytes);
    }
    expect(p.host.counters.ipInReceives).toBe(whole.length * 2 - 20);
    const dropped = Object.values(dropsOf(p.host)).reduce((sum, n) => sum + n, 0);
    expect(dropped).toBe(whole.length * 2 - 20);
    expect(p.host.counters.drops[0]).toBe(0);
    expect(p.host.connectionCount).toBe(0);
  });
});

describe('a network that changes packets and mends their checksums', () => {
  test('throws nothing and leaves nothing', { timeout: 60_000 }, () => {
    const change = fc.record({
      nth: fc.integer({ min: 1, max: 60 }),
      bytes: fc.array(fc.record({ at: fc.nat(100), value: fc.nat(255) }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let count = 0;
        const c = new Conversation({
          forged: true,
          tcp: { retransmitR2: 5, synTimeout: 10_000, rtoMax: 5_000 },
          onPacket: (packet) => {
            count++;
            for (const { nth, bytes } of changes) {
              if (nth !== count) continue;
              for (const { at, value } of bytes) packet[at % packet.length] = value;
              repair(packet);
            }
            return 0;
          },
        });
        recorded(c, () => {
          c.listen();
          c.connect();
          c.userA.write(Buffer.alloc(30_000));
          c.userA.end();
          c.run(100_000);
          c.userA.connection.close();
          if (c.accepted > 0) c.userB.connection.close();
          c.run(1_000_000);
          expect(c.a.timeWaitCount + c.b.timeWaitCount).toBe(0);
          expect(c.a.connectionCount).toBe(0);
        });
      }),
      runs(150),
    );
  });
});
