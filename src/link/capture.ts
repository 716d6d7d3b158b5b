import { RX_CHECKSUM_VOUCHED, type RxBatch, type TxBatch } from '../base/batch.js';
import type { Runtime } from '../runtime/runtime.js';
import { systemEpoch, systemRuntime } from '../runtime/system.js';
import { checksum, fold, pseudoHeaderSum } from '../wire/checksum.js';
import { DROP_COUNT, Drop, dropName } from '../wire/drop-reason.js';
import type { PacketFilter } from '../wire/filter.js';
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, PROTOCOL_TCP } from '../wire/ipv4.js';
import { CapturedPacket, DEFAULT_SNAPLEN, INBOUND, OUTBOUND } from '../wire/pcapng.js';
import { TCP_CHECKSUM_OFFSET, TCP_HEADER_BYTES } from '../wire/tcp.js';
import { VIRTIO_HEADER_BYTES, VIRTIO_NEEDS_CSUM, virtioFlags } from '../wire/virtio.js';
import type { CaptureSink } from './capture-sink.js';
import type { Link, LinkReceiver } from './link.js';
import { LinkWrapper } from './link-wrapper.js';

export interface CaptureOptions {
  /** Whose time the packets get. Default: the real world. */
  runtime?: Runtime;
  /** ms since 1970 at 0 of the runtime's time. Default: right for the real world, 0 for another. */
  epoch?: number;
  /** Which packets are wanted; see `compileFilter`. Default: all. */
  filter?: PacketFilter;
  /** Most bytes that are kept of each packet. Default 262,144, more than any packet has. */
  snaplen?: number;
}

/** The comment on a packet that the host dropped, by its {@link Drop}. */
const COMMENTS: readonly Uint8Array[] = Array.from({ length: DROP_COUNT }, (_, drop) =>
  Buffer.from(`dropped: ${dropName(drop)}`),
);

/**
 * Wraps a link so that the packets of both directions go to `sink` too, as they are on the link:
 * super-segments whole, an unfinished checksum completed in the copy. Packets that the host dropped
 * carry the reason as a comment. It begins at once; see {@link CaptureLink.stop}.
 *
 * @throws RangeError (ERR_OUT_OF_RANGE) for a snaplen that is no integer from 1 to 262,144
 */
export function captureLink(
  link: Link,
  sink: CaptureSink,
  options: CaptureOptions = {},
): CaptureLink {
  return new CaptureLink(link, sink, options);
}

/**
 * See {@link captureLink}. Packets in are copied when they arrive, because the application may write
 * to what it gets, and given to the sink when the host knows their fate: before the next packet out,
 * or when the host returns.
 */
export class CaptureLink extends LinkWrapper {
  /** Packets given to the sink. */
  captured = 0;
  readonly #sink: CaptureSink;
  readonly #runtime: Runtime;
  readonly #epoch: number;
  readonly #filter: PacketFilter | null;
  readonly #snaplen: number;
  readonly #packet = new CapturedPacket();
  #running = true;

  /** Packets out, one by one, with the link's headroom. */
  readonly #out: Uint8Array;
  readonly #outView: DataView;
  /** Copy of the part of the arena that holds the packets that have just arrived. */
  #in = new Uint8Array(0);
  #inView = new DataView(this.#in.buffer);
  /** The batch that is copied in {@link #in} and not given to the sink yet. */
  #held: RxBatch | null = null;
  /** Where in the arena the copy begins. */
  #heldFrom = 0;
  #heldTime = 0;

  /** @internal Use {@link captureLink}. */
  constructor(link: Link, sink: CaptureSink, options: CaptureOptions) {
    super(link);
    const { snaplen = DEFAULT_SNAPLEN } = options;
    if (!(Number.isInteger(snaplen) && snaplen >= 1 && snaplen <= DEFAULT_SNAPLEN)) {
      const message = `The value of "options.snaplen" is out of range. It must be an integer from 1 to ${DEFAULT_SNAPLEN}. Received ${snaplen}`;
      throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
    }
    this.#sink = sink;
    this.#runtime = options.runtime ?? systemRuntime();
    this.#epoch = options.epoch ?? (this.#runtime === systemRuntime() ? systemEpoch() : 0);
    this.#filter = options.filter ?? null;
    this.#snaplen = snaplen;
    this.#packet.iface = sink.addInterface({ name: link.name, snaplen });
    this.#out = new Uint8Array(IPV4_MAX_BYTES + link.headroom);
    this.#outView = new DataView(this.#out.buffer);
  }

  /** Packets go to the sink again from now on. */
  start(): void {
    this.#running = true;
  }

  /** Packets pass without being looked at until {@link start}. */
  stop(): void {
    this.#running = false;
    this.#held = null;
  }

  open(receiver: LinkReceiver): void {
    this.inner.open({
      receive: (batch) => {
        if (!this.#running || !this.#sink.open) {
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
    if (this.#running && this.#sink.open) {
      this.#commit();
      this.#outgoing(batch);
    }
    this.inner.send(batch);
  }

  #hold(batch: RxBatch): void {
    this.#commit();
    const { count, offset, length } = batch;
    let from = Infinity;
    let end = 0;
    for (let i = 0; i < count; i++) {
      from = Math.min(from, offset[i]!);
      end = Math.max(end, offset[i]! + length[i]!);
    }
    if (count === 0) return;
    if (this.#in.length < end - from) {
      this.#in = new Uint8Array(Math.max(end - from, this.#in.length * 2));
      this.#inView = new DataView(this.#in.buffer);
    }
    this.#in.set(batch.bytes.subarray(from, end));
    batch.drop.fill(Drop.NONE, 0, count);
    this.#held = batch;
    this.#heldFrom = from;
    this.#heldTime = this.#runtime.now();
  }

  /** Gives the sink what has arrived, with the reasons that the host has given by now. */
  #commit(): void {
    const batch = this.#held;
    if (batch === null) return;
    this.#held = null;
    const packet = this.#packet;
    packet.bytes = this.#in;
    packet.direction = INBOUND;
    packet.stamp(this.#epoch, this.#heldTime);
    for (let i = 0; i < batch.count; i++) {
      const offset = batch.offset[i]! - this.#heldFrom;
      const length = batch.length[i]!;
      const drop = batch.drop[i]!;
      packet.comment = drop === Drop.NONE ? null : COMMENTS[drop]!;
      const vouched = (batch.flags[i]! & RX_CHECKSUM_VOUCHED) !== 0;
      this.#give(this.#in, this.#inView, offset, length, vouched);
    }
  }

  #outgoing(batch: TxBatch): void {
    const packet = this.#packet;
    const { headroom } = this.inner;
    const bytes = this.#out;
    packet.bytes = bytes;
    packet.direction = OUTBOUND;
    packet.comment = null;
    packet.stamp(this.#epoch, this.#runtime.now());
    for (let i = 0; i < batch.count; i++) {
      if (batch.packetLength(i) > bytes.length) continue;
      const length = batch.copyPacket(i, bytes, 0) - headroom;
      const partial =
        headroom === VIRTIO_HEADER_BYTES &&
        (virtioFlags(this.#outView, 0) & VIRTIO_NEEDS_CSUM) !== 0;
      this.#give(bytes, this.#outView, headroom, length, partial);
    }
  }

  /** @param partial the TCP checksum may be that of the pseudo-header alone */
  #give(bytes: Uint8Array, view: DataView, offset: number, length: number, partial: boolean): void {
    if (this.#filter !== null && !this.#filter(bytes, offset, length)) return;
    const packet = this.#packet;
    packet.offset = offset;
    packet.originalLength = length;
    packet.length = Math.min(length, this.#snaplen);
    // Nobody checks the checksum of half a packet.
    if (partial && packet.length === length) completeChecksum(bytes, view, offset, length);
    this.#sink.packet(packet);
    this.captured++;
  }
}

/** Completes a TCP checksum that is the sum of the pseudo-header; leaves every other as it is. */
function completeChecksum(bytes: Uint8Array, view: DataView, offset: number, length: number): void {
  if (length < IPV4_HEADER_BYTES || bytes[offset + 9] !== PROTOCOL_TCP) return;
  const header = (bytes[offset]! & 15) << 2;
  const tcpLength = view.getUint16(offset + 2) - header;
  if (tcpLength < TCP_HEADER_BYTES || header + tcpLength > length) return;
  const pseudo = pseudoHeaderSum(
    view.getInt32(offset + 12),
    view.getInt32(offset + 16),
    PROTOCOL_TCP,
    tcpLength,
  );
  const tcp = offset + header;
  const at = tcp + TCP_CHECKSUM_OFFSET;
  if (view.getUint16(at) !== fold(pseudo)) return;
  view.setUint16(at, 0);
  view.setUint16(at, checksum(bytes, view, tcp, tcpLength, pseudo));
}
