import type { CaptureLink } from '../../link/capture.js';
import type { CaptureSink } from '../../link/capture-sink.js';
import { compileFilter } from '../../wire/filter.js';
import {
  type CapturedPacket,
  type CaptureInterface,
  DEFAULT_SNAPLEN,
  enhancedPacketBytes,
  writeEnhancedPacket,
} from '../../wire/pcapng.js';
import type { CaptureEnd, CaptureItem, CaptureRequest } from './protocol.js';
import { type Outlet, type Streaming, StreamSource } from './stream.js';

/** Bytes of packets that become one item at most. */
const CHUNK_BYTES = 256 * 1024;

/**
 * The packets that pass a link, as long as someone reads them.
 * @throws TypeError or FilterError for what is no {@link CaptureRequest}
 */
export function captureSource(link: CaptureLink, options: unknown): StreamSource {
  const { filter: expression, snaplen, count } = captureRequest(options);
  const filter = compileFilter(expression);
  return new StreamSource((outlet) => {
    const sink = new OutletSink(outlet, count);
    return sink.begin(link.attach(sink, { filter, snaplen }));
  });
}

function captureRequest(options: unknown): Required<CaptureRequest> {
  const request = (options ?? {}) as Partial<Record<keyof CaptureRequest, unknown>>;
  const { filter = '', snaplen = DEFAULT_SNAPLEN, count = Number.MAX_SAFE_INTEGER } = request;
  if (typeof filter !== 'string') throw new TypeError('"filter" must be a string');
  if (!isWithin(snaplen, DEFAULT_SNAPLEN)) {
    throw new TypeError(`"snaplen" must be an integer from 1 to ${DEFAULT_SNAPLEN}`);
  }
  if (!isWithin(count, Number.MAX_SAFE_INTEGER)) {
    throw new TypeError('"count" must be an integer, 1 or more');
  }
  return { filter, snaplen, count };
}

function isWithin(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

/** Collects the packets of one turn of the event loop, and makes them one item. */
class OutletSink implements CaptureSink, Streaming {
  open = true;
  readonly #outlet: Outlet;
  readonly #count: number;
  readonly #bytes = new Uint8Array(CHUNK_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #flushed = () => this.#flush();
  #used = 0;
  #waiting = 0;
  #captured = 0;
  #scheduled: NodeJS.Immediate | null = null;
  #detach: () => void = () => {};

  constructor(outlet: Outlet, count: number) {
    this.#outlet = outlet;
    this.#count = count;
  }

  begin(detach: () => void): this {
    this.#detach = detach;
    return this;
  }

  addInterface({ name, snaplen }: CaptureInterface): number {
    this.#outlet.item({ device: name, snaplen } satisfies CaptureItem, 0);
    return 0;
  }

  packet(packet: CapturedPacket): void {
    const length = enhancedPacketBytes(packet);
    if (this.#used + length > CHUNK_BYTES && !this.#flush()) {
      this.#outlet.lose(1);
      return;
    }
    this.#used += writeEnhancedPacket(this.#bytes, this.#view, this.#used, packet);
    this.#waiting++;
    if (this.#captured + this.#waiting === this.#count) this.open = false;
    this.#scheduled ??= setImmediate(this.#flushed);
  }

  drained(): void {
    this.#flush();
  }

  stop(): CaptureEnd {
    this.open = false;
    this.#detach();
    if (!this.#flush()) this.#outlet.lose(this.#waiting);
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    return { captured: this.#captured };
  }

  /** Sends what was collected; false when that has to wait. */
  #flush(): boolean {
    this.#scheduled = null;
    if (this.#used > 0) {
      if (!this.#outlet.room) return false;
      this.#outlet.item(this.#bytes.subarray(0, this.#used), this.#waiting);
      this.#captured += this.#waiting;
      this.#used = 0;
      this.#waiting = 0;
    }
    if (this.#captured === this.#count) this.#outlet.end();
    return true;
  }
}
