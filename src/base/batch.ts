/** Most packets that one batch holds, in either direction. */
export const BATCH_PACKETS = 256;

/** The link, or the kernel below it, says that this packet's TCP checksum needs no check. */
export const RX_CHECKSUM_VOUCHED = 1;

/** Packets on their way in: contiguous in one arena, with one entry per packet in each array. */
export class RxBatch {
  bytes: Uint8Array;
  view: DataView;
  count = 0;
  /** Where each IPv4 packet starts in {@link bytes}. */
  readonly offset = new Int32Array(BATCH_PACKETS);
  /** Length of each IPv4 packet in bytes, as the link saw it. */
  readonly length = new Int32Array(BATCH_PACKETS);
  /** {@link RX_CHECKSUM_VOUCHED} or 0. */
  readonly flags = new Uint8Array(BATCH_PACKETS);
  /** For a packet made of several segments below us: payload bytes of each; otherwise 0. */
  readonly segmentSize = new Uint16Array(BATCH_PACKETS);
  /**
   * Why the receiver dropped each packet, a `Drop` of `wire/`; it writes only the reasons. For
   * whoever clears the array before handing over the batch, to know what became of the packets.
   */
  readonly drop = new Uint8Array(BATCH_PACKETS);
  /**
   * Called by the receiver when it has written {@link drop} for the whole batch, before anybody gets
   * at the bytes who might change them.
   */
  onJudged: (() => void) | null = null;
  /**
   * Set by a receiver that keeps a view of {@link bytes} beyond the call. The link then leaves this
   * arena to the garbage collector and goes on with a fresh one.
   */
  pinned = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  replaceArena(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pinned = false;
  }

  /** Notes a packet that already lies in the arena. The caller has checked that there is room. */
  push(offset: number, length: number, flags: number, segmentSize: number): void {
    const i = this.count++;
    this.offset[i] = offset;
    this.length[i] = length;
    this.flags[i] = flags;
    this.segmentSize[i] = segmentSize;
  }
}

const TX_ARENA_BYTES = 512 * 1024;
const MAX_PIECES = BATCH_PACKETS * 4;

/**
 * Packets on their way out. Each is a list of pieces (what `writev` calls an iovec): headers and
 * short payloads lie in the batch's own arena, long payloads stay where they are.
 *
 * The layout of {@link pieces} is what the addon reads: for each piece three int32, the index into
 * {@link buffers} (0 is the arena), the offset and the length in bytes. {@link pieceEnd} says for
 * each packet where its pieces end.
 */
export class TxBatch {
  readonly bytes = new Uint8Array(TX_ARENA_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  /** Bytes of the arena in use. */
  used = 0;
  /** Packets in the batch. */
  count = 0;
  readonly buffers: Uint8Array[] = [this.bytes];
  readonly pieces = new Int32Array(MAX_PIECES * 3);
  readonly pieceEnd = new Int32Array(BATCH_PACKETS);
  #pieceCount = 0;

  /** True when a packet with `arenaBytes` in the arena and up to three other pieces fits. */
  fits(arenaBytes: number): boolean {
    return (
      this.count < BATCH_PACKETS &&
      this.used + arenaBytes <= TX_ARENA_BYTES &&
      this.#pieceCount + 4 <= MAX_PIECES
    );
  }

  /** Starts a packet whose first `length` bytes lie in the arena; returns where they are. */
  begin(length: number): number {
    const offset = this.used;
    this.used = offset + length;
    this.#piece(0, offset, length);
    this.pieceEnd[this.count++] = this.#pieceCount;
    return offset;
  }

  /** Appends to the packet begun last `length` bytes that stay in `buffer` until the batch is sent. */
  append(buffer: Uint8Array, offset: number, length: number): void {
    let index = this.buffers.length - 1;
    if (index === 0 || this.buffers[index] !== buffer) index = this.buffers.push(buffer) - 1;
    this.#piece(index, offset, length);
    this.pieceEnd[this.count - 1] = this.#pieceCount;
  }

  reset(): void {
    this.used = 0;
    this.count = 0;
    this.#pieceCount = 0;
    this.buffers.length = 1;
  }

  /** Length of packet `i` in bytes, headroom included. */
  packetLength(i: number): number {
    let length = 0;
    for (let p = this.#firstPiece(i); p < this.pieceEnd[i]!; p++) length += this.pieces[p * 3 + 2]!;
    return length;
  }

  /** Copies packet `i`, headroom included, to `target` at `at`; returns its length in bytes. */
  copyPacket(i: number, target: Uint8Array, at: number): number {
    return this.copyRange(i, 0, Infinity, target, at);
  }

  /** Copies of packet `i` the bytes from `start` to `end` or its own end; returns how many. */
  copyRange(i: number, start: number, end: number, target: Uint8Array, at: number): number {
    let passed = 0;
    let to = at;
    for (let p = this.#firstPiece(i); p < this.pieceEnd[i]!; p++) {
      const length = this.pieces[p * 3 + 2]!;
      const from = Math.max(0, start - passed);
      const until = Math.min(length, end - passed);
      passed += length;
      if (until <= from) continue;
      const offset = this.pieces[p * 3 + 1]!;
      const source = this.buffers[this.pieces[p * 3]!]!;
      target.set(source.subarray(offset + from, offset + until), to);
      to += until - from;
    }
    return to - at;
  }

  #firstPiece(i: number): number {
    return i === 0 ? 0 : this.pieceEnd[i - 1]!;
  }

  #piece(buffer: number, offset: number, length: number): void {
    const at = this.#pieceCount++ * 3;
    this.pieces[at] = buffer;
    this.pieces[at + 1] = offset;
    this.pieces[at + 2] = length;
  }
}
