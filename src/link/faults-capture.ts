import type { Runtime } from '../runtime/runtime.js';
import { systemEpoch, systemRuntime } from '../runtime/system.js';
import { CapturedPacket, DEFAULT_SNAPLEN, INBOUND, OUTBOUND } from '../wire/pcapng.js';
import type { CaptureSink } from './capture-sink.js';
import type { FaultReason } from './faults-counters.js';
import type { WaitingPacket } from './faults-packet.js';
import type { FaultDirection } from './faults-rules.js';
import type { Link } from './link.js';

/** Writes the packets that a link with faults has lost, each with the reason as a comment. */
export class LostPackets {
  readonly #sink: CaptureSink;
  readonly #epoch: number;
  readonly #packet = new CapturedPacket();
  readonly #comments = new Map<FaultReason, Uint8Array>();

  constructor(sink: CaptureSink, runtime: Runtime, link: Link) {
    this.#sink = sink;
    this.#epoch = runtime === systemRuntime() ? systemEpoch() : 0;
    const iface = { name: `${link.name}, lost`, snaplen: DEFAULT_SNAPLEN };
    this.#packet.iface = sink.addInterface(iface);
  }

  write(lost: WaitingPacket, direction: FaultDirection, reason: FaultReason, now: number): void {
    if (!this.#sink.open) return;
    const packet = this.#packet;
    packet.bytes = lost.bytes;
    packet.offset = lost.offset;
    packet.length = lost.length;
    packet.originalLength = lost.length;
    packet.direction = direction === 'up' ? OUTBOUND : INBOUND;
    packet.stamp(this.#epoch, now);
    packet.comment = this.#comment(reason);
    this.#sink.packet(packet);
  }

  #comment(reason: FaultReason): Uint8Array {
    let comment = this.#comments.get(reason);
    if (comment === undefined) {
      comment = Buffer.from(`lost: ${reason}`);
      this.#comments.set(reason, comment);
    }
    return comment;
  }
}
