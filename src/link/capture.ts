import { RX_CHECKSUM_VOUCHED, type RxBatch, type TxBatch } from '../base/batch.js';
import type { Runtime } from '../runtime/runtime.js';
import { systemEpoch, systemRuntime } from '../runtime/system.js';
import { DROP_COUNT, Drop, dropName } from '../wire/drop-reason.js';
import { FILTERED_BYTES, type PacketFilter } from '../wire/filter.js';
import { CapturedPacket, DEFAULT_SNAPLEN, INBOUND, OUTBOUND } from '../wire/pcapng.js';
import { VIRTIO_HEADER_BYTES, VIRTIO_NEEDS_CSUM, virtioFlags } from '../wire/virtio.js';
import type { CaptureSink } from './capture-sink.js';
import type { Link, LinkReceiver } from './link.js';
import { LinkWrapper } from './link-wrapper.js';

/** What one sink wants of a capture. */
export interface TapOptions {
  /** Which packets are wanted; see `compileFilter`. Default: all. */
  filter?: PacketFilter;
  /** Most bytes that are kept of each packet. Default 262,144, more than any packet has. */
  snaplen?: number;
}

export interface CaptureOptions extends TapOptions {
  /** Whose time the packets get. Default: the real world. */
  runtime?: Runtime;
  /** ms since 1970 at 0 of the runtime's time. Default: right for the real world, 0 for another. */
  epoch?: number;
}

/** The comment on a packet that the host dropped, by its {@link Drop}. */
const COMMENTS: readonly Uint8Array[] = Array.from({ length: DROP_COUNT }, (_, drop) =>
  Buffer.from(`dropped: ${dropName(drop)}`),
);

/**
 * Wraps a link so that the packets of both directions go to `sink` too, as they are on the link:
 * super-segments whole, an unfinished checksum completed in the copy. Packets that the host dropped
 * carry the reason as a comment. It begins at once; see {@link CaptureLink.stop}. Without a sink
 * packets pass without being looked at until one is attached.
 *
 * @throws RangeError (ERR_OUT_OF_RANGE) for a snaplen that is no integer from 1 to 262,144
 */
export function captureLink(
  link: Link,
  sink: CaptureSink | null,
  options: CaptureOptions = {},
): CaptureLink {
  return new CaptureLink(link, sink, options);
}

/** A sink, and what it wants. */
interface Tap {
  readonly sink: CaptureSink;
  /** Its number of this interface. */
  readonly iface: number;
  readonly filter: PacketFilter | null;
  readonly snaplen: number;
}

/**
 * See {@link captureLink}. Packets in are given to the sinks when the host knows their fate, which is
 * before the application gets them and may write to them, and before the next packet out.
 */
export class CaptureLink extends LinkWrapper {
  /** Packets given to sinks. */
  captured = 0;
  readonly #runtime: Runtime;
  readonly #epoch: number;
  readonly #packet = new CapturedPacket();
  /** The one of {@link captureLink}. */
  readonly #own: Tap | null;
  /** Never changed, but replaced: a sink may have itself detached while it takes a packet. */
  #taps: readonly Tap[] = [];

  /** The first bytes of a packet out, from its headroom on. */
  readonly #start: Uint8Array;
  readonly #startView: DataView;
  readonly #judged = (): void => this.#commit();
  /** The batch that has arrived and is not given to the sinks yet. */
  #held: RxBatch | null = null;
  #heldTime = 0;

  /** @internal Use {@link captureLink}. */
  constructor(link: Link, sink: CaptureSink | null, options: CaptureOptions) {
    super(link);
    this.#runtime = options.runtime ?? systemRuntime();
    this.#epoch = options.epoch ?? (this.#runtime === systemRuntime() ? systemEpoch() : 0);
    this.#start = new Uint8Array(link.headroom + FILTERED_BYTES);
    this.#startView = new DataView(this.#start.buffer);
    this.#own = sink === null ? null : this.#tap(sink, options);
    this.start();
  }

  /** Whoever reads a capture expects packets that say how long they are. */
  get gsoMaxSize(): number | undefined {
    return this.#wanted() ? undefined : this.inner.gsoMaxSize;
  }

  /**
   * Gives packets to another sink as well, from now on and until the function that this returns is
   * called.
   *
   * @throws RangeError (ERR_OUT_OF_RANGE) for a snaplen that is no integer from 1 to 262,144
   */
  attach(sink: CaptureSink, options: TapOptions = {}): () => void {
    const tap = this.#tap(sink, options);
    this.#add(tap);
    return () => this.#remove(tap);
  }

  /** Packets go to the sink of {@link captureLink} again from now on. */
  start(): void {
    if (this.#own !== null && !this.#taps.includes(this.#own)) this.#add(this.#own);
  }

  /** The sink of {@link captureLink} gets nothing until {@link start}. */
  stop(): void {
    if (this.#own !== null) this.#remove(this.#own);
  }

  open(receiver: LinkReceiver): void {
    this.inner.open({
      receive: (batch) => {
        if (!this.#wanted()) {
          receiver.receive(batch);
          return;
        }
        this.#hold(batch);
        try {
          receiver.receive(batch);
        } finally {
          this.#commit();
        }
      },
      writable: () => receiver.writable(),
      closed: (error) => receiver.closed(error),
    });
  }

  override send(batch: TxBatch): void {
    if (this.#wanted()) {
      this.#commit();
      this.#outgoing(batch);
    }
    this.inner.send(batch);
  }

  #tap(sink: CaptureSink, { filter, snaplen = DEFAULT_SNAPLEN }: TapOptions): Tap {
    if (!(Number.isInteger(snaplen) && snaplen >= 1 && snaplen <= DEFAULT_SNAPLEN)) {
      const message = `The value of "options.snaplen" is out of range. It must be an integer from 1 to ${DEFAULT_SNAPLEN}. Received ${snaplen}`;
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
    }
    const iface = sink.addInterface({ name: this.name, snaplen });
    return { sink, iface, filter: filter ?? null, snaplen };
  }

  #add(tap: Tap): void {
    this.#taps = [...this.#taps, tap];
  }

  #remove(tap: Tap): void {
    this.#taps = this.#taps.filter((one) => one !== tap);
    if (this.#taps.length === 0) this.#held = null;
  }

  #wanted(): boolean {
    const taps = this.#taps;
    for (let i = 0; i < taps.length; i++) if (taps[i]!.sink.open) return true;
    return false;
  }

  #hold(batch: RxBatch): void {
    this.#commit();
    batch.drop.fill(Drop.NONE, 0, batch.count);
    batch.onJudged = this.#judged;
    this.#held = batch;
    this.#heldTime = this.#runtime.now();
  }

  /** Gives the sinks what has arrived, with the reasons that the host has given by now. */
  #commit(): void {
    const batch = this.#held;
    if (batch === null) return;
    this.#held = null;
    batch.onJudged = null;
    const packet = this.#packet;
    packet.batch = null;
    packet.bytes = batch.bytes;
    packet.direction = INBOUND;
    packet.stamp(this.#epoch, this.#heldTime);
    for (let i = 0; i < batch.count; i++) {
      const drop = batch.drop[i]!;
      packet.comment = drop === Drop.NONE ? null : COMMENTS[drop]!;
      packet.offset = batch.offset[i]!;
      packet.originalLength = batch.length[i]!;
      packet.partialChecksum = (batch.flags[i]! & RX_CHECKSUM_VOUCHED) !== 0;
      this.#give(batch.bytes, packet.offset, packet.originalLength);
    }
  }

  #outgoing(batch: TxBatch): void {
    const packet = this.#packet;
    const { headroom } = this.inner;
    packet.batch = batch;
    packet.headroom = headroom;
    packet.direction = OUTBOUND;
    packet.comment = null;
    packet.stamp(this.#epoch, this.#runtime.now());
    for (let i = 0; i < batch.count; i++) {
      packet.index = i;
      packet.originalLength = batch.packetLength(i) - headroom;
      batch.copyRange(i, 0, headroom + FILTERED_BYTES, this.#start, 0);
      packet.partialChecksum =
        this.softwareOffload ||
        (headroom === VIRTIO_HEADER_BYTES &&
          (virtioFlags(this.#startView, 0) & VIRTIO_NEEDS_CSUM) !== 0);
      this.#give(this.#start, headroom, packet.originalLength);
    }
  }

  /** `bytes` have what filters look at. */
  #give(bytes: Uint8Array, offset: number, length: number): void {
    const packet = this.#packet;
    const taps = this.#taps;
    for (let i = 0; i < taps.length; i++) {
      const { sink, filter, snaplen, iface } = taps[i]!;
      if (!sink.open || (filter !== null && !filter(bytes, offset, length))) continue;
      packet.iface = iface;
      packet.length = Math.min(packet.originalLength, snaplen);
      sink.packet(packet);
      this.captured++;
    }
  }
}
