import { describe, expect, it } from 'vitest';
import { RX_CHECKSUM_VOUCHED, TxBatch } from '../../../src/base/batch.js';
import { type FaultsOptions, faultsLink } from '../../../src/link/faults.js';
import type { PathFaults } from '../../../src/link/faults-options.js';
import { memoryPair } from '../../../src/link/memory.js';
import { systemRuntime } from '../../../src/runtime/system.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { checksum, fold, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { writeVirtioHeader } from '../../../src/wire/virtio.js';
import { readTcp } from '../../support/packet.js';
import { A, B, HEADERS, numbers, segment, setUp, unfragmentable, up } from './faulty.js';
import { batchOf, Receiver } from './receiver.js';

describe('time', () => {
  it('lets batches through whole when there are no faults', () => {
    const { a, b, runtime, atA, atB, send } = setUp({});
    send(segment(0), segment(1));
    b.send(batchOf(['x', 'y', 'z']));
    runtime.run();
    expect([atB.batches, atA.texts]).toEqual([[2], ['x', 'y', 'z']]);
    expect(a.counters('down')).toMatchObject({ packets: 3, bytes: 3, delivered: 3 });
  });

  it('delays each direction by its own', () => {
    const { runtime, b, atA, times, send } = setUp({ up: { delay: 7 }, down: { delay: 30 } });
    send(segment(0));
    b.send(batchOf(['back']));
    runtime.run(29.9);
    expect([times, atA.texts]).toEqual([[7], []]);
    runtime.run(30);
    expect(atA.texts).toEqual(['back']);
  });

  it('lets packets overtake others when the delay falls, unless order is kept', () => {
    for (const keepOrder of [false, true]) {
      const { runtime, a, send, arrived, times } = up({ delay: 50, keepOrder });
      send(segment(0));
      runtime.run(10);
      a.set('up', { delay: 5 });
      send(segment(1));
      runtime.run();
      expect(arrived()).toEqual(keepOrder ? [0, 1] : [1, 0]);
      expect(times).toEqual(keepOrder ? [50, 50] : [15, 50]);
    }
  });

  it('adds jitter within its bounds, the same from the same seed', () => {
    const arrivals = (seed: number) => {
      const { runtime, send, times } = up({ delay: 10, jitter: 20 }, { seed });
      for (let i = 0; i < 200; i++) send(segment(i));
      runtime.run();
      return times;
    };
    const times = arrivals(5);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...times)).toBeLessThan(30);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(15);
    expect(arrivals(5)).toEqual(times);
    expect(arrivals(6)).not.toEqual(times);
  });

  it('delivers thousands of packets in order of arrival, whatever their order was', () => {
    const { runtime, send, arrived, times } = up({ delay: 10, jitter: 500, duplicate: 0.1 });
    for (const n of numbers(0, 5000)) {
      if (n % 7 === 0) runtime.run(n / 20);
      send(segment(n % 250));
    }
    runtime.run();
    expect(times).toEqual([...times].sort((x, y) => x - y));
    const copies = new Map<number, number>();
    for (const n of arrived()) copies.set(n!, (copies.get(n!) ?? 0) + 1);
    expect([...copies.values()].every((count) => count >= 20 && count < 35)).toBe(true);
    expect(copies.size).toBe(250);
  });

  it('holds a share of the packets back', () => {
    const { runtime, a, send, arrived } = up({ delay: 5, reorder: { probability: 0.1, delay: 3 } });
    for (const n of numbers(0, 500)) {
      send(segment(n));
      runtime.run(n + 1);
    }
    runtime.run();
    const { reordered } = a.counters('up');
    expect(reordered).toBeGreaterThan(25);
    expect(reordered).toBeLessThan(80);
    const late = arrived().filter((n, i, all) => i > 0 && n! < all[i - 1]!);
    expect(late.length).toBeGreaterThan(20);
    expect(arrived().sort((x, y) => x! - y!)).toEqual(numbers(0, 500));
  });

  it('works on the clock of the real world, by alarms and by turning', async () => {
    for (const precise of [false, true]) {
      const runtime = systemRuntime();
      const [inner, b] = memoryPair({ runtime });
      const a = faultsLink(inner, { runtime, precise, up: { delay: 4, rate: 10e6 } });
      const atB = new Receiver();
      a.open(new Receiver());
      b.open(atB);
      const start = runtime.now();
      const end = new Promise<number>((resolve) => {
        atB.onBatch = () => resolve(runtime.now());
      });
      a.send(batchOf([segment(0)]));
      // Keeps Node alive, which an alarm does not.
      const alive = setInterval(() => {}, 1000);
      expect((await end) - start).toBeGreaterThanOrEqual(4);
      clearInterval(alive);
      a.close();
    }
  });
});

describe('loss', () => {
  it('loses a share of the packets', () => {
    const { runtime, a, send, arrived } = up({ loss: 0.03 });
    for (let i = 0; i < 10_000; i++) send(segment(0));
    runtime.run();
    expect(a.counters('up').lost.loss).toBeGreaterThan(200);
    expect(a.counters('up').lost.loss).toBeLessThan(400);
    expect(arrived().length).toBe(10_000 - a.counters('up').lost.loss);
  });

  it('loses in bursts', () => {
    const { runtime, a, send, arrived } = up({ burstLoss: { toBad: 0.01, toGood: 0.25 } });
    for (const n of numbers(0, 10_000)) send(segment(n));
    runtime.run();
    const left = new Set(arrived());
    const bursts = numbers(0, 10_000).filter((n) => !left.has(n) && left.has(n - 1)).length;
    const lost = a.counters('up').lost.burst;
    // 0.01 / 0.26 of the time in the bad state, for 4 packets each time.
    expect(lost).toBeGreaterThan(250);
    expect(lost).toBeLessThan(550);
    expect(lost / bursts).toBeGreaterThan(3);
    expect(lost / bursts).toBeLessThan(5);
    a.set('up', { burstLoss: null });
    send(segment(0));
    expect(a.counters('up').lost.burst).toBe(lost);
  });

  it('leaves one kind of chance as it was when another is turned on', () => {
    const lost = (more: PathFaults) => {
      const { runtime, send, arrived } = up({ loss: 0.2, ...more });
      for (const n of numbers(0, 200)) send(segment(n));
      runtime.run();
      return new Set(arrived());
    };
    expect(lost({ duplicate: 0.5, jitter: 30, reorder: { probability: 0.3, delay: 5 } })).toEqual(
      lost({}),
    );
  });

  it('duplicates, one copy behind the other', () => {
    const { runtime, a, send, arrived } = up({ duplicate: 1 });
    send(segment(0), segment(1));
    runtime.run();
    expect(arrived()).toEqual([0, 0, 1, 1]);
    expect(a.counters('up')).toMatchObject({ packets: 2, duplicated: 2, delivered: 4 });
  });

  it('inverts bits so that checksums see it, with offload too', () => {
    for (const offload of [false, true]) {
      const { runtime, a, atB, send, arrived } = setUp({ up: { corrupt: 1 } }, { offload });
      for (const n of numbers(0, 300)) send(segment(n));
      runtime.run();
      expect(atB.flags.every((flags) => flags === 0)).toBe(true);
      expect(arrived()).toEqual(numbers(0, 300).map(() => null));
      expect(a.counters('up').corrupted).toBe(300);
    }
  });

  it('inverts one bit of a packet at most, since two may hide from a checksum', () => {
    const { runtime, a, atB, send } = up({ corrupt: 1 }, { rules: [{ action: 'corrupt' }] });
    send(segment(0));
    runtime.run();
    const original = segment(0);
    const ones = (byte: number) => byte.toString(2).replaceAll('0', '').length;
    const flipped = atB.packets[0]!.map((byte, i) => ones(byte ^ original[i]!));
    expect(flipped.reduce((sum, n) => sum + n)).toBe(1);
    expect(a.counters('up').corrupted).toBe(1);
  });

  it('lets nothing through a dead path, from a time to another', () => {
    const { runtime, a, send, arrived, times } = setUp({
      both: { delay: 1 },
      schedule: [
        { at: 19.5, both: { dead: false } },
        { at: 9.5, both: { dead: true } },
      ],
    });
    for (const n of numbers(0, 30)) runtime.schedule(n, () => send(segment(n)));
    runtime.run();
    expect(arrived()).toEqual([...numbers(0, 10), ...numbers(20, 30)]);
    expect(times[9]).toBe(10);
    expect(a.counters('up').lost.dead).toBe(10);
  });
});

describe('MTU', () => {
  it('answers a packet that is too long by ICMP, after the time back', () => {
    const { runtime, a, atA, atB, send } = setUp({
      up: { mtu: 1000, delay: 9 },
      down: { delay: 6 },
    });
    send(unfragmentable(0, 961), unfragmentable(1, 960));
    runtime.run(5.9);
    expect(atA.packets).toEqual([]);
    runtime.run();
    expect(atB.packets.length).toBe(1);
    const [icmp] = atA.packets;
    expect([...icmp!.subarray(20, 22)]).toEqual([3, 4]);
    expect([icmp!.readInt32BE(12), icmp!.readInt32BE(16)]).toEqual([B, A]);
    expect(icmp!.readUInt16BE(26)).toBe(1000);
    expect(icmp!.subarray(28, 68)).toEqual(Buffer.from(unfragmentable(0, 961).subarray(0, 40)));
    expect(a.counters('up')).toMatchObject({ icmp: 1, lost: { mtu: 1 } });
  });

  it('keeps silent when told to, and about packets that may be fragmented', () => {
    const { runtime, a, atA, atB, send } = up({ mtu: 1000, icmp: false });
    send(unfragmentable(0, 1200));
    a.set('up', { icmp: true });
    send(segment(1, 1200), Buffer.alloc(1200));
    runtime.run();
    expect([atA.packets, atB.packets]).toEqual([[], []]);
    expect(a.counters('up')).toMatchObject({ icmp: 0, lost: { mtu: 3 } });
  });
});

describe('offload', () => {
  /** A super-packet of ten segments of 100 octets, as a host sends it. */
  function superPacket(): TxBatch {
    const whole = segment(0, 1000, 'FP.');
    const view = new DataView(whole.buffer);
    view.setUint16(36, fold(pseudoHeaderSum(A, B, 6, whole.length - 20)));
    const batch = new TxBatch();
    const at = batch.begin(10 + HEADERS);
    batch.bytes.set(whole.subarray(0, HEADERS), at + 10);
    batch.append(whole, HEADERS, 1000);
    writeVirtioHeader(batch.view, at, 20, 100, HEADERS);
    return batch;
  }

  it('cuts super-packets into segments before anything happens to them', () => {
    const { runtime, a, atB } = setUp(
      { up: { delay: 1 }, rules: [{ data: true, nth: 4 }] },
      { offload: true },
    );
    a.send(superPacket());
    runtime.run();
    const segments = atB.packets.map((bytes) => readTcp(bytes, 0, false)!);
    expect(segments.map((s) => (s.rawSeq - 1000) / 100)).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
    expect(segments.every((s) => s.data.length === 100)).toBe(true);
    expect(segments.map((s) => s.flags)).toEqual([...Array(8).fill('.'), 'F.']);
    expect(atB.packets.map((bytes) => bytes.readUInt16BE(4) - 7)).toEqual([
      0, 1, 2, 4, 5, 6, 7, 8, 9,
    ]);
    expect(atB.flags.every((flags) => flags === RX_CHECKSUM_VOUCHED)).toBe(true);
    expect(atB.segmentSizes.every((size) => size === 0)).toBe(true);
  });

  it('cuts those that arrive as well', () => {
    const runtime = new VirtualRuntime();
    const [inner, b] = memoryPair({ runtime, offload: true });
    const a = faultsLink(inner, { runtime, down: { loss: 0.5 } });
    const atA = new Receiver();
    a.open(atA);
    b.open(new Receiver());
    for (let i = 0; i < 20; i++) b.send(superPacket());
    runtime.run();
    const { lost, packets } = a.counters('down');
    expect(packets).toBe(200);
    expect(lost.loss).toBeGreaterThan(70);
    expect(lost.loss).toBeLessThan(130);
    expect(atA.packets.length).toBe(200 - lost.loss);
  });

  it('completes the checksum of a segment that nobody vouches for any more', () => {
    const { runtime, a, atB } = setUp({ up: { corrupt: 1 } }, { offload: true });
    a.send(superPacket());
    runtime.run();
    expect(atB.flags).toEqual(Array(10).fill(0));
    const differing = atB.packets.filter((bytes) => readTcp(bytes, 0) !== null);
    expect(differing).toEqual([]);
    // One bit differs from a segment that is right, so that some are right but for their text.
    const text = atB.packets.filter(
      (b) => checksum(b, new DataView(b.buffer, b.byteOffset), 0, 20) === 0,
    );
    expect(text.length).toBeGreaterThan(5);
  });

  it('passes them whole while there are no faults', () => {
    const { runtime, a, atB } = setUp({}, { offload: true });
    a.send(superPacket());
    runtime.run();
    expect(atB.segmentSizes).toEqual([100]);
  });
});

describe('arguments and end', () => {
  it.each<[FaultsOptions, string]>([
    [{ up: { loss: 1.1 } }, 'up.loss'],
    [{ down: { delay: -1 } }, 'down.delay'],
    [{ both: { rate: 0 } }, 'both.rate'],
    [{ up: { mtu: 60 } }, 'mtu'],
    [{ up: { queue: { packets: 0 } } }, 'up.queue.packets'],
    [{ up: { burstLoss: { toBad: 2, toGood: 0 } } }, 'up.burstLoss.toBad'],
    [{ up: { delay: Number.NaN } }, 'up.delay'],
    [{ rules: [{ nth: 0 }] }, 'rule.nth'],
  ])('refuses %j', (options, field) => {
    const [inner] = memoryPair({ runtime: new VirtualRuntime() });
    expect(() => faultsLink(inner, options)).toThrow(
      expect.objectContaining({
        code: 'ERR_OUT_OF_RANGE',
        message: expect.stringContaining(`"${field}"`),
      }),
    );
  });

  it('refuses unknown flags', () => {
    const [inner] = memoryPair({ runtime: new VirtualRuntime() });
    expect(() => faultsLink(inner, { rules: [{ flags: 'X' }] })).toThrow(/FSRP\.UEW/);
  });

  it('delivers nothing after it was closed, either way', () => {
    const { runtime, a, b, atA, atB, send } = setUp({ both: { delay: 5 } });
    send(segment(0));
    b.send(batchOf(['x']));
    runtime.run(1);
    a.close();
    runtime.run();
    expect([atA.packets, atB.packets, atA.ends]).toEqual([[], [], [undefined]]);
  });
});
