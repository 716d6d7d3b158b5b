import type { StateName } from '../tcp/state.js';
import type { TimerName } from '../tcp/trace.js';
import type { Conversation } from './conversation.js';
import { type Entered, InferredStates } from './inferred-states.js';
import type { GapLine, LadderLine, SegmentLine, TimerLine, TransitionLine } from './ladder-line.js';
import { PresumedLosses } from './presumed-losses.js';

/** One of the two uprights. */
export interface LadderEnd {
  /** `10.7.0.1:80`, after a name if it has one. */
  label: string;
  /** Its states are inferred from the segments that passed; otherwise its own trace told them. */
  inferred: boolean;
  /** The state before the first row; null when that is not known. */
  initial: StateName | null;
}

export type Side = 'left' | 'right';

/** States that each end entered with this row, in order. */
interface Entering {
  left: StateName[];
  right: StateName[];
}

export interface SegmentRow extends Entering {
  kind: 'segment';
  line: SegmentLine;
  to: Side;
  /** ms when it was sent, or, where only one end was traced, passed there. */
  time: number;
  /** ms when it arrived; null unless both ends were traced and it did. */
  arrival: number | null;
  /** `presumed`: lost, for it was sent again with cause and no SACK ever named it. */
  lost: 'no' | 'presumed' | 'yes';
  /** Other things happened while it was on its way: it is sent in one row and arrives in another. */
  part: 'whole' | 'departure' | 'arrival';
  /** The row of the departure of this arrival. */
  sentIn: SegmentRow | null;
}

/** What happened at one end without a segment. */
export interface NoteRow extends Entering {
  kind: 'note';
  side: Side;
  time: number;
  text: string;
}

export type LadderRow = SegmentRow | NoteRow | GapLine;

/** A conversation laid out: what every rendering draws, in its own way, row by row. */
export interface Ladder {
  left: LadderEnd;
  right: LadderEnd;
  /** Both ends were traced, so arrivals and losses are known. */
  joined: boolean;
  rows: LadderRow[];
}

/** Runs of data and acknowledgements: how many rows are shown at the start and at the end. */
export const FOLD_HEAD = 4;
export const FOLD_TAIL = 3;

/**
 * The conversation as one end saw it: we are on the right; the peer's states are inferred. Of what was
 * read from a capture, all states are.
 */
export function ladderOf(conversation: Conversation): Ladder {
  const maker = new RowMaker(conversation);
  const rows: LadderRow[] = [];
  const [left, right] = [new Receipts('left'), new Receipts('right')];
  const losses = { left: new PresumedLosses(), right: new PresumedLosses() };
  for (const line of conversation.lines()) {
    const row = maker.row(line);
    rows.push(row);
    if (row.kind !== 'segment') continue;
    left.note(rows, row, maker.entered.left);
    if (!conversation.traced) right.note(rows, row, maker.entered.right);
    // What only the peer sent again has arrived: that is how we know of it.
    if (row.to === 'left' || !conversation.traced) losses[other(row.to)].sends(row);
    losses[row.to].hears(row.line);
  }
  return { ...maker.ends, joined: false, rows: fold(rows) };
}

function other(side: Side): Side {
  return side === 'left' ? 'right' : 'left';
}

/** The ladder itself, or that of a conversation. */
export function asLadder(what: Conversation | Ladder): Ladder {
  return 'rows' in what ? what : ladderOf(what);
}

/** Makes rows of lines, one after the other, and infers what states there are to infer. */
export class RowMaker {
  readonly #conversation: Conversation;
  readonly #left = new InferredStates();
  /** Null when we told our states ourselves. */
  readonly #right: InferredStates | null;
  #ours: StateName | null = null;
  #initial: StateName | null = null;
  /** What the latest segment led to, as inferred. */
  entered: Record<Side, readonly Entered[]> = { left: [], right: [] };

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    this.#right = conversation.traced ? null : new InferredStates();
  }

  get ends(): Record<Side, LadderEnd> {
    const left = this.#left.initial;
    const right = this.#right === null ? this.#initial : this.#right.initial;
    return endsOf(this.#conversation, left, right);
  }

  /** The states at present. */
  get states(): Record<Side, StateName | null> {
    return {
      left: this.#left.state,
      right: this.#right === null ? this.#ours : this.#right.state,
    };
  }

  row(line: LadderLine): LadderRow {
    switch (line.kind) {
      case 'gap':
        return line;
      case 'transition':
        this.#own(line);
        return noteRow(line);
      case 'timer':
        return noteRow(line);
      case 'segment':
        return this.#segmentRow(line);
    }
  }

  #segmentRow(line: SegmentLine): SegmentRow {
    this.#own(line);
    const left = line.sent ? this.#left.hears(line) : this.#left.sends(line);
    const right =
      this.#right === null ? [] : line.sent ? this.#right.sends(line) : this.#right.hears(line);
    this.entered = { left, right };
    return {
      ...segmentRow(line, line.sent ? 'left' : 'right'),
      left: left.map(({ to }) => to),
      right: (this.#right === null ? line.transitions : right).map(({ to }) => to),
    };
  }

  #own({ state, transitions }: Exclude<LadderLine, { kind: 'gap' | 'timer' }>): void {
    this.#initial ??= transitions[0]?.from ?? state;
    this.#ours = state;
  }
}

export function segmentRow(line: SegmentLine, to: Side): SegmentRow {
  return {
    kind: 'segment',
    line,
    to,
    time: line.time,
    arrival: null,
    lost: 'no',
    part: 'whole',
    sentIn: null,
    left: [],
    right: [],
  };
}

export function noteRow(line: TransitionLine | TimerLine): NoteRow {
  const { time } = line;
  const row: NoteRow = { kind: 'note', side: 'right', time, text: '', left: [], right: [] };
  if (line.kind === 'timer') return { ...row, text: timerText(line.timer, line.after) };
  return {
    ...row,
    text: line.transitions.map(({ cause }) => cause).join(', '),
    right: line.transitions.map(({ to }) => to),
  };
}

function endsOf(
  one: Conversation,
  left: StateName | null,
  right: StateName | null,
): Record<Side, LadderEnd> {
  const peer = `${one.remoteAddress}:${one.remotePort}`;
  const own = `${one.localAddress}:${one.localPort}`;
  return {
    left: { label: peer, inferred: true, initial: left },
    right: {
      label: one.traced ? `tuntcp ${own}` : own,
      inferred: !one.traced,
      initial: right,
    },
  };
}

/**
 * Moves states that an end entered by a SYN or FIN from the row where its acknowledgement told so to
 * the row of that SYN or FIN, where it was sent once and the end entered no state since.
 */
class Receipts {
  readonly #side: Side;
  /** The row of the latest SYN and FIN to this end. */
  readonly #rows: Record<'SYN' | 'FIN', number | null> = { SYN: null, FIN: null };
  #latest = -1;

  constructor(side: Side) {
    this.#side = side;
  }

  note(rows: LadderRow[], row: SegmentRow, entered: readonly Entered[]): void {
    const index = rows.length - 1;
    if (row.to === this.#side) {
      for (const flag of ['SYN', 'FIN'] as const) {
        if (row.line.flags.includes(flag))
          this.#rows[flag] = row.line.retransmission ? null : index;
      }
    }
    for (const { to, by } of entered) {
      const at = by === null ? null : this.#rows[by];
      const target = at === null ? undefined : rows[at];
      if (at === null || target?.kind !== 'segment' || at < this.#latest) {
        this.#latest = index;
        continue;
      }
      target[this.#side].push(to);
      row[this.#side].splice(row[this.#side].indexOf(to), 1);
      this.#latest = at;
    }
  }
}

/** Replaces the middle of each long run of data and acknowledgements by one row. */
export function fold(rows: LadderRow[]): LadderRow[] {
  const folded: LadderRow[] = [];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (end < rows.length && (isRoutine(rows[end]!) || rows[end]!.kind === 'gap')) end++;
    const run = rows.slice(i, end);
    if (run.length > FOLD_HEAD + FOLD_TAIL + 1) {
      folded.push(...run.slice(0, FOLD_HEAD));
      const gap: GapLine = { kind: 'gap', segments: 0, length: 0 };
      for (const row of run.slice(FOLD_HEAD, -FOLD_TAIL)) addTo(gap, row);
      folded.push(gap, ...run.slice(-FOLD_TAIL));
    } else {
      folded.push(...run);
    }
    if (end < rows.length) folded.push(rows[end]!);
    i = end + 1;
  }
  return folded;
}

/** Counts a row that is left out. */
export function addTo(gap: GapLine, row: LadderRow): void {
  if (row.kind === 'note') return;
  const { segments, length } = row.kind === 'gap' ? row : row.line;
  gap.segments += segments;
  gap.length += length;
}

/** Data and acknowledgements that change no state and have arrived. */
export function isRoutine(row: LadderRow): boolean {
  return (
    row.kind === 'segment' &&
    row.part === 'whole' &&
    row.lost === 'no' &&
    row.left.length === 0 &&
    row.right.length === 0 &&
    !row.line.retransmission &&
    row.line.dropped === null &&
    /^(PSH )?ACK$/.test(row.line.flags)
  );
}

const TIMER_TEXT: Readonly<Record<TimerName, string>> = {
  retransmit: 'RTO',
  persist: 'persist timer',
  reorder: 'reordering timer',
  probe: 'loss-probe timer',
  delayedAck: 'delayed ACK timer',
  keepAlive: 'keep-alive timer',
  finWait2: 'FIN_WAIT_2 timer',
  pacing: 'pacing timer',
};

/** `RTO fired after 201 ms`. */
function timerText(timer: TimerName, after: number | null): string {
  return `${TIMER_TEXT[timer]} fired${after === null ? '' : ` after ${formatDuration(after)}`}`;
}

/** `0.02 ms`, `4.2 ms`, `201 ms`, `12.5 s`. */
export function formatDuration(ms: number): string {
  if (ms >= 9_999.5) return `${(ms / 1000).toFixed(1)} s`;
  return `${Number(ms.toFixed(ms < 1 ? 2 : ms < 9.95 ? 1 : 0))} ms`;
}

/** What is drawn in place of the rows that were left out. */
export function gapText(gap: GapLine): string {
  const segments = gap.segments === 1 ? 'segment' : 'segments';
  return `... ${gap.segments.toLocaleString('en-US')} ${segments}, ${formatBytes(gap.length)} ...`;
}

/** The segment in words that are no longer than `room`, with as much detail as there is room for. */
export function segmentText(line: SegmentLine, room: number): string {
  const flags = line.flags === '' ? 'no flags' : line.flags;
  const ack = line.ack === null ? '' : ` ack=${line.ack}`;
  const cut = line.segments > 1 ? ` (${line.segments} segments)` : '';
  const length = line.length === 0 ? '' : ` len=${line.length}`;
  const window = ` win=${line.window}`;
  const options = line.options === '' ? '' : ` <${line.options}>`;
  const remarks = remarksOn(line);
  const start = `${flags} seq=${line.seq}${ack}${length}${remarks}`;
  const choices = [
    start + cut + window + options,
    start + window + options,
    start + options,
    start + window,
    start,
    `${flags} seq=${line.seq}${length}${remarks}`,
    `${flags}${remarks}`,
  ];
  return choices.find((text) => text.length <= room) ?? clip(start, room);
}

function remarksOn(line: SegmentLine): string {
  const again = line.cause === null ? ' (again)' : ` (again: ${line.cause.name})`;
  return [
    line.retransmission ? again : '',
    line.held === null ? '' : ` (delayed ACK, ${formatDuration(line.held)})`,
    line.dropped === null ? '' : ` (dropped: ${line.dropped})`,
  ].join('');
}

export function clip(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 3))}...`;
}

/** What the signs of this ladder mean; empty when it has none. */
export function legend({ left, right, rows }: Ladder, lostSign: string): string[] {
  const segments = rows.filter((row) => row.kind === 'segment');
  const texts: string[] = [];
  if (left.inferred || right.inferred) texts.push('(STATE): inferred from the segments');
  if (segments.some(({ lost }) => lost === 'yes')) texts.push(`${lostSign}: lost`);
  if (segments.some(({ lost }) => lost === 'presumed')) {
    texts.push(`(${lostSign}): presumed lost, or its ACK`);
  }
  return texts;
}

export function stateText(state: StateName, { inferred }: LadderEnd): string {
  return inferred ? `(${state})` : state;
}

/** `1.7 MB`; powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[unit]}`;
}

/** `0.021 ms`; from ten seconds on, `60.001 s`. */
export function formatTime(ms: number): string {
  return ms < 9999.9995 ? `${ms.toFixed(3)} ms` : `${(ms / 1000).toFixed(3)} s`;
}
