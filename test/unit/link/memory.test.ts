import { describe, expect, it } from 'vitest';
import { BATCH_PACKETS, RX_CHECKSUM_VOUCHED } from '../../../src/base/batch.js';
import { Random } from '../../../src/base/random.js';
import { type MemoryPairOptions, memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { writeVirtioHeader } from '../../../src/wire/virtio.js';
import { batchOf, Receiver } from './receiver.js';

function pair(options: MemoryPairOptions = {}) {
  const runtime = new VirtualRuntime();
  const [a, b] = memoryPair({ runtime, ...options });
  const [atA, atB] = [new Receiver(), new Receiver()];
  a.open(atA);
  b.open(atB);
  return { runtime, a, b, atA, atB };
}

describe('memoryPair', () => {
  it('delivers each way, in order and later, what was in the buffers when it was sent', () => {
    const { runtime, a, b, atA, atB } = pair();
    const batch = batchOf(['one', 'two']);
    a.send(batch);
    batch.bytes.fill(0);
    b.send(batchOf(['back']));
    expect(atB.packets).toEqual([]);
    runtime.run();
    expect(atB.texts).toEqual(['one', 'two']);
    expect(atA.texts).toEqual(['back']);
    expect(runtime.now()).toBe(0);
  });

  it('puts a packet of several pieces together', () => {
    const { runtime, a, atB } = pair();
    const batch = batchOf(['head ']);
    batch.append(Buffer.from('xxpayloadxx'), 2, 7);
    a.send(batch);
    runtime.run();
    expect(atB.texts).toEqual(['head payload']);
  });

  it('takes the delay for the way', () => {
    const { runtime, a, atB } = pair({ delay: 12.5 });
    a.send(batchOf(['slow']));
    runtime.run(12.25);
    expect(atB.packets).toEqual([]);
    runtime.run(12.5);
    expect(atB.texts).toEqual(['slow']);
  });

  it('keeps what is sent before the other end is open', () => {
    const runtime = new VirtualRuntime();
    const [a, b] = memoryPair({ runtime });
    a.open(new Receiver());
    a.send(batchOf(['early']));
    runtime.run();
    const atB = new Receiver();
    b.open(atB);
    runtime.run();
    expect(atB.texts).toEqual(['early']);
  });

  it('lets a hook lose, double, delay and change packets', () => {
    const fates: Record<string, number | number[]> = {
      lost: -1,
      gone: [],
      twice: [0, 3],
      late: 2,
      normal: 0,
    };
    const log: string[] = [];
    const { runtime, a, b, atA, atB } = pair({
      delay: 10,
      onPacket: (packet, from) => {
        const text = Buffer.from(packet).toString();
        log.push(`${from} ${text}`);
        if (text === 'normal') packet[0] = 'N'.charCodeAt(0);
        return fates[text] ?? 0;
      },
    });
    const arrivals: string[] = [];
    atB.onBatch = (batch) => arrivals.push(`${batch.count} at ${runtime.now()}`);
    a.send(batchOf(['lost', 'late', 'twice', 'gone', 'normal']));
    b.send(batchOf(['hello']));
    runtime.run();
    expect(atB.texts).toEqual(['twice', 'Normal', 'late', 'twice']);
    expect(arrivals).toEqual(['2 at 10', '1 at 12', '1 at 13']);
    expect(atA.texts).toEqual(['hello']);
    expect(log).toEqual(['a lost', 'a late', 'a twice', 'a gone', 'a normal', 'b hello']);
  });

  it('makes what the sender leaves to be done below known to the receiver', () => {
    const { runtime, a, atB } = pair({ offload: true });
    expect([a.headroom, a.offload]).toEqual([10, true]);
    const batch = batchOf(['super', 'single', 'plain'], a.headroom);
    writeVirtioHeader(batch.view, 0, 20, 1448, 52);
    writeVirtioHeader(batch.view, 15, 20, 0, 52);
    a.send(batch);
    runtime.run();
    expect(atB.texts).toEqual(['super', 'single', 'plain']);
    expect(atB.flags).toEqual([RX_CHECKSUM_VOUCHED, RX_CHECKSUM_VOUCHED, 0]);
    expect(atB.segmentSizes).toEqual([1448, 0, 0]);
  });

  it('says when it is full and when there is room again', () => {
    const { runtime, a, atA, atB } = pair({ queueBytes: 1000, delay: 1 });
    a.send(batchOf([new Uint8Array(999)]));
    expect(a.blocked).toBe(false);
    a.send(batchOf([new Uint8Array(1)]));
    expect(a.blocked).toBe(true);
    runtime.run();
    expect([a.blocked, atA.writables, atB.writables]).toEqual([false, 1, 0]);
    expect([atB.packets.length, a.dropped]).toEqual([2, 0]);
  });

  it('loses, and counts, what is far beyond its queue', () => {
    const { runtime, a, atB } = pair({ queueBytes: 1000, delay: 1 });
    const batch = batchOf([new Uint8Array(65_000)]);
    for (let i = 0; i < 600; i++) a.send(batch);
    expect(a.dropped).toBeGreaterThan(0);
    runtime.run();
    expect(atB.packets.length + a.dropped).toBe(600);
  });

  it('carries any number of packets of any size, again and again', () => {
    const { runtime, a, atB } = pair({ delay: 1 });
    const random = new Random(3);
    for (let round = 0; round < 4; round++) {
      const sent: Uint8Array[] = [];
      for (let i = 0; i < 10; i++) {
        const packets = Array.from({ length: BATCH_PACKETS }, () =>
          random.bytes(1 + random.int(1500)),
        );
        a.send(batchOf(packets));
        sent.push(...packets);
      }
      runtime.run();
      expect(Buffer.concat(atB.packets.splice(0)).equals(Buffer.concat(sent))).toBe(true);
    }
    expect(Math.max(...atB.batches)).toBe(BATCH_PACKETS);
    expect(a.dropped).toBe(0);
  });

  it('keeps a late packet whole while others overtake it', () => {
    const { runtime, a, atB } = pair({ onPacket: (packet) => (packet[0] === 108 ? 5 : 0) });
    a.send(batchOf(['late', 'first']));
    runtime.run(1);
    a.send(batchOf(['second']));
    runtime.run();
    expect(atB.texts).toEqual(['first', 'second', 'late']);
  });

  it('leaves an arena that the receiver has pinned alone', () => {
    const { runtime, a, atB } = pair();
    const kept: Uint8Array[] = [];
    atB.onBatch = (batch) => {
      const offset = batch.offset[0]!;
      kept.push(batch.bytes.subarray(offset, offset + batch.length[0]!));
      batch.pinned = kept.length % 2 === 1;
    };
    for (let i = 0; i < 6; i++) {
      a.send(batchOf([`packet ${i}`]));
      runtime.run();
    }
    expect([0, 2, 4].map((i) => Buffer.from(kept[i]!).toString())).toEqual([
      'packet 0',
      'packet 2',
      'packet 4',
    ]);
    expect(kept[0]!.buffer).not.toBe(kept[1]!.buffer);
  });

  it('delivers what was sent before it was closed, and nothing sent to it after', () => {
    const { runtime, a, b, atA, atB } = pair({ delay: 1 });
    a.send(batchOf(['last']));
    b.send(batchOf(['never arrives']));
    a.close();
    a.close();
    expect(atA.ends).toEqual([]);
    a.send(batchOf(['not sent']));
    runtime.run();
    b.send(batchOf(['to nobody']));
    runtime.run();
    expect(atB.texts).toEqual(['last']);
    expect(atA.packets).toEqual([]);
    expect([atA.ends, atB.ends]).toEqual([[undefined], []]);
    expect([a.dropped, b.dropped]).toEqual([1, 2]);
  });

  it('answers from within delivery reach the other end', () => {
    const { runtime, b, a, atA, atB } = pair();
    atB.onBatch = () => b.send(batchOf(['pong']));
    a.send(batchOf(['ping']));
    runtime.run();
    expect(atA.texts).toEqual(['pong']);
  });
});
