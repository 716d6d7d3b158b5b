import { CaptureRing } from '../../src/link/capture-ring.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { CapturedPacket, DEFAULT_SNAPLEN, OUTBOUND } from '../../src/wire/pcapng.js';
import { completeTcpChecksum } from './packet.js';

/** Of the latest packets of a cable so many bytes are kept. */
const RING_BYTES = 512 * 1024;

/** Delays in ms of the copies that arrive, as `MemoryPairOptions` has it. */
export type Fate = number | readonly number[];

/** As it left the host, and without offset. */
const original = Buffer.alloc(0x1_0000);

/**
 * Keeps the latest packets of a cable between two hosts, each once, with what the network did to it
 * as a comment. Times are those of the runtime, counted from the beginning of 1970.
 */
export class WireTap {
  readonly #ring = new CaptureRing(RING_BYTES);
  readonly #packet = new CapturedPacket();
  readonly #runtime: Runtime;
  readonly #offload: boolean;

  /**
   * @param names of the hosts; each is an interface that its packets go out by
   * @param offload packets may have the checksum of the pseudo-header alone, which is completed in the copy
   */
  constructor(runtime: Runtime, names: readonly string[], offload: boolean) {
    this.#runtime = runtime;
    this.#offload = offload;
    for (const name of names) this.#ring.addInterface({ name, snaplen: DEFAULT_SNAPLEN });
    this.#packet.direction = OUTBOUND;
  }

  /** Lets `decide` have the packet, which it may change, and returns what it returns. */
  pass(bytes: Uint8Array, from: number, decide: () => Fate): Fate {
    original.set(bytes);
    const fate = decide();
    this.#keep(bytes, from, fate);
    return fate;
  }

  file(): Uint8Array {
    return this.#ring.file();
  }

  #keep(bytes: Uint8Array, from: number, fate: Fate): void {
    const packet = this.#packet;
    const changed = original.compare(bytes, 0, bytes.length, 0, bytes.length) !== 0;
    packet.iface = from;
    packet.bytes = bytes;
    if (this.#offload && !changed) {
      completeTcpChecksum(original.subarray(0, bytes.length));
      packet.bytes = original;
    }
    packet.length = packet.originalLength = bytes.length;
    const text = commentOn(fate, changed);
    packet.comment = text === '' ? null : Buffer.from(text);
    const time = BigInt(Math.floor(this.#runtime.now() * 1e6));
    packet.timeHigh = Number(time >> 32n);
    packet.timeLow = Number(time & 0xffff_ffffn);
    this.#ring.packet(packet);
  }
}

function commentOn(fate: Fate, changed: boolean): string {
  const copies = (typeof fate === 'number' ? [fate] : fate).filter((extra) => extra >= 0);
  const words: string[] = [];
  if (changed) words.push('changed on the way');
  if (copies.length === 0) words.push('lost on the way');
  if (copies.length > 1) words.push(`arrives ${copies.length} times`);
  if (copies.some((extra) => extra > 0)) words.push(`${copies.join(' and ')} ms late`);
  return words.join(', ');
}
