import { add, diff, gt, leq, lt, max, min, type Seq, seq } from '../base/seq.js';
import { MAX_SACK_BLOCKS, type Segment } from '../wire/segment.js';
import { KEEP_IN_PLACE } from './receive-queue.js';

/** What a block costs at least against the receive buffer, so that many tiny ones cannot pile up. */
const BLOCK_COST = 256;

/**
 * Segments out of order (RFC 9293 §3.10.7.4, SHLD-31): disjoint blocks in ascending order. Where
 * content overlaps, what came first stays. Also knows the SACK blocks to report (RFC 2018 §4).
 */
export class Reassembly {
  #starts: Seq[] = NONE_SEQ;
  #chunks: Uint8Array[] = NONE_CHUNKS;
  /** Where recent arrivals began, latest first: they decide the order of the SACK blocks. */
  #recent: Seq[] = NONE_SEQ;
  /** What the blocks cost in bytes. */
  cost = 0;
  /** The number after a FIN that came out of order; only meaningful with {@link hasFin}. */
  finSeq: Seq = seq(0);
  hasFin = false;
  /** The first octets of the latest arrival that had arrived before, if there are any (RFC 2883). */
  hasDuplicate = false;
  duplicateLeft: Seq = seq(0);
  duplicateRight: Seq = seq(0);

  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  get blocks(): number {
    return this.#starts.length;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#chunks.reduce((total, chunk) => total + chunk.length, 0);
  }

  /** Inserts `length` bytes that start at `start`; returns true when a view of `bytes` was kept. */
  insert(start: Seq, bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.#starts === NONE_SEQ) {
      this.#starts = [];
      this.#chunks = [];
      this.#recent = [];
    }
    const end = add(start, length);
    this.hasDuplicate = false;
    let kept = false;
    let from = start;
    let i = this.#firstEndingAfter(start);
    while (lt(from, end)) {
      const next = this.#starts[i];
      if (next === undefined || leq(end, next)) {
        kept = this.#put(i, from, bytes, offset + diff(from, start), diff(end, from)) || kept;
        break;
      }
      if (lt(from, next)) {
        kept = this.#put(i, from, bytes, offset + diff(from, start), diff(next, from)) || kept;
        i++;
      }
      const blockEnd = add(next, this.#chunks[i]!.length);
      this.#noteDuplicate(max(from, next), min(end, blockEnd));
      from = blockEnd;
      i++;
    }
    this.#noteRecent(start);
    return kept;
  }

  /** Takes out the block that starts at or before `rcvNxt`, cut to start there; null if none does. */
  take(rcvNxt: Seq): Uint8Array | null {
    while (this.#starts.length > 0 && leq(this.#starts[0]!, rcvNxt)) {
      const start = this.#starts.shift()!;
      const chunk = this.#chunks.shift()!;
      this.cost -= Math.max(chunk.length, BLOCK_COST);
      const old = diff(rcvNxt, start);
      if (old < chunk.length) return old === 0 ? chunk : chunk.subarray(old);
    }
    return null;
  }

  /**
   * Fills the SACK option from block `first` on, at most `most` in all: first the range with the latest
   * arrival (RFC 2018 §4). Returns how many blocks there are then.
   */
  writeSack(segment: Segment, first: number, most: number): number {
    let count = first;
    for (let r = 0; r < this.#recent.length && count < most; r++) {
      const i = this.#firstEndingAfter(this.#recent[r]!);
      const start = this.#starts[i];
      if (start === undefined || gt(start, this.#recent[r]!)) continue;
      const left = this.#rangeLeft(i);
      if (hasBlock(segment, first, count, left)) continue;
      segment.sack[count * 2] = left;
      const right = this.#rangeRight(i);
      // A FIN takes up a number, and came with what stands before it.
      const withFin = this.hasFin && add(right, 1) === this.finSeq;
      segment.sack[count * 2 + 1] = withFin ? this.finSeq : right;
      count++;
    }
    return count;
  }

  clear(): void {
    this.#starts = NONE_SEQ;
    this.#chunks = NONE_CHUNKS;
    this.#recent = NONE_SEQ;
    this.cost = 0;
    this.hasFin = false;
  }

  #put(i: number, start: Seq, bytes: Uint8Array, offset: number, length: number): boolean {
    const view = bytes.subarray(offset, offset + length);
    const kept = length >= KEEP_IN_PLACE;
    const chunk = kept ? view : Buffer.from(view);
    if (i === this.#starts.length) {
      this.#starts.push(start);
      this.#chunks.push(chunk);
    } else {
      this.#starts.splice(i, 0, start);
      this.#chunks.splice(i, 0, chunk);
    }
    this.cost += Math.max(length, BLOCK_COST);
    return kept;
  }

  /** Arrivals are mostly in ascending order, so the search goes from the end. */
  #firstEndingAfter(position: Seq): number {
    let i = this.#starts.length;
    while (i > 0 && gt(add(this.#starts[i - 1]!, this.#chunks[i - 1]!.length), position)) i--;
    return i;
  }

  #rangeLeft(i: number): Seq {
    let left = i;
    while (
      left > 0 &&
      diff(this.#starts[left]!, this.#starts[left - 1]!) === this.#chunks[left - 1]!.length
    ) {
      left--;
    }
    return this.#starts[left]!;
  }

  #rangeRight(i: number): Seq {
    let right = i;
    let end = add(this.#starts[right]!, this.#chunks[right]!.length);
    while (this.#starts[right + 1] === end) {
      right++;
      end = add(end, this.#chunks[right]!.length);
    }
    return end;
  }

  /** Parts that adjoin each other are one; of several apart RFC 2883 §4 reports the first. */
  #noteDuplicate(left: Seq, right: Seq): void {
    if (!this.hasDuplicate) this.duplicateLeft = left;
    else if (this.duplicateRight !== left) return;
    this.hasDuplicate = true;
    this.duplicateRight = right;
  }

  /** One entry per range: an arrival that grows a range moves it to the front. */
  #noteRecent(start: Seq): void {
    const recent = this.#recent;
    const i = this.#firstEndingAfter(start);
    const left = this.#rangeLeft(i);
    const right = this.#rangeRight(i);
    for (let r = recent.length - 1; r >= 0; r--) {
      if (leq(left, recent[r]!) && lt(recent[r]!, right)) recent.splice(r, 1);
    }
    recent.unshift(start);
    if (recent.length > MAX_SACK_BLOCKS) recent.pop();
  }
}

function hasBlock(segment: Segment, first: number, count: number, left: Seq): boolean {
  for (let i = first; i < count; i++) if (segment.sack[i * 2] === left) return true;
  return false;
}

/** Shared by all connections that have nothing out of order: most, most of the time. */
const NONE_SEQ: Seq[] = [];
const NONE_CHUNKS: Uint8Array[] = [];
