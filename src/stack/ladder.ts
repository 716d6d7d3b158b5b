import type {
  Conversation,
  GapLine,
  LadderLine,
  SegmentLine,
  Transition,
  TransitionLine,
} from './conversation.js';

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

/** `10.000 ms  ` in front of each line. */
const TIME = 13;
/** `|  ` and `SYN_RECEIVED -> ESTABLISHED`. */
const STATE = 28;
/** Below this, changes of state go on lines of their own. */
const WIDE = 84;
/** Runs of data and acknowledgements: how many lines are shown at the start and at the end. */
const FOLD_HEAD = 4;
const FOLD_TAIL = 3;

/** The whole conversation as text that ends in a newline; the peer is on the left, we on the right. */
export function renderLadder(conversation: Conversation, options: LadderOptions = {}): string {
  const paint = options.colour ? ansi : plain;
  return layOut(conversation, options.width)
    .map((line) => `${paint(line)}\n`)
    .join('');
}

/** The same as escaped HTML for a `<pre>`; each {@link SpanKind} is a class of a `<span>`. */
export function renderLadderHtml(conversation: Conversation, width?: number): string {
  return layOut(conversation, width)
    .map((line) => `${html(line)}\n`)
    .join('');
}

/** How far the printing of one conversation has come. */
interface Progress {
  /** Tells whether the object stands for another conversation by now. */
  born: number;
  /** Lines of data and acknowledgements since the last other line. */
  run: number;
  /** Those that were left out. */
  folded: GapLine;
}

/** Prints conversations while they happen; a header wherever the talk passes to another one. */
export class LadderPrinter {
  readonly #write: (text: string) => void;
  readonly #width: number;
  readonly #paint: (spans: Span[]) => string;
  /** The recorder uses few objects again and again, so this stays small. */
  readonly #progress = new Map<Conversation, Progress>();
  #shown: Progress | null = null;

  constructor(write: (text: string) => void, options: LadderOptions = {}) {
    this.#write = write;
    this.#width = columns(options.width);
    this.#paint = options.colour ? ansi : plain;
  }

  /** Takes the shape of `onLine` of the recorder. */
  readonly line = (line: LadderLine, conversation: Conversation): void => {
    const progress = this.#progressOf(conversation);
    if (line.kind === 'segment' && isRoutine(line)) {
      if (++progress.run > FOLD_HEAD + FOLD_TAIL) {
        progress.folded.segments += line.segments;
        progress.folded.length += line.length;
        return;
      }
    } else {
      this.#unfold(conversation, progress);
      progress.run = 0;
    }
    this.#print(line, conversation, progress);
  };

  /** Tells what was left out since the last line of each conversation. */
  finish(): void {
    for (const [conversation, progress] of this.#progress) this.#unfold(conversation, progress);
  }

  #progressOf(conversation: Conversation): Progress {
    const known = this.#progress.get(conversation);
    if (known?.born === conversation.born) return known;
    const fresh = { born: conversation.born, run: 0, folded: noGap() };
    this.#progress.set(conversation, fresh);
    return fresh;
  }

  #unfold(conversation: Conversation, progress: Progress): void {
    if (progress.folded.segments === 0 || progress.born !== conversation.born) return;
    this.#print(progress.folded, conversation, progress);
    progress.folded = noGap();
  }

  #print(line: LadderLine, conversation: Conversation, progress: Progress): void {
    const lines = lineSpans(line, this.#width);
    if (progress !== this.#shown) {
      if (this.#shown !== null) this.#write('\n');
      this.#shown = progress;
      lines.unshift(header(conversation, this.#width));
    }
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

function layOut(conversation: Conversation, width: number | undefined): Span[][] {
  const total = columns(width);
  const lines = fold(conversation.lines()).flatMap((line) => lineSpans(line, total));
  return [header(conversation, total), ...lines];
}

function columns(width = 100): number {
  return Math.max(40, Math.min(width, 140));
}

/** Replaces the middle of each long run of data and acknowledgements by one line. */
function fold(lines: LadderLine[]): LadderLine[] {
  const folded: LadderLine[] = [];
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (end < lines.length && (isRoutine(lines[end]!) || lines[end]!.kind === 'gap')) end++;
    const run = lines.slice(i, end);
    if (run.length > FOLD_HEAD + FOLD_TAIL + 1) {
      const middle = run.slice(FOLD_HEAD, -FOLD_TAIL) as (SegmentLine | GapLine)[];
      folded.push(...run.slice(0, FOLD_HEAD));
      folded.push({
        kind: 'gap',
        segments: middle.reduce((sum, line) => sum + line.segments, 0),
        length: middle.reduce((sum, line) => sum + line.length, 0),
      });
      folded.push(...run.slice(-FOLD_TAIL));
    } else {
      folded.push(...run);
    }
    if (end < lines.length) folded.push(lines[end]!);
    i = end + 1;
  }
  return folded;
}

/** Data and acknowledgements that change no state. */
function isRoutine(line: LadderLine): boolean {
  return (
    line.kind === 'segment' &&
    line.transitions.length === 0 &&
    !line.retransmission &&
    /^(PSH )?ACK$/.test(line.flags)
  );
}

function header(conversation: Conversation, width: number): Span[] {
  const peer = `${conversation.remoteAddress}:${conversation.remotePort}`;
  const own = `tuntcp ${conversation.localAddress}:${conversation.localPort}`;
  const middle = rung(width) + 2;
  const gap = Math.max(2, middle - peer.length - own.length);
  return [span(' '.repeat(TIME)), span(peer, 'in'), span(' '.repeat(gap)), span(own, 'out')];
}

/** Columns between the two uprights. */
function rung(width: number): number {
  return width - TIME - 2 - (width < WIDE ? 0 : STATE + 2);
}

function lineSpans(line: LadderLine, width: number): Span[][] {
  switch (line.kind) {
    case 'segment':
      return segmentSpans(line, width);
    case 'transition':
      return transitionSpans(line, width);
    case 'gap':
      return [gapSpans(line, width)];
  }
}

function segmentSpans(line: SegmentLine, width: number): Span[][] {
  const room = rung(width);
  const kind = line.flags.includes('RST') ? 'reset' : line.sent ? 'out' : 'in';
  const spans = [
    time(line.time),
    span('|'),
    span(arrow(describe(line, room - 5), room, line.sent), kind),
    span('|'),
  ];
  const path = statePath(line.transitions);
  if (width >= WIDE) {
    const state = path === '' ? span(line.state, 'quiet') : span(path, 'state');
    return [[...spans, span('  '), state]];
  }
  return path === '' ? [spans] : [spans, below(path)];
}

function transitionSpans(line: TransitionLine, width: number): Span[][] {
  const room = rung(width);
  const path = statePath(line.transitions);
  const cause = clip(line.transitions.map((one) => one.cause).join(', '), room - 2);
  const spans = [time(line.time), span('|'), span(cause.padStart(room - 1), 'quiet'), span(' |')];
  return width >= WIDE ? [[...spans, span('  '), span(path, 'state')]] : [spans, below(path)];
}

function gapSpans(line: GapLine, width: number): Span[] {
  const count = line.segments.toLocaleString('en-US');
  const segments = line.segments === 1 ? 'segment' : 'segments';
  const text = `... ${count} ${segments}, ${formatBytes(line.length)} ...`;
  const room = rung(width);
  const left = Math.max(0, (room - text.length) >> 1);
  const centred = (' '.repeat(left) + text).padEnd(room);
  return [span(' '.repeat(TIME)), span('|'), span(centred, 'quiet'), span('|')];
}

function below(path: string): Span[] {
  return [span(' '.repeat(TIME + 2)), span(path, 'state')];
}

/** `A -> B -> C`. */
function statePath(transitions: readonly Transition[]): string {
  if (transitions.length === 0) return '';
  return [transitions[0]!.from, ...transitions.map((one) => one.to)].join(' -> ');
}

/** The segment in words, with as much detail as there is room for. */
function describe(line: SegmentLine, room: number): string {
  const flags = line.flags === '' ? 'no flags' : line.flags;
  const ack = line.ack === null ? '' : ` ack=${line.ack}`;
  const cut = line.segments > 1 ? ` (${line.segments} segments)` : '';
  const length = line.length === 0 ? '' : ` len=${line.length}`;
  const window = ` win=${line.window}`;
  const options = line.options === '' ? '' : ` <${line.options}>`;
  const again = line.retransmission ? ' (again)' : '';
  const start = `${flags} seq=${line.seq}${ack}${length}${again}`;
  const choices = [
    start + cut + window + options,
    start + window + options,
    start + options,
    start + window,
    start,
  ];
  return choices.find((text) => text.length <= room) ?? clip(start, room);
}

function clip(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, Math.max(0, room - 3))}...`;
}

function arrow(text: string, room: number, toTheLeft: boolean): string {
  const spare = room - text.length - 3;
  const near = '-'.repeat(Math.max(1, Math.min(4, spare - 1)));
  const far = '-'.repeat(Math.max(1, spare - near.length));
  return toTheLeft ? `<${far} ${text} ${near}` : `${near} ${text} ${far}>`;
}

function time(ms: number): Span {
  const text = ms < 9999.9995 ? `${ms.toFixed(3)} ms` : `${(ms / 1000).toFixed(3)} s `;
  return span(`${text.padStart(TIME - 2)}  `, 'quiet');
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
    .map(({ text, kind }) => (kind === 'plain' ? text : `${ANSI[kind]}${text}\x1b[0m`))
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
      kind === 'plain' ? escapeHtml(text) : `<span class="${kind}">${escapeHtml(text)}</span>`,
    )
    .join('');
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
