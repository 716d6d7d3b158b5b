import {
  type CapturedPacket,
  type CaptureInterface,
  enhancedPacketBytes,
  interfaceDescription,
  sectionHeader,
  writeEnhancedPacket,
} from '../wire/pcapng.js';
import { APPLICATION, type CaptureSink } from './capture-sink.js';

/** Where a block has its length. */
const LENGTH_AT = 4;

/** Keeps the latest packets in a fixed piece of memory, to be written when something went wrong. */
export class CaptureRing implements CaptureSink {
  readonly open = true;
  /** Packets that made room for later ones, or were larger than the ring. */
  overwritten = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #interfaces: Uint8Array[] = [];
  /** The oldest block. */
  #head = 0;
  /** Behind the latest block. */
  #tail = 0;
  /** Behind the last block before the memory's end, when the latest blocks are in front again. */
  #wrap = -1;
  #count = 0;

  /**
   * @param bytes of memory, 1024 or more; each packet takes about 50 besides its own
   * @throws RangeError (ERR_OUT_OF_RANGE)
   */
  constructor(bytes: number) {
    if (!(Number.isSafeInteger(bytes) && bytes >= 1024)) {
      const message = `The value of "bytes" is out of range. It must be an integer >= 1024. Received ${bytes}`;
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
    }
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Packets in the ring. */
  get count(): number {
    return this.#count;
  }

  addInterface(iface: CaptureInterface): number {
    return this.#interfaces.push(interfaceDescription(iface)) - 1;
  }

  packet(packet: CapturedPacket): void {
    const length = enhancedPacketBytes(packet);
    if (length > this.#bytes.length) {
      this.overwritten++;
      return;
    }
    if (this.#tail + length > this.#bytes.length) {
      // What lies between the latest block and the end is older than what is in front.
      while (this.#wrap >= 0) this.#forget();
      if (this.#count > 0) this.#wrap = this.#tail;
      this.#tail = 0;
    }
    while (this.#wrap >= 0 && this.#head < this.#tail + length) this.#forget();
    this.#tail += writeEnhancedPacket(this.#bytes, this.#view, this.#tail, packet);
    this.#count++;
  }

  /** The packets of the ring, oldest first, as a whole pcapng file. Leaves the ring as it is. */
  file(): Uint8Array {
    const parts = [sectionHeader(APPLICATION), ...this.#interfaces];
    if (this.#wrap >= 0) {
      parts.push(this.#bytes.subarray(this.#head, this.#wrap));
      parts.push(this.#bytes.subarray(0, this.#tail));
    } else {
      parts.push(this.#bytes.subarray(this.#head, this.#tail));
    }
    return Buffer.concat(parts);
  }

  /** Drops the oldest block, which lies before `#wrap`. */
  #forget(): void {
    this.#head += this.#view.getUint32(this.#head + LENGTH_AT, true);
    this.#count--;
    this.overwritten++;
    if (this.#head === this.#wrap) {
      this.#head = 0;
      this.#wrap = -1;
    }
  }
}
