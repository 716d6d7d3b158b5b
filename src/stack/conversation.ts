import type { State, StateName } from '../tcp/state.js';
import { stateName } from '../tcp/state.js';
import type { Traced } from '../tcp/trace.js';
import { formatAddress } from '../wire/ipv4.js';
import type { Segment } from '../wire/segment.js';
import {
  ACK,
  CWR,
  ECE,
  FIN,
  MAX_SACK_BLOCKS,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  RST,
  SYN,
  URG,
} from '../wire/segment.js';

export interface Transition {
  from: StateName;
  to: StateName;
  /** What made the change, in the words of the protocol's code. */
  cause: string;
}

/** Times are ms since the conversation began. */
export interface SegmentLine {
  kind: 'segment';
  time: number;
  /** We sent it; otherwise the peer did. */
  sent: boolean;
  /** `SYN`, `SYN ACK`, `PSH ACK`; empty when no bit is set. */
  flags: string;
  /** Relative to the sender's initial sequence number. */
  seq: number;
  /** Relative to the other side's; null without the ACK bit. */
  ack: number | null;
  /** Octets of payload. */
  length: number;
  /** More than one when segments were merged below, or are cut below. */
  segments: number;
  /** We sent all of it before. Of what the peer sends, only the peer knows. */
  retransmission: boolean;
  /** The window in bytes, scaled when both sides scale. */
  window: number;
  /** `mss 1460,sackOK,ts,wscale 7`; empty when there are none worth a word. */
  options: string;
  /** Our state when the segment was sent or had been processed. */
  state: StateName;
  transitions: Transition[];
}

/** A change of state that no segment stands for: by a call or by a timer. */
export interface TransitionLine {
  kind: 'transition';
  time: number;
  state: StateName;
  transitions: Transition[];
}

/** Segments that are no longer remembered. */
export interface GapLine {
  kind: 'gap';
  segments: number;
  /** Octets of payload, both ways. */
  length: number;
}

export type LadderLine = SegmentLine | TransitionLine | GapLine;

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
  SACK = 13,
  COUNT = 21,
}

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

  readonly #rows: Int32Array;
  readonly #times: Float64Array;
  readonly #capacity: number;
  #start = 0;
  #lostOctets = 0;
  #lostSegments = 0;
  readonly #noted: Noted[] = [];
  readonly #pending: Noted[] = [];
  /** Initial sequence numbers and window shifts, [ours, the peer's]; a shift of -1 was not offered. */
  readonly #base = new Int32Array(2);
  readonly #based = [false, false];
  /** Just after the highest octet that we have sent. */
  #sentTo = 0;
  readonly #shift = new Int32Array(2);

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#rows = new Int32Array(capacity * Column.COUNT);
    this.#times = new Float64Array(capacity);
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
  }

  record(segment: Segment, sent: boolean, state: State, now: number): void {
    const rows = this.#rows;
    const slot = this.#slot(this.count);
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
    rows[row + Column.RESENT] = sent && this.#isResent(segment) ? 1 : 0;
    const blocks = (segment.options & OPT_SACK) === 0 ? 0 : segment.sackCount;
    rows[row + Column.SACK_COUNT] = blocks;
    for (let i = 0; i < blocks * 2 && i < MAX_SACK_BLOCKS * 2; i++) {
      rows[row + Column.SACK + i] = segment.sack[i]!;
    }
    this.count++;
    this.octets += length;
  }

  /** Notes a change of state: with the latest segment, or for {@link attachPending}. */
  transition(from: State, to: State, cause: string, time: number, withLatest: boolean): void {
    if (this.#noted.length + this.#pending.length >= MAX_TRANSITIONS) return;
    const row = withLatest ? this.count - 1 : this.count;
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

  lastLine(): LadderLine {
    return this.#segmentLine(this.count - 1);
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
      lines.push(this.#segmentLine(index));
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

  #isResent(segment: Segment): boolean {
    if (segment.segLen === 0) return false;
    const end = (segment.seq + segment.segLen) | 0;
    if (((end - this.#sentTo) | 0) <= 0) return true;
    this.#sentTo = end;
    return false;
  }

  #learn(segment: Segment, side: 0 | 1): void {
    const other = side === 0 ? 1 : 0;
    const opens = (segment.flags & SYN) !== 0;
    if (!this.#based[side] || (opens && this.#base[side] !== segment.seq)) {
      this.#base[side] = segment.seq;
      if (side === 0) this.#sentTo = segment.seq;
      this.#based[side] = true;
    }
    if (!this.#based[other] && (segment.flags & ACK) !== 0) {
      this.#base[other] = segment.ack;
      if (other === 0) this.#sentTo = segment.ack;
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

  #segmentLine(index: number): SegmentLine {
    const slot = this.#slot(index);
    const row = slot * Column.COUNT;
    const rows = this.#rows;
    const sent = rows[row + Column.SENT] === 1;
    const bits = rows[row + Column.FLAGS]!;
    const length = rows[row + Column.LENGTH]!;
    const own = this.#base[sent ? 0 : 1]!;
    const others = this.#base[sent ? 1 : 0]!;
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
      window: rows[row + Column.WINDOW]! * (scales ? 2 ** this.#shift[sent ? 0 : 1]! : 1),
      options: this.#optionsText(row, bits, others),
      state: transitions.at(-1)?.to ?? stateName(rows[row + Column.STATE]! as State),
      transitions,
    };
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
    for (let i = 0; i < rows[row + Column.SACK_COUNT]!; i++) {
      const left = (rows[row + Column.SACK + 2 * i]! - base) >>> 0;
      const right = (rows[row + Column.SACK + 2 * i + 1]! - base) >>> 0;
      words.push(`sack ${left}-${right}`);
    }
    return words.join(',');
  }
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [SYN, 'SYN'],
  [FIN, 'FIN'],
  [RST, 'RST'],
  [PSH, 'PSH'],
  [ACK, 'ACK'],
  [URG, 'URG'],
  [ECE, 'ECE'],
  [CWR, 'CWR'],
];

function flagNames(bits: number): string {
  return FLAG_NAMES.filter(([bit]) => (bits & bit) !== 0)
    .map(([, name]) => name)
    .join(' ');
}

/** What is finer is noise. */
function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Segments of `size` octets that `length` octets came in; a size of 0 says: one. */
function pieces(length: number, size: number): number {
  return size > 0 && length > size ? Math.ceil(length / size) : 1;
}
