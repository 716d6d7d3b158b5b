import type { NativeDevice } from '../../../src/link/native.js';
import { writtenPacket } from '../../support/written-packet.js';

/** A device that keeps what is written and answers with the results it is told to. */
export class FakeDevice implements NativeDevice {
  readonly name = 'fake0';
  readonly fd = 99;
  readonly vnet: boolean;
  readonly persistent = false;
  readonly foreign = false;
  readonly written: Buffer[] = [];
  /** Results for the packets to come: 0 takes it, a negative number refuses it. */
  results: number[] = [];
  /** Delay of each call of `pollWritable`. */
  readonly polls: number[] = [];
  writes = 0;
  closes = 0;
  arena: Uint8Array = new Uint8Array(0);
  from = 0;
  arenas = 0;
  #offset: Int32Array = new Int32Array(0);
  #length: Int32Array = new Int32Array(0);
  #onPackets: (count: number, error: number) => void = () => {};
  #onWritable: () => void = () => {};

  constructor(readonly offload: boolean) {
    this.vnet = offload;
  }

  start(
    bytes: Uint8Array,
    from: number,
    offset: Int32Array,
    length: Int32Array,
    _flags: Uint8Array,
    onPackets: (count: number, error: number) => void,
    onWritable: () => void,
  ): void {
    this.arena = bytes;
    this.from = from;
    this.#offset = offset;
    this.#length = length;
    this.#onPackets = onPackets;
    this.#onWritable = onWritable;
  }

  setBusyPoll(): void {}

  setArena(bytes: Uint8Array, from: number): void {
    if (bytes !== this.arena) this.arenas++;
    this.arena = bytes;
    this.from = from;
  }

  write(
    buffers: readonly Uint8Array[],
    pieces: Int32Array,
    pieceEnd: Int32Array,
    first: number,
    count: number,
  ): number {
    this.writes++;
    for (let i = first; i < first + count; i++) {
      const result = this.results.shift() ?? 0;
      if (result < 0) {
        // As in the kernel, asking again for the same packet gets the same answer.
        if (i > first) this.results.unshift(result);
        return i > first ? i - first : result;
      }
      this.written.push(writtenPacket(buffers, pieces, pieceEnd, i));
    }
    return count;
  }

  pollWritable(delay: number): void {
    this.polls.push(delay);
  }

  ref(): void {}
  unref(): void {}

  close(): void {
    this.closes++;
  }

  /** The device becomes writable. */
  writable(): void {
    this.#onWritable();
  }

  /** Packets arrive, each with its virtio header in front when there is offload. */
  arrive(packets: readonly Uint8Array[], error = 0): void {
    const header = this.vnet ? 10 : 0;
    let at = this.from;
    for (const [i, packet] of packets.entries()) {
      this.arena.set(packet, at);
      this.#offset[i] = at + header;
      this.#length[i] = packet.length - header;
      at += packet.length;
    }
    this.#onPackets(packets.length, error);
  }
}
