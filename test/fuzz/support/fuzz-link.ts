import { RxBatch, type TxBatch } from '../../../src/base/batch.js';
import type { Link, LinkReceiver } from '../../../src/link/link.js';
import { VIRTIO_HEADER_BYTES } from '../../../src/wire/virtio.js';

const ARENA_BYTES = 256 * 1024;
/** What a receiver sees that looks at bytes which are the link's again. */
const SCRIBBLE = 0xa5;

const spare: Uint8Array[] = [];

/** A link whose other end is a case: what arrives is put in, what is sent is shown. */
export class FuzzLink implements Link {
  readonly name = 'fuzz';
  readonly headroom: number;
  blocked = false;
  isClosed = false;
  readonly batch = new RxBatch(spare.pop() ?? new Uint8Array(ARENA_BYTES));
  #used = 0;
  #receiver!: LinkReceiver;
  readonly #out = out;
  readonly #outView = outView;

  constructor(
    readonly mtu: number,
    readonly offload: boolean,
    private readonly onPacket: (
      bytes: Uint8Array,
      view: DataView,
      start: number,
      length: number,
    ) => void,
  ) {
    this.headroom = offload ? VIRTIO_HEADER_BYTES : 0;
  }

  open(receiver: LinkReceiver): void {
    this.#receiver = receiver;
  }

  send(batch: TxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.copyPacket(i, this.#out, 0);
      this.onPacket(this.#out, this.#outView, this.headroom, length - this.headroom);
    }
  }

  unblock(): void {
    if (!this.blocked) return;
    this.blocked = false;
    this.#receiver.writable();
  }

  /** Puts a packet into the batch; false when there is no room. */
  put(bytes: Uint8Array, at: number, length: number, flags: number, segmentSize: number): boolean {
    const { batch } = this;
    if (this.#used + length > ARENA_BYTES || batch.count >= batch.offset.length) return false;
    batch.bytes.set(bytes.subarray(at, at + length), this.#used);
    batch.push(this.#used, length, flags, segmentSize);
    // Packets lie at any alignment.
    this.#used += length + (length & 1 ? 0 : 1);
    return true;
  }

  /** Hands over what was put in. */
  deliver(): void {
    const { batch } = this;
    if (batch.count === 0) return;
    batch.drop.fill(0, 0, batch.count);
    try {
      this.#receiver.receive(batch);
    } finally {
      if (batch.pinned) batch.replaceArena(new Uint8Array(ARENA_BYTES));
      else batch.bytes.fill(SCRIBBLE, 0, this.#used);
      batch.count = 0;
      this.#used = 0;
    }
  }

  close(): void {
    this.isClosed = true;
  }

  /** Gives the memory to the next link. */
  recycle(): void {
    if (spare.length < 2) spare.push(this.batch.bytes);
  }
}

const out = new Uint8Array(128 * 1024);
const outView = new DataView(out.buffer);
