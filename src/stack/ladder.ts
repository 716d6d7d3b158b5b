import type { StateName } from '../tcp/state.js';
import type { Conversation } from './conversation.js';
import type { GapLine, LadderLine } from './ladder-line.js';
import {
  addTo,
  asLadder,
  clip,
  FOLD_HEAD,
  FOLD_TAIL,
  formatTime,
  gapText,
  isRoutine,
  type Ladder,
  type LadderEnd,
  type LadderRow,
  legend,
  type NoteRow,
  RowMaker,
  type SegmentRow,
  type Side,
  segmentText,
  stateText,
} from './ladder-model.js';

export { formatBytes } from './ladder-model.js';

/** A piece of text and what it is, for whoever gives it colour. */
interface Span {
  text: string;
  kind: SpanKind;
}
export type SpanKind = 'plain' | 'quiet' | 'in' | 'out' | 'reset' | 'state';

export interface LadderOptions {
  /** Columns of text. Default 100, at least 40. */
  width?: number;
  /** ANSI colours; see {@link wantsColour}. Default false. */
  colour?: boolean;
}

/** `  10.000 ms  ` in front of each line. */
const TIME = 13;
/** `(SYN_RECEIVED) ` beside each upright. */
const STATE = 15;
/** Below this, states go between the uprights, on lines of their own. */
const WIDE = 84;
/** From here on, a ladder of two traces has the times of arrival. */
const ARRIVALS = 104;

/** The whole conversation as text that ends in a newline; the peer is on the left, we on the right. */
export function renderLadder(what: Conversation | Ladder, options: LadderOptions = {}): string {
  return layOut(asLadder(what), options.width)
    .map((line) => `${options.colour ? ansi(line) : plain(line)}\n`)
    .join('');
}

/** The same as escaped HTML for a `<pre>`; each {@link SpanKind} is a class of a `<span>`. */
export function renderLadderHtml(what: Conversation | Ladder, width?: number): string {
  return layOut(asLadder(what), width)
    .map((line) => `${html(line)}\n`)
    .join('');
}

/** How far the printing of one conversation has come. */
interface Progress {
  /** Tells whether the object stands for another conversation by now. */
  born: number;
  maker: RowMaker;
  /** Something of it was printed. */
  begun: boolean;
  /** Rows of data and acknowledgements since the last other row. */
  run: number;
  /** Those that were left out. */
  folded: GapLine;
}

/** Prints conversations while they happen; a header wherever the talk passes to another one. */
export class LadderPrinter {
  readonly #write: (text: string) => void;
  readonly #width: number | undefined;
  readonly #paint: (spans: Span[]) => string;
  /** The recorder uses few objects again and again, so this stays small. */
  readonly #progress = new Map<Conversation, Progress>();
  #shown: Progress | null = null;

  constructor(write: (text: string) => void, options: LadderOptions = {}) {
    this.#write = write;
    this.#width = options.width;
    this.#paint = options.colour ? ansi : plain;
  }

  /** Takes the shape of `onLine` of the recorder. */
  readonly line = (line: LadderLine, conversation: Conversation): void => {
    const progress = this.#progressOf(conversation);
    const { states } = progress.maker;
    const row = progress.maker.row(line);
    if (isRoutine(row)) {
      if (++progress.run > FOLD_HEAD + FOLD_TAIL) {
        addTo(progress.folded, row);
        return;
      }
    } else {
      this.#unfold(conversation, progress);
      progress.run = 0;
    }
    this.#print(row, states, progress);
  };

  /** Tells what was left out since the last line of each conversation. */
  finish(): void {
    for (const [conversation, progress] of this.#progress) this.#unfold(conversation, progress);
  }

  #progressOf(conversation: Conversation): Progress {
    const known = this.#progress.get(conversation);
    if (known?.born === conversation.born) return known;
    const maker = new RowMaker(conversation);
    const fresh = { born: conversation.born, maker, begun: false, run: 0, folded: noGap() };
    this.#progress.set(conversation, fresh);
    return fresh;
  }

  #unfold(conversation: Conversation, progress: Progress): void {
    if (progress.folded.segments === 0 || progress.born !== conversation.born) return;
    this.#print(progress.folded, progress.maker.states, progress);
    progress.folded = noGap();
  }

  /** @param states those before `row` */
  #print(row: LadderRow, states: Record<Side, StateName | null>, progress: Progress): void {
    const { ends } = progress.maker;
    const page = new Page(ends, false, this.#width);
    const lines = page.row(row);
    if (progress !== this.#shown) {
      const first = this.#shown === null;
      if (!first) this.#write('\n');
      this.#shown = progress;
      if (!progress.begun) {
        const left = states.left ?? ends.left.initial;
        const right = states.right ?? ends.right.initial;
        lines.unshift(...page.states(left, right));
      }
      lines.unshift(page.header());
      if (first) lines.unshift(page.remark('(STATE): inferred from the segments'));
    }
    progress.begun = true;
    for (const spans of lines) this.#write(`${this.#paint(spans)}\n`);
  }
}

function noGap(): GapLine {
  return { kind: 'gap', segments: 0, length: 0 };
}

/** Colour goes to terminals, unless NO_COLOR is set and not empty (no-color.org). */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

function layOut(ladder: Ladder, width: number | undefined): Span[][] {
  const page = new Page(ladder, ladder.joined, width);
  return [
    page.header(),
    ...page.states(ladder.left.initial, ladder.right.initial),
    ...ladder.rows.flatMap((row) => page.row(row)),
    ...legend(ladder, 'X').map((text) => page.remark(text)),
  ];
}

/** Where things stand on lines of a certain width. */
class Page {
  readonly #left: LadderEnd;
  readonly #right: LadderEnd;
  readonly #width: number;
  readonly #wide: boolean;
  readonly #arrivals: boolean;
  /** Columns in front of the left upright, and between the two. */
  readonly #margin: number;
  readonly #rung: number;

  constructor(ends: Record<Side, LadderEnd>, joined: boolean, width = 100) {
    this.#left = ends.left;
    this.#right = ends.right;
    this.#width = Math.max(40, Math.min(width, 140));
    this.#wide = this.#width >= WIDE;
    this.#arrivals = joined && this.#width >= ARRIVALS;
    const times = this.#arrivals ? 2 * TIME : TIME;
    this.#margin = times + (this.#wide ? STATE : 0);
    this.#rung = this.#width - this.#margin - 2 - (this.#wide ? STATE : 0);
  }

  header(): Span[] {
    const { label: left } = this.#left;
    const { label: right } = this.#right;
    const gap = Math.max(2, this.#width - TIME - left.length - right.length);
    const above = this.#arrivals ? 'sent       arrived' : '';
    const start = above
      .padStart(above === '' ? 0 : 2 * TIME - 2)
      .padEnd(this.#arrivals ? 2 * TIME : TIME);
    const spare = Math.max(2, gap - (start.length - TIME));
    return [span(start, 'quiet'), span(left, 'in'), span(' '.repeat(spare)), span(right, 'out')];
  }

  remark(text: string): Span[] {
    const indent = Math.max(0, Math.min(TIME, this.#width - text.length));
    return [span(' '.repeat(indent)), span(text, 'quiet')];
  }

  /** A row of nothing but states. */
  states(left: StateName | null, right: StateName | null): Span[][] {
    return this.#beside(null, left === null ? [] : [left], right === null ? [] : [right]);
  }

  row(row: LadderRow): Span[][] {
    switch (row.kind) {
      case 'segment':
        return this.#beside(this.#segment(row), row.left, row.right);
      case 'note':
        return this.#beside(this.#note(row), row.left, row.right);
      case 'gap':
        return this.#beside([this.#time(null), this.#centred(gapText(row))], [], []);
    }
  }

  /** Puts the states in their place: beside the uprights, or below between them. */
  #beside(middle: [Span, Span] | null, left: StateName[], right: StateName[]): Span[][] {
    const lines: Span[][] = [];
    const [leftTexts, rightTexts] = [this.#texts(left, 'left'), this.#texts(right, 'right')];
    if (!this.#wide) {
      if (middle !== null) lines.push([middle[0], span('|'), middle[1], span('|')]);
      return [...lines, ...this.#below(leftTexts, rightTexts)];
    }
    const count = Math.max(middle === null ? 0 : 1, left.length, right.length);
    for (let i = 0; i < count; i++) {
      const [time, rung] = (i === 0 && middle) || [this.#time(null), this.#blank()];
      const [before, after] = [leftTexts[i] ?? '', rightTexts[i] ?? ''];
      const state = span(`${before.padStart(STATE - 1)} `, 'state');
      lines.push([time, state, span('|'), rung, span('|'), span(` ${after}`, 'state')]);
    }
    return lines;
  }

  #below(left: string[], right: string[]): Span[][] {
    const lines: Span[][] = [];
    const room = this.#rung - 2;
    const line = (before: string, after: string) => {
      const text = ` ${before}${after.padStart(room - before.length)} `;
      lines.push([this.#time(null), span('|'), span(text, 'state'), span('|')]);
    };
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      const [before, after] = [left[i] ?? '', right[i] ?? ''];
      if (before.length + after.length < room) {
        line(before, after);
      } else {
        line(before, '');
        line('', after);
      }
    }
    return lines;
  }

  #texts(states: StateName[], side: Side): string[] {
    const end = side === 'left' ? this.#left : this.#right;
    return states.map((state) => stateText(state, end));
  }

  #segment(row: SegmentRow): [Span, Span] {
    const { line, to } = row;
    const kind = line.flags.includes('RST') ? 'reset' : to === 'left' ? 'out' : 'in';
    const [start, end] = END_OF[row.lost === 'no' ? row.part : row.lost];
    const room = this.#rung - start.length - end.length;
    const text = segmentText(line, room - 4);
    const spare = room - text.length - 2;
    const near = '-'.repeat(Math.max(1, Math.min(4 - start.length, spare - 1)));
    const far = '-'.repeat(Math.max(1, spare - near.length));
    const arrow =
      to === 'right'
        ? `${start}${near} ${text} ${far}${end}`
        : `${mirrored(end)}${far} ${text} ${near}${mirrored(start)}`;
    return [this.#time(row.part === 'arrival' ? null : row.time, row.arrival), span(arrow, kind)];
  }

  #note({ side, text, time }: NoteRow): [Span, Span] {
    const room = this.#rung - 2;
    const clipped = clip(text, room);
    const aligned = side === 'left' ? clipped.padEnd(room) : clipped.padStart(room);
    return [this.#time(time), span(` ${aligned} `, 'quiet')];
  }

  #centred(whole: string): Span {
    const text = clip(whole, this.#rung);
    const left = Math.max(0, (this.#rung - text.length) >> 1);
    return span((' '.repeat(left) + text).padEnd(this.#rung), 'quiet');
  }

  #blank(): Span {
    return span(' '.repeat(this.#rung));
  }

  #time(ms: number | null, arrival: number | null = null): Span {
    const first = timeColumn(ms);
    if (!this.#arrivals) return span(timeColumn(ms ?? arrival), 'quiet');
    return span(first + timeColumn(arrival), 'quiet');
  }
}

/** How arrows start and end: lost ones, and those that other rows cross, end in the middle. */
const END_OF: Readonly<Record<SegmentRow['part'] | 'presumed' | 'yes', readonly [string, string]>> =
  {
    whole: ['', '>'],
    departure: ['', ' ...        '],
    arrival: ['        ... ', '>'],
    yes: ['', 'X     '],
    presumed: ['', '(X)   '],
  };

const MIRROR: Readonly<Record<string, string>> = { '>': '<', '(': ')', ')': '(' };

function mirrored(text: string): string {
  return [...text]
    .reverse()
    .map((char) => MIRROR[char] ?? char)
    .join('');
}

function timeColumn(ms: number | null): string {
  if (ms === null) return ' '.repeat(TIME);
  // Seconds end where milliseconds do.
  const text = ms < 9999.9995 ? formatTime(ms) : `${formatTime(ms)} `;
  return `${text.padStart(TIME - 2)}  `;
}

function span(text: string, kind: SpanKind = 'plain'): Span {
  return { text, kind };
}

const ANSI: Record<Exclude<SpanKind, 'plain'>, string> = {
  quiet: '\x1b[2m',
  in: '\x1b[32m',
  out: '\x1b[36m',
  reset: '\x1b[31m',
  state: '\x1b[33m',
};

function ansi(spans: Span[]): string {
  return spans
    .map(({ text, kind }) =>
      kind === 'plain' || text.trim() === '' ? text : `${ANSI[kind]}${text}\x1b[0m`,
    )
    .join('')
    .trimEnd();
}

function plain(spans: Span[]): string {
  return spans
    .map(({ text }) => text)
    .join('')
    .trimEnd();
}

function html(spans: Span[]): string {
  return spans
    .map(({ text, kind }) =>
      kind === 'plain' || text.trim() === ''
        ? escapeHtml(text)
        : `<span class="${kind}">${escapeHtml(text)}</span>`,
    )
    .join('')
    .trimEnd();
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
