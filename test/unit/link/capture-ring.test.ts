import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { CapturedPacket, enhancedPacketBytes } from '../../../src/wire/pcapng.js';
import { SEED } from '../../support/seed.js';

function numbered(number: number, length: number): CapturedPacket {
  const packet = new CapturedPacket();
  packet.bytes = new Uint8Array(length).fill(number & 0xff);
  packet.bytes[0] = 0x45;
  packet.timeLow = number;
  packet.length = packet.originalLength = length;
  return packet;
}

describe('CaptureRing', () => {
  it('keeps the latest packets, in order, as many as there is room for', () => {
    const random = new Random(SEED);
    for (const size of [1024, 4096, 10_000]) {
      const ring = new CaptureRing(size);
      ring.addInterface({ name: 'a', snaplen: 100_000 });
      let largest = 0;
      const lengths: number[] = [];
      for (let i = 0; i < 1_000; i++) {
        const packet = numbered(i, 20 + random.int(random.int(3) === 0 ? size >> 1 : 60));
        lengths.push(enhancedPacketBytes(packet));
        largest = Math.max(largest, lengths[i]!);
        ring.packet(packet);
        const read = [...readCapture(ring.file())];
        expect(read).toHaveLength(ring.count);
        expect(ring.count + ring.overwritten).toBe(i + 1);
        const first = i + 1 - read.length;
        expect(read.map(({ time }) => Number(time))).toEqual(read.map((_, at) => first + at));
        expect(read.at(-1)!.bytes.at(-1)).toBe(i & 0xff);
        // Room is wasted only at the end of the memory and beside the block that came last.
        const kept = lengths.slice(first).reduce((sum, length) => sum + length, 0);
        if (first > 0) expect(kept + 2 * largest).toBeGreaterThan(size);
      }
    }
  });

  it('counts a packet that is larger than the ring', () => {
    const ring = new CaptureRing(1024);
    ring.addInterface({ name: 'a', snaplen: 100_000 });
    ring.packet(numbered(1, 20));
    ring.packet(numbered(2, 1024));
    expect([ring.count, ring.overwritten]).toEqual([1, 1]);
    expect(() => new CaptureRing(1023)).toThrow(/"bytes" is out of range/);
  });
});
