import { constants } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RX_CHECKSUM_VOUCHED, type RxBatch, TxBatch } from '../../../src/base/batch.js';
import { TunLink } from '../../../src/link/tun.js';
import { FakeDevice } from './fake-device.js';

const { EAGAIN, EINVAL, EIO, EFAULT, ENOBUFS, EPERM } = constants.errno;
const EBADFD = 77;

class Receiver {
  batches: { packets: string[]; flags: number[]; segmentSize: number[] }[] = [];
  writables = 0;
  ends: (Error | undefined)[] = [];
  onReceive: (batch: RxBatch) => void = () => {};

  receive(batch: RxBatch): void {
    const packets: string[] = [];
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i]!;
      packets.push(Buffer.from(batch.bytes.subarray(at, at + batch.length[i]!)).toString());
    }
    this.batches.push({
      packets,
      flags: [...batch.flags.subarray(0, batch.count)],
      segmentSize: [...batch.segmentSize.subarray(0, batch.count)],
    });
    this.onReceive(batch);
  }

  writable(): void {
    this.writables++;
  }

  closed(error?: Error): void {
    this.ends.push(error);
  }
}

function open(offload = false): { device: FakeDevice; link: TunLink; receiver: Receiver } {
  const device = new FakeDevice(offload);
  const link = new TunLink(device, 1500);
  const receiver = new Receiver();
  link.open(receiver);
  return { device, link, receiver };
}

function batchOf(...packets: string[]): TxBatch {
  const batch = new TxBatch();
  for (const packet of packets) {
    const at = batch.begin(1);
    batch.bytes[at] = packet.charCodeAt(0);
    if (packet.length > 1) batch.append(Buffer.from(packet), 1, packet.length - 1);
  }
  return batch;
}

const texts = (device: FakeDevice) => device.written.map(String);

/** Until the end of the test no arena of such a size can be had. */
function shortOfMemory(refuses: (bytes: number) => boolean): void {
  const { allocUnsafeSlow } = Buffer;
  vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((bytes) => {
    if (refuses(bytes)) throw new RangeError('Array buffer allocation failed');
    return allocUnsafeSlow(bytes);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('TunLink.send', () => {
  it('writes a batch in one call', () => {
    const { device, link } = open();
    link.send(batchOf('one', 'two', 'three'));
    expect(texts(device)).toEqual(['one', 'two', 'three']);
    expect(device.writes).toBe(1);
    expect(link.blocked).toBe(false);
    expect(link.counters.packetsOut).toBe(3);
  });

  it('keeps the rest in order when the device is full, and says when it is writable', () => {
    const { device, link, receiver } = open();
    device.results = [0, -EAGAIN];
    const batch = batchOf('one', 'two', 'three');
    link.send(batch);
    expect(link.blocked).toBe(true);
    expect(device.polls).toEqual([0]);
    batch.buffers[1]!.fill(0);
    batch.bytes.fill(0);
    link.send(batchOf('four'));
    expect(texts(device)).toEqual(['one']);
    expect(receiver.writables).toBe(0);

    device.results = [0, -EAGAIN];
    device.writable();
    expect(texts(device)).toEqual(['one', 'two']);
    expect(link.blocked).toBe(true);
    expect(receiver.writables).toBe(0);

    device.writable();
    expect(texts(device)).toEqual(['one', 'two', 'three', 'four']);
    expect(link.blocked).toBe(false);
    expect(receiver.writables).toBe(1);
    expect(link.counters).toMatchObject({ queued: 3, packetsOut: 4, queueFull: 0 });
  });

  it('waits a moment when the kernel has no memory', () => {
    const { device, link } = open();
    device.results = [-ENOBUFS];
    link.send(batchOf('one'));
    expect(device.polls).toEqual([expect.toSatisfy((ms: number) => ms > 0)]);
  });

  it('counts what the queue cannot take', () => {
    const { device, link } = open();
    device.results = [-EAGAIN];
    const packets = Array.from({ length: 200 }, (_, i) => `p${i}`);
    for (let i = 0; i < 30; i++) link.send(batchOf(...packets));
    const { queued, queueFull } = link.counters;
    expect(queued + queueFull).toBe(6000);
    expect(queueFull).toBeGreaterThan(0);
    device.writable();
    expect(device.written.length).toBe(queued);
    expect(texts(device).slice(0, 200)).toEqual(packets);
  });

  it.each([
    ['refused', -EINVAL],
    ['down', -EIO],
    ['badBuffer', -EFAULT],
    ['failed', -EPERM],
  ] as const)('skips a packet that is %s, and goes on', (counter, error) => {
    const { device, link, receiver } = open();
    device.results = [0, error];
    link.send(batchOf('one', 'two', 'three'));
    expect(texts(device)).toEqual(['one', 'three']);
    expect(link.counters).toMatchObject({ packetsOut: 2, [counter]: 1 });
    expect(receiver.ends).toEqual([]);
  });

  it('ends with an error when the device was deleted', () => {
    const { device, link, receiver } = open();
    device.results = [0, -EBADFD];
    link.send(batchOf('one', 'two', 'three'));
    expect(receiver.ends).toEqual([
      expect.objectContaining({ code: 'EBADFD', errno: -EBADFD, syscall: 'write' }),
    ]);
    expect(device.closes).toBe(1);
    expect(link.counters).toMatchObject({ failed: 1, closed: 1 });
    link.send(batchOf('four'));
    expect(link.counters.closed).toBe(2);
  });

  it('skips a bad packet among those that waited', () => {
    const { device, link, receiver } = open();
    device.results = [-EAGAIN];
    link.send(batchOf('one', 'two', 'three'));
    device.results = [0, -EINVAL];
    device.writable();
    expect(texts(device)).toEqual(['one', 'three']);
    expect(link.counters.refused).toBe(1);
    expect(receiver.writables).toBe(1);
  });
});

describe('TunLink.receive', () => {
  const virtio = (flags: number, gso: number, size: number, text: string) =>
    Buffer.concat([
      Buffer.from([flags, gso, 52, 0, size & 0xff, size >> 8, 20, 0, 16, 0]),
      Buffer.from(text),
    ]);

  it('hands over a batch with what the virtio headers say', () => {
    const { device, receiver, link } = open(true);
    device.arrive([
      virtio(1, 1, 1448, 'super'),
      virtio(2, 0, 0, 'checked'),
      virtio(0, 0, 0, 'plain'),
    ]);
    expect(receiver.batches).toEqual([
      {
        packets: ['super', 'checked', 'plain'],
        flags: [RX_CHECKSUM_VOUCHED, RX_CHECKSUM_VOUCHED, 0],
        segmentSize: [1448, 0, 0],
      },
    ]);
    expect(link.counters).toMatchObject({ packetsIn: 3, batchesIn: 1 });
    device.arrive([virtio(0, 0, 0, 'again')]);
    expect(receiver.batches[1]).toEqual({ packets: ['again'], flags: [0], segmentSize: [0] });
  });

  it('vouches for nothing without offload', () => {
    const { device, receiver } = open(false);
    device.arrive([Buffer.from('one')]);
    expect(receiver.batches).toEqual([{ packets: ['one'], flags: [0], segmentSize: [0] }]);
  });

  it('uses the same bytes again unless they are pinned', () => {
    const { device } = open();
    device.arrive([Buffer.from('one')]);
    expect([device.from, device.arenas]).toEqual([0, 0]);
  });

  it('leaves pinned bytes as they are', () => {
    const { device, receiver } = open();
    const kept: Uint8Array[] = [];
    receiver.onReceive = (batch) => {
      kept.push(batch.bytes.subarray(batch.offset[0]!, batch.offset[0]! + batch.length[0]!));
      batch.pinned = true;
    };
    const packets = Array.from({ length: 64 }, (_, i) => Buffer.alloc(60_000, i));
    for (const packet of packets) device.arrive([packet]);
    expect(kept.every((bytes, i) => Buffer.compare(bytes, packets[i]!) === 0)).toBe(true);
    expect(device.arenas).toBeGreaterThan(0);
    expect(device.arenas).toBeLessThan(16);
  });

  it('takes a smaller arena when there is no memory for a large one', () => {
    const { device, receiver } = open();
    shortOfMemory((bytes) => bytes > 500_000);
    receiver.onReceive = (batch) => {
      batch.pinned = true;
    };
    for (let i = 0; i < 64; i++) device.arrive([Buffer.alloc(60_000, i)]);
    expect(receiver.batches).toHaveLength(64);
    expect(receiver.ends).toEqual([]);
  });

  it('ends with ENOMEM rather than overwrite pinned bytes when there is no memory at all', () => {
    const { device, receiver, link } = open();
    shortOfMemory(() => true);
    let kept: Uint8Array = new Uint8Array(0);
    receiver.onReceive = (batch) => {
      if (batch.pinned) return;
      kept = batch.bytes.subarray(batch.offset[0]!, batch.offset[0]! + batch.length[0]!);
      batch.pinned = true;
    };
    while (device.closes === 0) device.arrive([Buffer.alloc(60_000, link.counters.packetsIn)]);
    expect(receiver.ends).toEqual([
      expect.objectContaining({ code: 'ENOMEM', message: expect.stringContaining('memory') }),
    ]);
    expect(kept.every((byte) => byte === kept[0])).toBe(true);
  });

  it('goes on after a receiver that throws, with its pinned bytes left alone', () => {
    const { device, receiver } = open();
    receiver.onReceive = (batch) => {
      batch.pinned = true;
      throw new Error('from the receiver');
    };
    expect(() => device.arrive([Buffer.from('one')])).toThrow('from the receiver');
    expect(device.from).toBeGreaterThanOrEqual(3);
    receiver.onReceive = () => {};
    device.arrive([Buffer.from('two')]);
    expect(receiver.batches[1]!.packets).toEqual(['two']);
  });

  it('hands over what arrived before the device was deleted, then the error', () => {
    const { device, receiver } = open();
    device.arrive([Buffer.from('last')], -EBADFD);
    expect(receiver.batches[0]!.packets).toEqual(['last']);
    expect(receiver.ends).toEqual([
      expect.objectContaining({
        code: 'EBADFD',
        syscall: 'read',
        message: expect.stringContaining('deleted'),
      }),
    ]);
    expect(device.closes).toBe(1);
  });
});

describe('TunLink', () => {
  it('has headroom for the virtio header with offload only', () => {
    expect(new TunLink(new FakeDevice(true), 1500).headroom).toBe(10);
    expect(new TunLink(new FakeDevice(false), 1500).headroom).toBe(0);
  });

  it('closes once, and counts what still waited', () => {
    const { device, link, receiver } = open();
    device.results = [-EAGAIN];
    link.send(batchOf('one', 'two'));
    link.close();
    link.close();
    expect(receiver.ends).toEqual([undefined]);
    expect(device.closes).toBe(1);
    expect(link.blocked).toBe(false);
    expect(link.counters.closed).toBe(2);
  });

  it('can be closed by the receiver in the middle of a batch', () => {
    const { device, link, receiver } = open();
    receiver.onReceive = (batch) => {
      batch.pinned = true;
      link.close();
    };
    device.arrive([Buffer.from('one')]);
    expect(device.closes).toBe(1);
    expect(device.from).toBe(0);
  });

  it('is opened once', () => {
    const { link } = open();
    expect(() => link.open(new Receiver())).toThrow('open already');
    link.close();
  });
});
