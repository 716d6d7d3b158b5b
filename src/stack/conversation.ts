import { State, stateName } from '../tcp/state.js';
import type { RetransmitCause, TimerAction, TimerName, Traced } from '../tcp/trace.js';
import { Drop, dropName } from '../wire/drop-reason.js';
import { formatAddress } from '../wire/ipv4.js';
import type { Segment } from '../wire/segment.js';
import {
  ACK,
  MAX_SACK_BLOCKS,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  RST,
  SYN,
} from '../wire/segment.js';
import {
  flagNames,
  type LadderLine,
  type SegmentLine,
  type Transition,
  type TransitionLine,
} from './ladder-line.js';

/** Where each number of a segment stands within its row. */
const enum Column {
  FLAGS = 0,
  SENT = 1,
  SEQ = 2,
  ACK = 3,
  LENGTH = 4,
  WINDOW = 5,
  OPTIONS = 6,
  MSS = 7,
  SCALE = 8,
  SIZE = 9,
  STATE = 10,
  SACK_COUNT = 11,
  RESENT = 12,
  /** The timer that made us send it, as its place in TIMERS and 1; 0: none. */
  TIMER = 13,
  DROP = 14,
  SACK = 15,
  COUNT = 23,
}

const TIMERS: readonly TimerName[] = [
  'retransmit',
  'persist',
  'delayedAck',
  'keepAlive',
  'finWait2',
  'probe',
  'reorder',
];
const DELAYED_ACK = 3;

/** What comes so long after later octets was sent again; before that it was only overtaken. */
const REORDERING_MS = 3;
/** Segments among which those octets are looked for. */
const LOOK_BACK = 4096;

/** Rows there is room for at first. */
const FIRST_ROWS = 64;

/** The first segments of a connection say what was agreed; they are kept to the end. */
const HEAD = 8;
/** No connection goes through more changes of state than this. */
const MAX_TRANSITIONS = 32;

interface Noted extends Transition {
  /** The row it belongs to, or, when it stands alone, the row that it precedes. */
  row: number;
  alone: boolean;
  time: number;
}

/** What was recorded of one connection: rows of numbers in typed arrays, read out as lines. */
export class Conversation {
  /** The connection's; null while segments belong to none. */
  id: number | null = null;
  localAddr = 0;
  localPort = 0;
  remoteAddr = 0;
  remotePort = 0;
  /** Order of the first and of the latest event among all conversations. */
  born = 0;
  touched = 0;
  /** Segments and octets of payload so far, kept or not. */
  count = 0;
  octets = 0;

  #rows: Int32Array;
  #times: Float64Array;
  /** ms for which the timer of each row ran; NaN when that is not known. */
  #afters: Float64Array;
  /** Constants of the protocol's code. */
  readonly #causes: (RetransmitCause | null)[] = [];
  readonly #whys: (string | null)[] = [];
  readonly #capacity: number;
  #start = 0;
  #lostOctets = 0;
  #lostSegments = 0;
  readonly #noted: Noted[] = [];
  readonly #pending: Noted[] = [];
  /** Initial sequence numbers and window shifts, [ours, the peer's]; a shift of -1 was not offered. */
  readonly #base = new Int32Array(2);
  readonly #based = [false, false];
  /** Just after the highest octet that each side has sent. */
  readonly #sentTo = new Int32Array(2);
  readonly #shift = new Int32Array(2);
  /** When each timer was set. */
  readonly #armed = new Float64Array(TIMERS.length).fill(Number.NaN);
  /** What belongs to the next segment that is sent. */
  #nextTimer = 0;
  #nextAfter = 0;
  #nextCause: RetransmitCause | null = null;
  #nextWhy: string | null = null;

  /**
   * @param capacity segments kept, at least {@link HEAD} and one
   * @param traced our states are known; otherwise this was read from a capture, "we" are one of two
   */
  constructor(
    capacity: number,
    readonly traced = true,
  ) {
    this.#capacity = capacity;
    const rows = Math.min(capacity, FIRST_ROWS);
    this.#rows = new Int32Array(rows * Column.COUNT);
    this.#times = new Float64Array(rows);
    this.#afters = new Float64Array(rows);
  }

  /** When the conversation began, in ms on the scale of its runtime. */
  get start(): number {
    return this.#start;
  }

  get localAddress(): string {
    return formatAddress(this.localAddr);
  }

  get remoteAddress(): string {
    return formatAddress(this.remoteAddr);
  }

  /** Forgets what was recorded and starts over with another connection. */
  begin(ends: Omit<Traced, 'id' | 'state'>): void {
    this.id = null;
    this.localAddr = ends.localAddr;
    this.localPort = ends.localPort;
    this.remoteAddr = ends.remoteAddr;
    this.remotePort = ends.remotePort;
    this.count = this.octets = this.#start = 0;
    this.#lostOctets = this.#lostSegments = 0;
    this.#noted.length = this.#pending.length = 0;
    this.#based[0] = this.#based[1] = false;
    this.#shift.fill(-1);
    this.#armed.fill(Number.NaN);
    this.#nextTimer = 0;
    this.#nextCause = this.#nextWhy = null;
  }

  record(segment: Segment, sent: boolean, state: State, now: number): void {
    const slot = this.#slot(this.count);
    if (slot >= this.#times.length) this.#grow();
    const rows = this.#rows;
    const row = slot * Column.COUNT;
    const length = segment.dataLength;
    if (this.count === 0 && this.#noted.length === 0) this.#start = now;
    if (this.count >= this.#capacity) {
      this.#lostOctets += rows[row + Column.LENGTH]!;
      this.#lostSegments += pieces(rows[row + Column.LENGTH]!, rows[row + Column.SIZE]!);
    }
    this.#learn(segment, sent ? 0 : 1);
    this.#times[slot] = now;
    rows[row + Column.FLAGS] = segment.flags;
    rows[row + Column.SENT] = sent ? 1 : 0;
    rows[row + Column.SEQ] = segment.seq;
    rows[row + Column.ACK] = segment.ack;
    rows[row + Column.LENGTH] = length;
    rows[row + Column.WINDOW] = segment.wnd;
    rows[row + Column.OPTIONS] = segment.options;
    rows[row + Column.MSS] = segment.mss;
    rows[row + Column.SCALE] = segment.windowScale;
    rows[row + Column.SIZE] = segment.segmentSize;
    rows[row + Column.STATE] = state;
    rows[row + Column.RESENT] = this.#isResent(segment, sent ? 0 : 1, now) ? 1 : 0;
    rows[row + Column.TIMER] = 0;
    rows[row + Column.DROP] = Drop.NONE;
    this.#causes[slot] = null;
    this.#whys[slot] = null;
    if (sent) this.#explain(slot, row);
    const blocks = (segment.options & OPT_SACK) === 0 ? 0 : segment.sackCount;
    rows[row + Column.SACK_COUNT] = blocks;
    for (let i = 0; i < blocks * 2 && i < MAX_SACK_BLOCKS * 2; i++) {
      rows[row + Column.SACK + i] = segment.sack[i]!;
    }
    this.count++;
    this.octets += length;
  }

  /** What was sent because of a timer, again, or as an ACK alone. */
  #explain(slot: number, row: number): void {
    const rows = this.#rows;
    rows[row + Column.TIMER] = this.#nextTimer;
    this.#afters[slot] = this.#nextAfter;
    this.#causes[slot] = this.#nextCause;
    this.#whys[slot] = this.#nextWhy;
    if (this.#nextCause !== null) rows[row + Column.RESENT] = 1;
    this.#nextTimer = 0;
    this.#nextCause = this.#nextWhy = null;
  }

  /** The next segment that is sent was sent before. */
  retransmits(cause: RetransmitCause): void {
    this.#nextCause = cause;
  }

  /** The next segment that is sent is an ACK without data. */
  acknowledges(why: string): void {
    this.#nextWhy = why;
  }

  timer(timer: TimerName, action: TimerAction, now: number): void {
    const index = TIMERS.indexOf(timer);
    if (action === 'armed') {
      this.#armed[index] = now;
      return;
    }
    if (action === 'fired') {
      this.#nextTimer = index + 1;
      this.#nextAfter = now - this.#armed[index]!;
    }
    this.#armed[index] = Number.NaN;
  }

  /** `segment`, if it is the latest that has arrived, goes no further; its answer may follow it. */
  drop(segment: Segment, reason: Drop): void {
    if (this.traced && segment.srcPort !== this.remotePort) return;
    const rows = this.#rows;
    for (let index = this.count - 1; index >= 0 && index >= this.count - 2; index--) {
      const row = this.#slot(index) * Column.COUNT;
      if (this.traced && rows[row + Column.SENT] === 1) continue;
      if (rows[row + Column.SEQ] === segment.seq) rows[row + Column.DROP] = reason;
      return;
    }
  }

  /** Notes a change of state: with the latest segment, or for {@link attachPending}. */
  transition(from: State, to: State, cause: string, time: number, withLatest: boolean): void {
    if (this.#noted.length + this.#pending.length >= MAX_TRANSITIONS) return;
    const row = withLatest ? this.count - 1 : this.count;
    if (to === State.CLOSED) this.#nextTimer = 0;
    const noted = {
      from: stateName(from),
      to: stateName(to),
      cause,
      row,
      alone: !withLatest,
      time,
    };
    (withLatest ? this.#noted : this.#pending).push(noted);
  }

  /** What waits for a segment belongs to the latest one. */
  attachPending(): void {
    for (const one of this.#pending) {
      this.#noted.push({ ...one, row: this.count - 1, alone: false });
    }
    this.#pending.length = 0;
  }

  /** What waits for a segment goes on lines of its own, which are returned. */
  detachPending(): LadderLine[] {
    if (this.#pending.length === 0) return [];
    if (this.count === 0 && this.#noted.length === 0) this.#start = this.#pending[0]!.time;
    const lines = this.#pending.map((one) => this.#aloneLine(one));
    this.#noted.push(...this.#pending);
    this.#pending.length = 0;
    return lines;
  }

  /** The connection has ended and no segment has told so. */
  get pendingEnd(): boolean {
    return this.#pending.at(-1)?.to === 'CLOSED';
  }

  get lastFlags(): number {
    return this.count === 0 ? 0 : this.#column(this.count - 1, Column.FLAGS);
  }

  get lastSent(): boolean {
    return this.count > 0 && this.#column(this.count - 1, Column.SENT) === 1;
  }

  /** It is a peer's SYN that no connection has claimed and no RST has answered. */
  get awaitsConnection(): boolean {
    if (this.id !== null || this.count === 0 || this.#column(0, Column.SENT) === 1) return false;
    if ((this.#column(0, Column.FLAGS) & SYN) === 0) return false;
    return !this.lastSent || (this.lastFlags & RST) === 0;
  }

  /** The latest segment, after the timer that made us send it. */
  lastLines(): LadderLine[] {
    return this.#linesAt(this.count - 1);
  }

  lines(): LadderLine[] {
    const lines: LadderLine[] = [];
    const lost = Math.max(0, this.count - this.#capacity);
    const isLost = (row: number) => row >= HEAD && row < HEAD + lost;
    const notes = [
      ...this.#noted.filter((one) => one.alone || isLost(one.row)),
      ...this.#pending,
    ].reverse();
    for (let index = 0; index < this.count; index++) {
      if (index === HEAD && lost > 0) {
        lines.push({ kind: 'gap', segments: this.#lostSegments, length: this.#lostOctets });
        index += lost;
      }
      while (notes.length > 0 && notes.at(-1)!.row <= index) {
        lines.push(this.#aloneLine(notes.pop()!));
      }
      lines.push(...this.#linesAt(index));
    }
    while (notes.length > 0) lines.push(this.#aloneLine(notes.pop()!));
    return lines;
  }

  #slot(index: number): number {
    return index < HEAD ? index : HEAD + ((index - HEAD) % (this.#capacity - HEAD));
  }

  #column(index: number, column: Column): number {
    return this.#rows[this.#slot(index) * Column.COUNT + column]!;
  }

  #grow(): void {
    const rows = Math.min(this.#capacity, this.#times.length * 2);
    const [old, times, afters] = [this.#rows, this.#times, this.#afters];
    this.#rows = new Int32Array(rows * Column.COUNT);
    this.#times = new Float64Array(rows);
    this.#afters = new Float64Array(rows);
    this.#rows.set(old);
    this.#times.set(times);
    this.#afters.set(afters);
  }

  #isResent(segment: Segment, side: 0 | 1, now: number): boolean {
    if (segment.segLen === 0) return false;
    const end = (segment.seq + segment.segLen) | 0;
    if (((end - this.#sentTo[side]!) | 0) > 0) {
      this.#sentTo[side] = end;
      return false;
    }
    return (side === 0 && this.traced) || this.#isLate(segment.seq, side, now);
  }

  /** The octet has come before, or later ones have {@link REORDERING_MS} ago. */
  #isLate(seq: number, side: 0 | 1, now: number): boolean {
    const rows = this.#rows;
    let first = now;
    const oldest = Math.max(0, this.count - Math.min(this.#capacity - HEAD, LOOK_BACK));
    for (let index = this.count - 1; index >= oldest; index--) {
      const slot = this.#slot(index);
      const row = slot * Column.COUNT;
      if (rows[row + Column.SENT] === side) continue;
      const flags = rows[row + Column.FLAGS]!;
      const length = rows[row + Column.LENGTH]! + ((flags >> 1) & 1) + (flags & 1);
      if (length === 0) continue;
      const into = (seq - rows[row + Column.SEQ]!) | 0;
      if (into >= 0 && into < length) return true;
      if (into < 0) first = this.#times[slot]!;
    }
    return now - first >= REORDERING_MS;
  }

  #learn(segment: Segment, side: 0 | 1): void {
    const other = side === 0 ? 1 : 0;
    const opens = (segment.flags & SYN) !== 0;
    if (!this.#based[side] || (opens && this.#base[side] !== segment.seq)) {
      this.#base[side] = segment.seq;
      this.#sentTo[side] = segment.seq;
      this.#based[side] = true;
    }
    if (!this.#based[other] && (segment.flags & ACK) !== 0) {
      this.#base[other] = segment.ack;
      this.#sentTo[other] = segment.ack;
      this.#based[other] = true;
    }
    if (opens && (segment.options & OPT_WINDOW_SCALE) !== 0) {
      this.#shift[side] = segment.windowScale;
    }
  }

  #aloneLine(note: Noted): TransitionLine {
    const { from, to, cause } = note;
    const time =
      this.count === 0 && this.#noted.length === 0 ? 0 : microseconds(note.time - this.#start);
    return { kind: 'transition', time, state: to, transitions: [{ from, to, cause }] };
  }

  #linesAt(index: number): LadderLine[] {
    const line = this.#segmentLine(index);
    const slot = this.#slot(index);
    const timer = this.#rows[slot * Column.COUNT + Column.TIMER]!;
    if (timer === 0 || timer === DELAYED_ACK) return [line];
    const after = this.#afterOf(slot);
    return [{ kind: 'timer', time: line.time, timer: TIMERS[timer - 1]!, after }, line];
  }

  #afterOf(slot: number): number | null {
    const after = this.#afters[slot]!;
    return Number.isNaN(after) ? null : microseconds(after);
  }

  #segmentLine(index: number): SegmentLine {
    const slot = this.#slot(index);
    const row = slot * Column.COUNT;
    const rows = this.#rows;
    const sent = rows[row + Column.SENT] === 1;
    const bits = rows[row + Column.FLAGS]!;
    const length = rows[row + Column.LENGTH]!;
    const own = this.#base[sent ? 0 : 1]!;
    const others = this.#base[sent ? 1 : 0]!;
    const drop = rows[row + Column.DROP]! as Drop;
    const scales = (bits & SYN) === 0 && this.#shift[0]! >= 0 && this.#shift[1]! >= 0;
    const transitions = this.#noted
      .filter((one) => one.row === index && !one.alone)
      .map(({ from, to, cause }) => ({ from, to, cause }));
    return {
      kind: 'segment',
      time: microseconds(this.#times[slot]! - this.#start),
      sent,
      flags: flagNames(bits),
      seq: (rows[row + Column.SEQ]! - own) >>> 0,
      ack: (bits & ACK) === 0 ? null : (rows[row + Column.ACK]! - others) >>> 0,
      length,
      segments: pieces(length, rows[row + Column.SIZE]!),
      retransmission: rows[row + Column.RESENT] === 1,
      cause: this.#causes[slot] ?? null,
      why: this.#whys[slot] ?? null,
      held: rows[row + Column.TIMER] === DELAYED_ACK ? this.#afterOf(slot) : null,
      dropped: drop === Drop.NONE ? null : dropName(drop),
      window: rows[row + Column.WINDOW]! * (scales ? 2 ** this.#shift[sent ? 0 : 1]! : 1),
      options: this.#optionsText(row, bits, others),
      sack: this.#sackOf(row, others),
      state: transitions.at(-1)?.to ?? stateName(rows[row + Column.STATE]! as State),
      transitions,
    };
  }

  #sackOf(row: number, base: number): [number, number][] {
    const rows = this.#rows;
    const count = Math.min(rows[row + Column.SACK_COUNT]!, MAX_SACK_BLOCKS);
    return Array.from({ length: count }, (_, i) => [
      (rows[row + Column.SACK + 2 * i]! - base) >>> 0,
      (rows[row + Column.SACK + 2 * i + 1]! - base) >>> 0,
    ]);
  }

  /** Timestamps are named only where they are agreed on; they are in every segment after that. */
  #optionsText(row: number, bits: number, base: number): string {
    const rows = this.#rows;
    const present = rows[row + Column.OPTIONS]!;
    const words: string[] = [];
    if ((present & OPT_MSS) !== 0) words.push(`mss ${rows[row + Column.MSS]}`);
    if ((present & OPT_SACK_PERMITTED) !== 0) words.push('sackOK');
    if ((present & OPT_TIMESTAMPS) !== 0 && (bits & SYN) !== 0) words.push('ts');
    if ((present & OPT_WINDOW_SCALE) !== 0) words.push(`wscale ${rows[row + Column.SCALE]}`);
    for (const [left, right] of this.#sackOf(row, base)) words.push(`sack ${left}-${right}`);
    return words.join(',');
  }
}

/** What is finer is noise. */
function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Segments of `size` octets that `length` octets came in; a size of 0 says: one. */
function pieces(length: number, size: number): number {
  return size > 0 && length > size ? Math.ceil(length / size) : 1;
}
