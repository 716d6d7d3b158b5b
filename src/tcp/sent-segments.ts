import { diff, leq, type Seq } from '../base/seq.js';
import type { Delivery } from './sender-variables.js';

/** What is known of a row; bits of {@link SentSegments.flags}. */
export const enum Sent {
  /** The peer has it, out of order (RFC 2018). */
  SACKED = 1,
  /** Taken for lost, and not sent again since. */
  LOST = 2,
  /** Sent more than once. */
  RETRANSMITTED = 4,
  /** Sent while the application had nothing more to send. */
  APP_LIMITED = 8,
  /** Sent again without being taken for lost, so that two copies are in the network. */
  TWICE = 16,
}

/** Above the bits: how often it was sent again. */
const TIMES_SHIFT = 8;
const MOST_TIMES = 0x7fff;

/** A row is 64 bytes: four int32, then six doubles. */
const WORDS_SHIFT = 4;
const DOUBLES_SHIFT = 3;
const START = 0;
const END = 1;
const FLAGS = 2;
const TX_IN_FLIGHT = 3;
const SENT_AT = 2;
const FIRST_SENT_AT = 3;
const DELIVERED = 4;
const DELIVERED_AT = 5;
const BURST_AT = 6;
const LOST_BYTES = 7;

const MIN_ROWS = 16;
/** Most rows of a connection, 512 KiB of them; see {@link SentSegments}. */
export const MAX_ROWS = 8_192;
/** From so many rows on, bursts sent at about the same time share one. */
const COARSE_ROWS = MAX_ROWS / 2;
/** Only retransmission may use the last of the rows: what SACK blocks cut up must still go out. */
const SACK_ROWS = MAX_ROWS - 1_024;
/** To more than that, nothing joins. Bytes. */
const MAX_ROW_BYTES = 65_536;

/** The state of delivery-rate estimation that a row remembers from when it was sent; see `delivery-rate.ts`. */
export interface SendState {
  readonly delivery: Readonly<Delivery>;
  /** Full segments are so long, so that what follows one that is short gets a row of its own. */
  readonly sndMss: number;
}

/**
 * What is outstanding, from SND.UNA to SND.NXT, in ascending rows without gaps: when each was sent,
 * how often, and what has become of it.
 *
 * A row stands for octets that share a fate so far: a burst of up to 128 KiB that was sent at one time,
 * however many segments it is cut into; all but the last of these are full. So a transfer without loss costs a row per burst, and an ACK
 * costs the rows that it covers. Where a SACK block, a retransmission or a mark ends within a row, the
 * row is cut in two there; neighbours that are both SACKed become one again. A row that is cut leaves
 * both parts with the time at which it was sent, and RACK breaks the tie by sequence number, so that
 * the result is the same as with a row per segment.
 *
 * Rows are numbered from 0, the oldest. Their number is bounded: from {@link COARSE_ROWS} on new bursts
 * join the last row if they follow within a small part of a round trip, and at {@link MAX_ROWS} nothing
 * new is sent ({@link isFull}). SACK blocks that would cut a row when only the reserve is left are not
 * believed where they would cut (`false` from {@link splitForSack}).
 *
 * The memory is borrowed: a connection with nothing outstanding has none.
 */
export class SentSegments {
  #block: Block = NO_BLOCK;
  #head = 0;
  /** Rows in use. */
  length = 0;
  /** Octets SACKed; taken for lost and not sent again; sent again without being taken for lost. */
  sacked = 0;
  lost = 0;
  twice = 0;

  get isFull(): boolean {
    return this.length >= MAX_ROWS;
  }

  start(row: number): Seq {
    return this.#block.words[((this.#head + row) << WORDS_SHIFT) + START]! as Seq;
  }

  end(row: number): Seq {
    return this.#block.words[((this.#head + row) << WORDS_SHIFT) + END]! as Seq;
  }

  /** Octets of the row, a FIN counted. */
  size(row: number): number {
    const at = (this.#head + row) << WORDS_SHIFT;
    const { words } = this.#block;
    return (words[at + END]! - words[at + START]!) | 0;
  }

  /** {@link Sent} bits, and above them how often it was sent again. */
  flags(row: number): number {
    return this.#block.words[((this.#head + row) << WORDS_SHIFT) + FLAGS]!;
  }

  /** How often it was sent again. */
  times(row: number): number {
    return this.flags(row) >> TIMES_SHIFT;
  }

  /** When it was last sent, ms. */
  sentAt(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + SENT_AT]!;
  }

  /** When it was sent the first time, ms. */
  firstSentAt(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + FIRST_SENT_AT]!;
  }

  /** P.tx_in_flight: octets in the network when it was last sent, its own counted. */
  txInFlight(row: number): number {
    return this.#block.words[((this.#head + row) << WORDS_SHIFT) + TX_IN_FLIGHT]!;
  }

  /** P.delivered: C.delivered when it was last sent. */
  delivered(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + DELIVERED]!;
  }

  /** P.delivered_time. */
  deliveredAt(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + DELIVERED_AT]!;
  }

  /** P.first_sent_time: when the flight that it belongs to began. */
  burstAt(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + BURST_AT]!;
  }

  /** P.lost: C.lost when it was last sent. */
  lostTotal(row: number): number {
    return this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + LOST_BYTES]!;
  }

  /**
   * Octets from `start` to `end` are sent for the first time; they follow what was sent before.
   * `inFlight`: octets in the network, these counted. `coarse`: ms that do not matter.
   */
  append(
    start: Seq,
    end: Seq,
    state: SendState,
    inFlight: number,
    coarse: number,
    now: number,
  ): void {
    const last = this.length - 1;
    if (last >= 0 && this.#joins(last, end, state, coarse, now)) {
      this.#block.words[((this.#head + last) << WORDS_SHIFT) + END] = end;
      this.#block.doubles[((this.#head + last) << DOUBLES_SHIFT) + SENT_AT] = now;
      return;
    }
    this.#makeRoom();
    const row = this.length++;
    const at = (this.#head + row) << WORDS_SHIFT;
    const { words } = this.#block;
    words[at + START] = start;
    words[at + END] = end;
    words[at + FLAGS] = 0;
    this.#block.doubles[((this.#head + row) << DOUBLES_SHIFT) + FIRST_SENT_AT] = now;
    this.#stamp(row, state, inFlight, now);
  }

  /** The row goes out once more, whole. */
  resend(row: number, state: SendState, inFlight: number, now: number): void {
    const flags = this.flags(row);
    const size = this.size(row);
    const times = Math.min((flags >> TIMES_SHIFT) + 1, MOST_TIMES);
    if ((flags & Sent.LOST) !== 0) {
      this.lost -= size;
      this.#setFlags(row, (times << TIMES_SHIFT) | Sent.RETRANSMITTED);
    } else {
      if ((flags & (Sent.TWICE | Sent.SACKED)) === 0) this.twice += size;
      const twice = (flags & Sent.SACKED) === 0 ? Sent.TWICE : 0;
      this.#setFlags(
        row,
        (times << TIMES_SHIFT) | (flags & Sent.SACKED) | Sent.RETRANSMITTED | twice,
      );
    }
    this.#stamp(row, state, inFlight, now);
  }

  /** Drops the octets of row 0 up to `una`: the whole row, or its front. */
  dropFront(una: Seq): void {
    const at = this.#head << WORDS_SHIFT;
    const { words } = this.#block;
    const whole = leq(words[at + END]! as Seq, una);
    const octets = whole ? this.size(0) : diff(una, words[at + START]! as Seq);
    const flags = words[at + FLAGS]!;
    if ((flags & (Sent.SACKED | Sent.LOST | Sent.TWICE)) !== 0) this.#count(flags, -octets);
    if (!whole) {
      words[at + START] = una;
      return;
    }
    this.#head++;
    if (--this.length === 0) this.#release();
  }

  markSacked(row: number): void {
    const flags = this.flags(row);
    const size = this.size(row);
    this.#count(flags, -size);
    this.sacked += size;
    this.#setFlags(row, (flags & ~(Sent.LOST | Sent.TWICE)) | Sent.SACKED);
  }

  markLost(row: number): void {
    const flags = this.flags(row);
    if ((flags & (Sent.SACKED | Sent.LOST)) !== 0) return;
    const size = this.size(row);
    this.#count(flags, -size);
    this.lost += size;
    this.#setFlags(row, (flags & ~Sent.TWICE) | Sent.LOST);
  }

  /** It was not lost after all. */
  unmarkLost(row: number): void {
    const flags = this.flags(row);
    if ((flags & Sent.LOST) === 0) return;
    this.lost -= this.size(row);
    this.#setFlags(row, flags & ~Sent.LOST);
  }

  /** The peer has taken its SACK back (RFC 2018 §8). */
  unmarkSacked(row: number): void {
    const flags = this.flags(row);
    if ((flags & Sent.SACKED) === 0) return;
    this.sacked -= this.size(row);
    this.#setFlags(row, flags & ~Sent.SACKED);
  }

  /** The row that holds `position`, or {@link length} when none does. */
  find(position: Seq): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (leq(this.end(middle), position)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Cuts the row at `at`, which lies within it, into this one and the next; false: no room. */
  split(row: number, at: Seq): boolean {
    if (this.length >= MAX_ROWS) return false;
    this.#makeRoom();
    const { words, doubles } = this.#block;
    const from = this.#head + row;
    const tail = this.#head + this.length;
    doubles.copyWithin((from + 1) << DOUBLES_SHIFT, from << DOUBLES_SHIFT, tail << DOUBLES_SHIFT);
    words[(from << WORDS_SHIFT) + END] = at;
    words[((from + 1) << WORDS_SHIFT) + START] = at;
    this.length++;
    return true;
  }

  /** {@link split} for a SACK block, which must leave the reserve. */
  splitForSack(row: number, at: Seq): boolean {
    return this.length < SACK_ROWS && this.split(row, at);
  }

  /** Makes one of this row and the next, which must both be SACKed. */
  joinNext(row: number): void {
    const { words, doubles } = this.#block;
    const from = this.#head + row;
    const tail = this.#head + this.length;
    words[(from << WORDS_SHIFT) + END] = words[((from + 1) << WORDS_SHIFT) + END]!;
    doubles.copyWithin(
      (from + 1) << DOUBLES_SHIFT,
      (from + 2) << DOUBLES_SHIFT,
      tail << DOUBLES_SHIFT,
    );
    this.length--;
  }

  /** Moves the border between the row and the one before it to `at`, within this row. */
  giveToPrevious(row: number, at: Seq): void {
    const { words } = this.#block;
    const index = (this.#head + row) << WORDS_SHIFT;
    const octets = diff(at, words[index + START]! as Seq);
    this.#count(words[index + FLAGS]!, -octets);
    words[index + START] = at;
    const before = index - (1 << WORDS_SHIFT);
    words[before + END] = at;
    this.#count(words[before + FLAGS]!, octets);
  }

  clear(): void {
    this.length = 0;
    this.sacked = 0;
    this.lost = 0;
    this.twice = 0;
    this.#release();
  }

  #joins(last: number, end: Seq, state: SendState, coarse: number, now: number): boolean {
    const at = (this.#head + last) << DOUBLES_SHIFT;
    const { words, doubles } = this.#block;
    const since = now - doubles[at + SENT_AT]!;
    const word = (this.#head + last) << WORDS_SHIFT;
    const flags = words[word + FLAGS]!;
    const size = (end - words[word + START]!) | 0;
    if (size > MAX_ROW_BYTES || (flags & ~Sent.APP_LIMITED) !== 0) return false;
    if (((words[word + END]! - words[word + START]!) | 0) % state.sndMss !== 0) return false;
    if (since !== 0) return this.length >= COARSE_ROWS && since <= coarse;
    const limited = state.delivery.appLimited !== 0;
    return doubles[at + DELIVERED]! === state.delivery.delivered && limited === (flags !== 0);
  }

  #stamp(row: number, state: SendState, inFlight: number, now: number): void {
    const { words, doubles } = this.#block;
    const { delivery } = state;
    const word = (this.#head + row) << WORDS_SHIFT;
    if (state.delivery.appLimited !== 0)
      words[word + FLAGS] = words[word + FLAGS]! | Sent.APP_LIMITED;
    words[word + TX_IN_FLIGHT] = inFlight;
    const at = (this.#head + row) << DOUBLES_SHIFT;
    doubles[at + SENT_AT] = now;
    doubles[at + DELIVERED] = delivery.delivered;
    doubles[at + DELIVERED_AT] = delivery.deliveredAt;
    doubles[at + BURST_AT] = delivery.firstSentAt;
    doubles[at + LOST_BYTES] = delivery.lost;
  }

  #setFlags(row: number, flags: number): void {
    this.#block.words[((this.#head + row) << WORDS_SHIFT) + FLAGS] = flags;
  }

  #count(flags: number, octets: number): void {
    if ((flags & Sent.SACKED) !== 0) this.sacked += octets;
    if ((flags & Sent.LOST) !== 0) this.lost += octets;
    if ((flags & Sent.TWICE) !== 0) this.twice += octets;
  }

  /** Sees to it that there is room for one more row at the end. */
  #makeRoom(): void {
    const { rows } = this.#block;
    if (this.#head + this.length < rows) return;
    if (this.#head >= rows >> 1 && this.#head > 0) {
      const from = this.#head << DOUBLES_SHIFT;
      this.#block.doubles.copyWithin(0, from, from + (this.length << DOUBLES_SHIFT));
    } else {
      const larger = borrow(rows === 0 ? MIN_ROWS : rows * 2);
      const from = this.#head << DOUBLES_SHIFT;
      if (this.length > 0) {
        const used = this.#block.doubles.subarray(from, from + (this.length << DOUBLES_SHIFT));
        larger.doubles.set(used);
      }
      giveBack(this.#block);
      this.#block = larger;
    }
    this.#head = 0;
  }

  #release(): void {
    giveBack(this.#block);
    this.#block = NO_BLOCK;
    this.#head = 0;
  }
}

/** The storage of rows, by two views of the same bytes. */
class Block {
  readonly doubles: Float64Array;
  readonly words: Int32Array;

  constructor(readonly rows: number) {
    this.doubles = new Float64Array(rows << DOUBLES_SHIFT);
    this.words = new Int32Array(this.doubles.buffer);
  }
}

const NO_BLOCK = new Block(0);

/** Shared by all connections that have sent nothing but a SYN; nothing is ever appended to it. */
export const NOTHING_SENT = new SentSegments();

/**
 * Storage that no connection uses at present, by the logarithm of its size, so that one which sends
 * and waits in turn costs no allocation, and an idle one no memory.
 */
const spare: Block[][] = [];
const MOST_SPARE_BYTES = 256 * 1024;

function borrow(rows: number): Block {
  return spare[sizeClass(rows)]?.pop() ?? new Block(rows);
}

function giveBack(block: Block): void {
  if (block.rows === 0) return;
  const index = sizeClass(block.rows);
  while (spare.length <= index) spare.push([]);
  const blocks = spare[index]!;
  if ((blocks.length + 1) * (block.rows << 6) <= MOST_SPARE_BYTES) blocks.push(block);
}

function sizeClass(rows: number): number {
  return 31 - Math.clz32(rows);
}
