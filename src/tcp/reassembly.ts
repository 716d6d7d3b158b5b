import { add, diff, gt, leq, lt, max, min, type Seq, seq } from '../base/seq.js';
import { MAX_SACK_BLOCKS, type Segment } from '../wire/segment.js';
import { KEEP_IN_PLACE, liesElsewhere } from './receive-queue.js';

/** What a block costs at least against the receive buffer, so that many tiny ones cannot pile up. */
const BLOCK_COST = 256;

/** Of those that have nothing out of order any more. */
const NONE_SEQ: Seq[] = [];
const NONE_CHUNKS: Uint8Array[] = [];

/**
 * Segments out of order (RFC 9293 §3.10.7.4, SHLD-31): disjoint blocks in ascending order. Where
 * content overlaps, what came first stays. Also knows the SACK blocks to report (RFC 2018 §4).
 */
export class Reassembly {
  #starts: Seq[] = NONE_SEQ;
  #chunks: Uint8Array[] = NONE_CHUNKS;
  /** Blocks that adjoin each other make a range, [left, right): what SACK reports. Ascending. */
  #lefts: Seq[] = NONE_SEQ;
  #rights: Seq[] = NONE_SEQ;
  /** Where recent arrivals began, latest first: they decide the order of the SACK blocks. */
  #recent: Seq[] = NONE_SEQ;
  /** Views of what belongs to others were kept since the last {@link own}: so many. */
  inPlace = 0;
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
      this.#lefts = [];
      this.#rights = [];
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
    this.#noteRange(start, end);
    return kept;
  }

  /** Copies what still lies where it arrived, so that no arena is held for a block of it. */
  own(): void {
    for (let i = this.#chunks.length - 1; i >= 0 && this.inPlace > 0; i--) {
      const chunk = this.#chunks[i]!;
      if (!liesElsewhere(chunk)) continue;
      this.#chunks[i] = Buffer.from(chunk);
      this.inPlace--;
    }
    this.inPlace = 0;
  }

  /** Whether a block starts before `end`. */
  startsBefore(end: Seq): boolean {
    return this.#starts.length > 0 && lt(this.#starts[0]!, end);
  }

  /** Takes out the block that starts at or before `rcvNxt`, cut to start there; null if none does. */
  take(rcvNxt: Seq): Uint8Array | null {
    while (this.#starts.length > 0 && leq(this.#starts[0]!, rcvNxt)) {
      const start = this.#starts.shift()!;
      const chunk = this.#chunks.shift()!;
      this.cost -= Math.max(chunk.length, BLOCK_COST);
      this.#dropRange(add(start, chunk.length));
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
      const i = this.#rangeEndingAfter(this.#recent[r]!);
      const left = this.#lefts[i];
      if (left === undefined || gt(left, this.#recent[r]!)) continue;
      if (hasBlock(segment, first, count, left)) continue;
      segment.sack[count * 2] = left;
      const right = this.#rights[i]!;
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
    this.#lefts = NONE_SEQ;
    this.#rights = NONE_SEQ;
    this.#recent = NONE_SEQ;
    this.cost = 0;
    this.inPlace = 0;
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
    if (kept) this.inPlace++;
    return kept;
  }

  /** Arrivals are mostly in ascending order, so the last block is looked at first. */
  #firstEndingAfter(position: Seq): number {
    let high = this.#starts.length;
    if (high === 0 || leq(this.#endOf(high - 1), position)) return high;
    let low = 0;
    high--;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (gt(this.#endOf(middle), position)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #endOf(i: number): Seq {
    return add(this.#starts[i]!, this.#chunks[i]!.length);
  }

  /** The first range that ends after `position`. */
  #rangeEndingAfter(position: Seq): number {
    let low = 0;
    let high = this.#rights.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (gt(this.#rights[middle]!, position)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Parts that adjoin each other are one; of several apart RFC 2883 §4 reports the first. */
  #noteDuplicate(left: Seq, right: Seq): void {
    if (!this.hasDuplicate) this.duplicateLeft = left;
    else if (this.duplicateRight !== left) return;
    this.hasDuplicate = true;
    this.duplicateRight = right;
  }

  /** What has arrived makes one range of all that it overlaps or adjoins. */
  #noteRange(start: Seq, end: Seq): void {
    const lefts = this.#lefts;
    const rights = this.#rights;
    const from = this.#rangeEndingAfter(add(start, -1));
    let to = from;
    let left = start;
    let right = end;
    while (to < lefts.length && leq(lefts[to]!, end)) {
      left = min(left, lefts[to]!);
      right = max(right, rights[to]!);
      to++;
    }
    if (to - from === 1) {
      lefts[from] = left;
      rights[from] = right;
    } else {
      lefts.splice(from, to - from, left);
      rights.splice(from, to - from, right);
    }
    this.#noteRecent(start, left, right);
  }

  /** Octets up to `end` are taken out. */
  #dropRange(end: Seq): void {
    if (end !== this.#rights[0]) {
      this.#lefts[0] = end;
      return;
    }
    this.#lefts.shift();
    this.#rights.shift();
  }

  /** One entry per range: an arrival that grows a range moves it to the front. */
  #noteRecent(start: Seq, left: Seq, right: Seq): void {
    const recent = this.#recent;
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

/** Shared by all connections of which nothing ever was out of order: most; nobody writes to it. */
export const NOTHING_OUT_OF_ORDER = new Reassembly();
