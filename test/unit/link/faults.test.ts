import { describe, expect, it } from 'vitest';
import { RX_CHECKSUM_VOUCHED, TxBatch } from '../../../src/base/batch.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { type FaultsOptions, faultsLink } from '../../../src/link/faults.js';
import type { PathFaults } from '../../../src/link/faults-options.js';
import type { FaultRule } from '../../../src/link/faults-rules.js';
import { type MemoryPairOptions, memoryPair } from '../../../src/link/memory.js';
import { systemRuntime } from '../../../src/runtime/system.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { checksum, fold, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { IPV4_DONT_FRAGMENT } from '../../../src/wire/ipv4.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { writeVirtioHeader } from '../../../src/wire/virtio.js';
import { readTcp, writeSegment } from '../../support/packet.js';
import { batchOf, Receiver } from './receiver.js';

const A = 0x0a000001;
const B = 0x0a000002;
const HEADERS = 40;

/** A segment from A to B with `seq` 1000 + `n` * 100 and so many octets of text. */
function segment(n: number, length = 100, flags = '.'): Uint8Array {
  const data = new Uint8Array(length).fill(n);
  return writeSegment({
    srcAddr: A,
    dstAddr: B,
    srcPort: 1,
    dstPort: 2,
    flags,
    seq: 1000 + n * 100,
    data,
  });
}

/** Changes a word of the IPv4 header. */
function withWord(packet: Uint8Array, at: number, value: number): Uint8Array {
  const view = new DataView(packet.buffer);
  view.setUint16(at, value);
  view.setUint16(10, 0);
  view.setUint16(10, checksum(packet, view, 0, 20));
  return packet;
}

const ecnCapable = (n: number, length?: number) => withWord(segment(n, length), 0, 0x4502);
const unfragmentable = (n: number, length: number) =>
  withWord(segment(n, length), 6, IPV4_DONT_FRAGMENT);

/** A pair whose end `a` has faults; what arrives at `b` is written down with its time. */
function setUp(options: FaultsOptions, pair: MemoryPairOptions = {}) {
  const runtime = new VirtualRuntime();
  const [inner, b] = memoryPair({ runtime, ...pair });
  const a = faultsLink(inner, { runtime, ...options });
  const [atA, atB] = [new Receiver(), new Receiver()];
  const times: number[] = [];
  atB.onBatch = (batch) => {
    for (let i = 0; i < batch.count; i++) times.push(runtime.now());
  };
  a.open(atA);
  b.open(atB);
  const send = (...packets: Uint8Array[]) => a.send(batchOf(packets, a.headroom));
  /** Numbers of the segments that arrived, intact ones only. */
  const arrived = () =>
    atB.packets.map((bytes) => readTcp(bytes, 0)).map((p) => p && (p.rawSeq - 1000) / 100);
  return { runtime, a, b, atA, atB, times, send, arrived };
}

function up(faults: PathFaults, options: FaultsOptions = {}) {
  return setUp({ up: faults, ...options });
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

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

describe('rate and queue', () => {
  // 1250 bytes take 10 ms at 1 Mbit/s.
  const packet = (n: number) => segment(n, 1250 - HEADERS);

  it('sends so many bits per second', () => {
    const { runtime, a, send, times } = up({ rate: 1e6, delay: 5 });
    send(packet(0), packet(1), packet(2));
    expect(a.queue('up')).toEqual({ packets: 2, bytes: 2500 });
    runtime.run();
    expect(times).toEqual([15, 25, 35]);
    send(packet(3));
    runtime.run();
    expect(times[3]).toBe(50);
    expect(a.counters('up')).toMatchObject({ queued: 4, queueDelaySum: 30, queueDelayMax: 20 });
    expect(a.counters('up').queueDelayMean).toBe(7.5);
  });

  it('takes a new rate for what has not begun to be sent', () => {
    const { runtime, a, send, times } = up({ rate: 1e6 });
    send(packet(0), packet(1), packet(2));
    runtime.run(5);
    a.set('up', { rate: 10e6 });
    runtime.run();
    expect(times).toEqual([10, 11, 12]);
    a.set('up', { rate: Infinity });
    send(packet(3));
    runtime.run();
    expect(times[3]).toBe(12);
  });

  it('drops what the queue has no room for, in packets and in bytes', () => {
    for (const queue of [{ packets: 3 }, { bytes: 3 * 1250 + 100 }]) {
      const lost: string[] = [];
      const { runtime, a, send, arrived } = up(
        { rate: 1e6, queue },
        { onLost: (reason, p) => lost.push(`${reason} ${(p.seq - 1000) / 100} at ${p.now}`) },
      );
      send(...numbers(0, 6).map(packet));
      runtime.run();
      // The first is on the wire, three wait.
      expect(arrived()).toEqual([0, 1, 2, 3]);
      expect(lost).toEqual(['queue 4 at 0', 'queue 5 at 0']);
      expect(a.counters('up')).toMatchObject({ queuePacketsMax: 3, queueBytesMax: 3750 });
      expect(a.counters('up').lost.queue).toBe(2);
    }
  });

  /** Two packets come for each one that leaves, for 2 s. */
  function overload(faults: PathFaults, make: (n: number) => Uint8Array) {
    const drops: number[] = [];
    const all = up({ rate: 1e6, ...faults }, { onLost: (_, p) => drops.push(p.now) });
    for (const n of numbers(0, 400)) {
      all.runtime.schedule(n * 5, () => all.send(make(n)));
    }
    all.runtime.run();
    return { ...all, drops, counters: all.a.counters('up') };
  }

  it('drops by the control law of CoDel', () => {
    const { drops, counters } = overload({ queue: { codel: true } }, packet);
    expect(counters.lost.codel).toBe(drops.length);
    expect(counters.lostInAll).toBe(drops.length);
    // Above 5 ms with two waiting since 30 ms, for 100 ms; then each 100 / sqrt(n) later.
    expect(drops.slice(0, 6)).toEqual([130, 230, 310, 360, 410, 460]);
    expect(counters.queueDelayMax).toBeLessThan(overload({}, packet).counters.queueDelayMax / 1.5);
  });

  it('leaves a queue alone that CoDel finds short', () => {
    const { runtime, a, send } = up({ rate: 1e6, queue: { codel: { target: 15 } } });
    for (const n of numbers(0, 100)) runtime.schedule(n * 20, () => send(packet(n), packet(n)));
    runtime.run();
    expect(a.counters('up').lostInAll).toBe(0);
  });

  it('marks by CoDel what is ECN-capable', () => {
    const { atB, counters } = overload({ queue: { codel: true, ecn: true } }, (n) =>
      n % 2 === 0 ? ecnCapable(n, 1250 - HEADERS) : packet(n),
    );
    expect(counters.marked).toBeGreaterThan(5);
    expect(counters.lost.codel).toBeGreaterThan(5);
    const marked = atB.packets.filter((bytes) => (bytes[1]! & 3) === 3);
    expect(marked.length).toBe(counters.marked);
    expect(marked.every((bytes) => readTcp(bytes, 0) !== null)).toBe(true);
  });

  it('marks from a length of the queue on', () => {
    const { runtime, a, send, atB } = up({ rate: 1e6, queue: { markAbove: 2000 } });
    send(...numbers(0, 6).map((n) => ecnCapable(n, 1250 - HEADERS)));
    runtime.run();
    expect(atB.packets.map((bytes) => bytes[1]! & 3)).toEqual([2, 2, 2, 3, 3, 3]);
    expect(a.counters('up').marked).toBe(3);
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

describe('exact faults', () => {
  function outcome(rule: FaultRule, packets: Uint8Array[]) {
    const { runtime, a, send, arrived, times } = up({}, { rules: [rule] });
    send(...packets);
    runtime.run();
    return { arrived: arrived(), times, lost: a.counters('up').lost.rule };
  }
  const flow = [
    segment(0, 0, 'S'),
    segment(1, 0),
    segment(2, 100, 'P.'),
    segment(3),
    segment(4),
    segment(5, 0, 'F.'),
  ];

  it.each<[string, FaultRule, number[]]>([
    ['the second data segment', { data: true, nth: 2 }, [0, 1, 2, 4, 5]],
    ['two data segments', { data: true, count: 2 }, [0, 1, 4, 5]],
    ['every one from the third on', { nth: 3, count: Infinity }, [0, 1]],
    ['the first without text', { data: false }, [1, 2, 3, 4, 5]],
    ['SYN', { flags: 'S' }, [1, 2, 3, 4, 5]],
    ['FIN', { flags: 'F.' }, [0, 1, 2, 3, 4]],
    ['what has PSH', { flags: 'P.', count: 9 }, [0, 1, 3, 4, 5]],
    ['ACKs, with PSH or not', { flags: '.', count: 9 }, [0, 5]],
    ['octets 250 to 349', { range: [250, 350], count: 9 }, [0, 1, 4, 5]],
    ['the octet of the FIN', { range: [499, 500], count: 9 }, [0, 1, 2, 3, 4]],
    ['the other direction', { direction: 'down', count: 9 }, [0, 1, 2, 3, 4, 5]],
    ['a port', { port: 2, nth: 6 }, [0, 1, 2, 3, 4]],
    ['another port', { port: 3, count: 9 }, [0, 1, 2, 3, 4, 5]],
    ['by predicate', { when: (p) => p.seq === 1200 && p.dataLength === 100 }, [0, 1, 3, 4, 5]],
  ])('drops %s', (_, rule, left) => {
    // Text begins at 1001, the FIN stands at 1500.
    const { arrived, lost } = outcome(rule, flow);
    expect(arrived).toEqual(left);
    expect(lost).toBe(flow.length - left.length);
  });

  it('corrupts, doubles, marks and delays', () => {
    const three = [segment(0), ecnCapable(1), segment(2)];
    const rule = { nth: 2 };
    expect(outcome({ ...rule, action: 'corrupt' }, three).arrived).toEqual([0, null, 2]);
    expect(outcome({ ...rule, action: 'duplicate' }, three).arrived).toEqual([0, 1, 1, 2]);
    const delayed = outcome({ ...rule, action: { delay: 4 } }, three);
    expect([delayed.arrived, delayed.times]).toEqual([
      [0, 2, 1],
      [0, 0, 4],
    ]);
    const { a, atB, runtime, send } = up({});
    a.rule({ count: 2, action: 'mark' });
    send(...three);
    runtime.run();
    expect(atB.packets.map((bytes) => bytes[1])).toEqual([0, 3, 0]);
  });

  it('counts both directions together unless told otherwise', () => {
    const { runtime, b, atA, arrived, send } = setUp({ rules: [{ nth: 2, count: 1 }] });
    send(segment(0));
    b.send(batchOf([segment(7)]));
    runtime.run();
    expect([arrived(), atA.packets]).toEqual([[0], []]);
  });

  it('writes what is lost to a capture, with the reason', () => {
    const ring = new CaptureRing(100_000);
    const { runtime, send } = up({ loss: 1 }, { capture: ring, rules: [{ nth: 2 }] });
    send(segment(0), segment(1));
    runtime.run();
    const packets = [...readCapture(ring.file())];
    expect(packets.map((p) => p.comment)).toEqual(['lost: loss', 'lost: rule']);
    expect(Buffer.from(packets[1]!.bytes)).toEqual(Buffer.from(segment(1)));
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
