import { RxBatch } from '../base/batch.js';
import type { Shard } from '../stack/shard.js';
import type { Board } from './board.js';
import { type Parcel, ParcelMaker, unpack, weightOf } from './parcel.js';

/** Bytes that may wait from one shard to another. */
const MAX_WAITING = 4 * 1024 * 1024;

/** The way to another shard, as far as this needs it; a `MessagePort` of Node.js is one. */
export interface ParcelPort {
  postMessage(parcel: Parcel, transfer: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (parcel: Parcel) => void): unknown;
  unref(): void;
  close(): void;
}

interface Peer {
  readonly port: ParcelPort;
  readonly outgoing: ParcelMaker;
}

/** A shard in a thread: packets go to the others as messages, everything else stands on the board. */
export class ShardBus implements Shard {
  readonly #peers: (Peer | undefined)[] = [];
  readonly #batch = new RxBatch(new Uint8Array(0));
  #receive: ((batch: RxBatch, asked: number) => void) | null = null;
  #closed = false;
  /** Something waits for {@link flush}. */
  #pending = false;

  constructor(
    readonly index: number,
    readonly count: number,
    readonly secret: Uint8Array,
    readonly clockOffset: number,
    private readonly board: Board,
  ) {}

  /** The way to another shard, in the place of an earlier one. */
  addPeer(index: number, port: ParcelPort): void {
    this.#peers[index]?.port.close();
    this.#peers[index] = { port, outgoing: new ParcelMaker() };
    port.on('message', (parcel) => this.#deliver(parcel));
    // Whoever does not use its shard need not wait for packets.
    port.unref();
  }

  get alive(): number {
    return this.board.alive;
  }

  listeners(port: number): number {
    return this.board.listeners(port);
  }

  setListening(port: number, listens: boolean): void {
    this.board.setListening(port, this.index, listens);
  }

  pass(
    to: number,
    asked: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    segmentSize: number,
  ): boolean {
    const peer = this.#peers[to];
    const weight = weightOf(length);
    if (peer === undefined || this.board.waiting(this.index, to) + weight > MAX_WAITING) {
      return false;
    }
    const { outgoing } = peer;
    if (outgoing.isFull || outgoing.asked !== asked) this.#post(peer);
    outgoing.asked = asked;
    outgoing.add(bytes, offset, length, segmentSize);
    this.board.addWaiting(this.index, to, weight);
    this.#pending = true;
    return true;
  }

  flush(): void {
    if (!this.#pending) return;
    this.#pending = false;
    for (const peer of this.#peers) if (peer !== undefined) this.#post(peer);
  }

  open(receive: (batch: RxBatch, asked: number) => void): void {
    this.#receive = receive;
    this.board.join(this.index);
  }

  close(): void {
    this.#closed = true;
    this.board.leave(this.index);
    for (const peer of this.#peers) peer?.port.close();
  }

  #post({ port, outgoing }: Peer): void {
    if (outgoing.isEmpty) return;
    const parcel = outgoing.take(this.index);
    port.postMessage(parcel, [parcel.bytes]);
  }

  #deliver(parcel: Parcel): void {
    if (this.#receive === null || this.#closed) return;
    this.board.addWaiting(parcel.from, this.index, -parcel.weight);
    const batch = this.#batch;
    unpack(parcel, batch);
    this.#receive(batch, parcel.asked);
    batch.count = 0;
  }
}
