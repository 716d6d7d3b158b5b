import { TxBatch } from '../../src/base/batch.js';
import type { MemoryLink } from '../../src/link/memory.js';
import type { NativeDevice } from '../../src/link/native.js';
import type { VirtualRuntime } from '../../src/runtime/virtual.js';
import { completeChecksum } from '../../src/wire/complete-checksum.js';
import { writtenPacket } from './written-packet.js';

/**
 * A TUN device on virtual time with a cable behind it: what is written goes to the other end, until
 * the machine has a fault.
 */
export class FaultyDevice implements NativeDevice {
  readonly name = 'tun0';
  readonly fd = 99;
  readonly vnet = false;
  readonly offload = false;
  readonly persistent = false;
  readonly foreign = false;
  /** What each write answers: 0, or a negative errno. */
  answer = 0;
  closes = 0;
  readonly #runtime: VirtualRuntime;
  readonly #cable: MemoryLink;
  #arena: Uint8Array = new Uint8Array(0);
  #from = 0;
  #onPackets: (count: number, error: number) => void = () => {};
  #onWritable: () => void = () => {};
  #awaitsWritable = false;

  constructor(runtime: VirtualRuntime, cable: MemoryLink) {
    this.#runtime = runtime;
    this.#cable = cable;
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
    this.setArena(bytes, from);
    this.#onPackets = onPackets;
    this.#onWritable = onWritable;
    this.#cable.open({
      receive: (batch) => {
        if (this.closes > 0) return;
        let at = this.#from;
        for (let i = 0; i < batch.count; i++) {
          const start = batch.offset[i]!;
          const packet = batch.bytes.subarray(start, start + batch.length[i]!);
          this.#arena.set(packet, at);
          offset[i] = at;
          length[i] = packet.length;
          at += packet.length;
        }
        this.#onPackets(batch.count, 0);
      },
      writable: () => {},
      closed: () => {},
    });
  }

  setBusyPoll(): void {}

  setArena(bytes: Uint8Array, from: number): void {
    this.#arena = bytes;
    this.#from = from;
  }

  write(
    buffers: readonly Uint8Array[],
    pieces: Int32Array,
    pieceEnd: Int32Array,
    first: number,
    count: number,
  ): number {
    if (this.answer < 0) return this.answer;
    for (let i = first; i < first + count; i++) {
      const packet = writtenPacket(buffers, pieces, pieceEnd, i);
      const batch = new TxBatch();
      const at = batch.begin(packet.length);
      batch.bytes.set(packet, at);
      completeChecksum(batch.bytes, batch.view, at, packet.length);
      this.#cable.send(batch);
    }
    return count;
  }

  /** As in the addon: once, when the device takes packets, and a full one never says so. */
  pollWritable(delay: number): void {
    if (delay === 0) this.#awaitsWritable = true;
    else this.#runtime.schedule(this.#runtime.now() + delay, () => this.#writable());
  }

  /** The fault is over. */
  heal(): void {
    this.answer = 0;
    if (this.#awaitsWritable) this.#writable();
  }

  /** The device is deleted: reading finds out, as writing does by {@link answer}. */
  readFails(errno: number): void {
    this.answer = errno;
    this.#onPackets(0, errno);
  }

  ref(): void {}
  unref(): void {}

  close(): void {
    this.closes++;
  }

  #writable(): void {
    this.#awaitsWritable = false;
    if (this.closes === 0) this.#onWritable();
  }
}
