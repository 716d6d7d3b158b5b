import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BATCH_PACKETS } from '../../../src/base/batch.js';
import { duplexLink } from '../../../src/link/duplex.js';
import { nextTurn } from '../../../src/runtime/system.js';
import { batchOf, Receiver } from './receiver.js';

/** A Duplex in the shape of tuntap2's `Tun`: one packet per chunk in each direction. */
class FakeTun extends Duplex {
  readonly written: Buffer[] = [];
  /** Completes the write that is under way when {@link stalled}. */
  release: () => void = () => {};
  stalled = false;

  constructor() {
    super({ writableHighWaterMark: 100 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.written.push(chunk);
    if (this.stalled) this.release = done;
    else done();
  }
}

function open() {
  const tun = new FakeTun();
  const link = duplexLink(tun, { name: 'tun7', mtu: 1400 });
  const receiver = new Receiver();
  link.open(receiver);
  return { tun, link, receiver };
}

describe('duplexLink', () => {
  it('says what it is', () => {
    const { link } = open();
    expect([link.name, link.mtu, link.offload, link.headroom]).toEqual(['tun7', 1400, false, 0]);
    const { name, mtu } = duplexLink(new FakeTun());
    expect([name, mtu]).toEqual(['duplex', 1500]);
  });

  it('keeps 32 MiB for a stream that takes nothing, and counts what is beyond', () => {
    const { tun, link } = open();
    tun.stalled = true;
    const batch = batchOf(Array.from({ length: 4 }, () => Buffer.alloc(65_535)));
    for (let i = 0; i < 160; i++) link.send(batch);
    expect(tun.writableLength).toBeLessThan(33 * 1024 * 1024);
    expect(tun.writableLength).toBeGreaterThan(31 * 1024 * 1024);
    expect(link.dropped).toBe(640 - tun.writableLength / 65_535);
  });

  it('receives each chunk as a packet, those that come together as a batch', async () => {
    const { tun, receiver } = open();
    for (const text of ['one', 'two', 'three']) tun.push(text);
    await nextTurn();
    tun.push('four');
    await nextTurn();
    expect(receiver.texts).toEqual(['one', 'two', 'three', 'four']);
    expect(receiver.batches).toEqual([3, 1]);
  });

  it('receives what was buffered before it was opened, packet by packet', async () => {
    const tun = new FakeTun();
    for (const text of ['one', 'two']) tun.push(text);
    const receiver = new Receiver();
    duplexLink(tun).open(receiver);
    await nextTurn();
    expect(receiver.texts).toEqual(['one', 'two']);
  });

  it('cuts what is too much for one batch', async () => {
    const { tun, receiver } = open();
    for (let i = 0; i < BATCH_PACKETS + 10; i++) tun.push(`packet ${i}`);
    for (let i = 0; i < 20; i++) tun.push(Buffer.alloc(65_535, i));
    await nextTurn();
    expect(receiver.packets.length).toBe(BATCH_PACKETS + 30);
    expect(receiver.packets.at(-1)!.equals(Buffer.alloc(65_535, 19))).toBe(true);
    expect(Math.max(...receiver.batches)).toBe(BATCH_PACKETS);
  });

  it('leaves bytes that the receiver has pinned alone', async () => {
    const { tun, receiver } = open();
    let kept: Uint8Array | null = null;
    receiver.onBatch = (batch) => {
      kept ??= batch.bytes.subarray(batch.offset[0], batch.offset[0]! + batch.length[0]!);
      batch.pinned = true;
    };
    tun.push('keep');
    await nextTurn();
    tun.push('over');
    await nextTurn();
    expect(Buffer.from(kept!).toString()).toBe('keep');
    expect(receiver.texts).toEqual(['keep', 'over']);
  });

  it('counts what is no packet', async () => {
    const { tun, link, receiver } = open();
    tun.push(Buffer.alloc(65_536));
    tun.push('fine');
    await nextTurn();
    expect(receiver.texts).toEqual(['fine']);
    expect(link.dropped).toBe(1);
  });

  it('writes each packet as a chunk of its own, a copy', async () => {
    const { tun, link } = open();
    const batch = batchOf(['one', 'head ']);
    batch.append(Buffer.from('payload'), 0, 7);
    link.send(batch);
    batch.bytes.fill(0);
    await nextTurn();
    expect(tun.written.map(String)).toEqual(['one', 'head payload']);
  });

  it('passes the back-pressure of the stream on, and loses nothing', async () => {
    const { tun, link, receiver } = open();
    tun.stalled = true;
    link.send(batchOf([Buffer.alloc(60, 'a'), Buffer.alloc(60, 'b'), 'c']));
    expect(link.blocked).toBe(true);
    await nextTurn();
    expect(receiver.writables).toBe(0);
    tun.stalled = false;
    tun.release();
    await nextTurn();
    expect([link.blocked, receiver.writables]).toEqual([false, 1]);
    expect(tun.written.map((packet) => packet.length)).toEqual([60, 60, 1]);
  });

  it('tells of an error once, after what arrived before it', async () => {
    const { tun, link, receiver } = open();
    const error = new Error('the device was deleted');
    const packetsAtEnd: number[] = [];
    receiver.closed = (reason) => {
      receiver.ends.push(reason);
      packetsAtEnd.push(receiver.packets.length);
    };
    tun.push('last');
    tun.destroy(error);
    await nextTurn();
    await nextTurn();
    expect(receiver.ends).toEqual([error]);
    expect(packetsAtEnd).toEqual([1]);
    link.send(batchOf(['too late']));
    expect(link.dropped).toBe(1);
  });

  it('ends when the stream ends', async () => {
    const { tun, receiver } = open();
    tun.push(null);
    await nextTurn();
    await nextTurn();
    expect(receiver.ends).toEqual([undefined]);
    expect(tun.destroyed).toBe(true);
  });

  it('says so when it is opened over a stream that has failed', async () => {
    const tun = new FakeTun();
    const link = duplexLink(tun);
    const error = new Error('no such device');
    tun.destroy(error);
    await nextTurn();
    const receiver = new Receiver();
    link.open(receiver);
    await nextTurn();
    expect(receiver.ends).toEqual([error]);
  });

  it('destroys the stream when it is closed, and says so once', async () => {
    const { tun, link, receiver } = open();
    link.close();
    link.close();
    expect(receiver.ends).toEqual([]);
    await nextTurn();
    expect(tun.destroyed).toBe(true);
    expect(receiver.ends).toEqual([undefined]);
    expect(link.blocked).toBe(false);
  });
});
