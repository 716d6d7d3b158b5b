import type { Duplex } from 'node:stream';
import { BATCH_PACKETS, RxBatch, type TxBatch } from '../base/batch.js';
import type { Runtime } from '../runtime/runtime.js';
import { systemRuntime } from '../runtime/system.js';
import type { Link, LinkReceiver } from './link.js';
import { checkedMtu } from './mtu.js';
import { MAX_BYTES, MAX_PACKETS } from './packet-queue.js';

const MAX_PACKET_BYTES = 65535;
const ARENA_BYTES = 1024 * 1024;

export interface DuplexLinkOptions {
  /** Default `duplex`. */
  name?: string;
  /** Largest packet in bytes that the other side takes, 68 to 65535. Default 1500. */
  mtu?: number;
  /** Default: the real world. */
  runtime?: Runtime;
}

/**
 * A link over any `Duplex` that carries one IPv4 packet per chunk, such as the `Tun` of tuntap2. The
 * duplex is the link's from now on: closing the link destroys it.
 */
export function duplexLink(duplex: Duplex, options: DuplexLinkOptions = {}): DuplexLink {
  return new DuplexLink(duplex, options);
}

export class DuplexLink implements Link {
  readonly name: string;
  readonly mtu: number;
  readonly offload = false;
  readonly headroom = 0;
  /**
   * Chunks that were no packet (not bytes, empty, too long), and packets sent when it was over or
   * when too much waited in the stream already.
   */
  dropped = 0;

  readonly #duplex: Duplex;
  readonly #runtime: Runtime;
  readonly #batch = new RxBatch(new Uint8Array(ARENA_BYTES));
  #arrived: Uint8Array[] = [];
  #receiver: LinkReceiver | null = null;
  #blocked = false;
  #over = false;

  /** @internal Use {@link duplexLink}. */
  constructor(duplex: Duplex, options: DuplexLinkOptions) {
    this.#duplex = duplex;
    this.#runtime = options.runtime ?? systemRuntime();
    this.name = options.name ?? 'duplex';
    this.mtu = checkedMtu(options.mtu ?? 1500);
    // Listened to from the start and to the end, so that no error of the stream goes uncaught.
    duplex.on('error', (error) => this.#end(error));
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  open(receiver: LinkReceiver): void {
    this.#receiver = receiver;
    if (this.#over || this.#duplex.destroyed) {
      const error = this.#duplex.errored ?? undefined;
      this.#over = true;
      this.#runtime.defer(() => receiver.closed(error));
      return;
    }
    this.#duplex.on('data', (chunk: unknown) => this.#arrive(chunk));
    this.#duplex.on('drain', () => this.#unblock());
    this.#duplex.on('end', () => this.#end());
    this.#duplex.on('close', () => this.#end());
  }

  send(batch: TxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      if (this.#over || !this.#duplex.writable || this.#isFull()) {
        this.dropped++;
        continue;
      }
      const packet = Buffer.allocUnsafe(batch.packetLength(i));
      batch.copyPacket(i, packet, 0);
      if (!this.#duplex.write(packet)) this.#blocked = true;
    }
  }

  /** ACKs and resets come even while the link is blocked. */
  #isFull(): boolean {
    const { writableLength, writableObjectMode } = this.#duplex;
    return writableLength >= (writableObjectMode ? MAX_PACKETS : MAX_BYTES);
  }

  close(): void {
    this.dropped += this.#arrived.length;
    this.#arrived = [];
    this.#end();
  }

  #arrive(chunk: unknown): void {
    if (!(chunk instanceof Uint8Array) || chunk.length === 0 || chunk.length > MAX_PACKET_BYTES) {
      this.dropped++;
      return;
    }
    // Later, because a stream may emit while it is written to, and so that packets come in batches.
    if (this.#arrived.push(chunk) === 1) this.#runtime.defer(() => this.#deliver());
  }

  #deliver(): void {
    const chunks = this.#arrived;
    this.#arrived = [];
    let next = 0;
    while (next < chunks.length && !this.#over) {
      const batch = this.#batch;
      batch.count = 0;
      let used = 0;
      while (next < chunks.length && batch.count < BATCH_PACKETS) {
        const chunk = chunks[next]!;
        if (used + chunk.length > ARENA_BYTES) break;
        batch.bytes.set(chunk, used);
        batch.push(used, chunk.length, 0, 0);
        used += chunk.length;
        next++;
      }
      this.#receiver!.receive(batch);
      if (batch.pinned) batch.replaceArena(new Uint8Array(ARENA_BYTES));
    }
  }

  #unblock(): void {
    if (!this.#blocked || this.#over) return;
    this.#blocked = false;
    this.#receiver!.writable();
  }

  #end(error?: Error): void {
    if (this.#over) return;
    // What arrived before the end is delivered before it.
    this.#deliver();
    this.#over = true;
    this.#blocked = false;
    this.#duplex.destroy();
    const receiver = this.#receiver;
    if (receiver !== null) this.#runtime.defer(() => receiver.closed(error));
  }
}
