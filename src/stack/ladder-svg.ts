import type { StateName } from '../tcp/state.js';
import type { Conversation } from './conversation.js';
import {
  asLadder,
  clip,
  formatTime,
  gapText,
  type Ladder,
  type LadderEnd,
  legend,
  type NoteRow,
  type SegmentRow,
  type Side,
  segmentText,
  stateText,
} from './ladder-model.js';
import { type Placed, place, STATE_STEP } from './ladder-places.js';

export interface SvgOptions {
  /** What the picture shows. Default: the two ends. */
  title?: string;
}

const WIDTH = 980;
/** The two uprights. */
const X: Readonly<Record<Side, number>> = { left: 240, right: WIDTH - 240 };
const TOP = 104;
/** An arrow of this many letters has room beside its line. */
const ROOM = 62;
/** One that others cross has it on its first half. */
const ROOM_CROSSED = 31;
/** Width of a letter. */
const LETTER = 7.3;
/** Where on its way a lost segment ends. */
const LOST_AT = 0.93;

/** What the lifeline shows by its colour. */
const PHASE: Readonly<Record<StateName, string>> = {
  CLOSED: 'idle',
  LISTEN: 'idle',
  SYN_SENT: 'opening',
  SYN_RECEIVED: 'opening',
  ESTABLISHED: 'open',
  FIN_WAIT_1: 'closing',
  FIN_WAIT_2: 'closing',
  CLOSE_WAIT: 'closing',
  CLOSING: 'closing',
  LAST_ACK: 'closing',
  TIME_WAIT: 'closing',
};

const LIGHT = {
  paper: '#ffffff',
  ink: '#1f2328',
  quiet: '#636c76',
  frame: '#d1d9e0',
  left: '#1a7f37',
  right: '#0969da',
  bad: '#cf222e',
  idle: '#afb8c1',
  opening: '#d4a72c',
  open: '#4ac26b',
  closing: '#a475f9',
};

const DARK: typeof LIGHT = {
  paper: '#0d1117',
  ink: '#e6edf3',
  quiet: '#9198a1',
  frame: '#3d444d',
  left: '#3fb950',
  right: '#58a6ff',
  bad: '#f85149',
  idle: '#656c76',
  opening: '#bb8009',
  open: '#2ea043',
  closing: '#8957e5',
};

/** Not by custom properties, which many programs that draw SVG do not know. */
function colours(of: typeof LIGHT): string {
  return `.ladder text { fill: ${of.ink}; }
.ladder .quiet, .ladder .time { fill: ${of.quiet}; }
.ladder .paper { fill: ${of.paper}; stroke: ${of.frame}; }
.ladder .pill { fill: ${of.paper}; }
.ladder .halo { stroke: ${of.paper}; }
.ladder .idle { stroke: ${of.idle}; }
.ladder .opening { stroke: ${of.opening}; }
.ladder .open { stroke: ${of.open}; }
.ladder .closing { stroke: ${of.closing}; }
.ladder .from-left { stroke: ${of.left}; }
.ladder .from-right { stroke: ${of.right}; }
.ladder .bad { stroke: ${of.bad}; }
.ladder text.bad { fill: ${of.bad}; stroke: ${of.paper}; }
`;
}

const STYLE = `
.ladder text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.ladder .title { font: 600 16px system-ui, "DejaVu Sans", sans-serif; }
.ladder .end { font-weight: 600; font-size: 13px; }
.ladder .time { font-size: 11px; }
.ladder .halo { stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
.ladder line, .ladder path { fill: none; stroke-width: 1.6; stroke-linecap: round; }
.ladder .life { stroke-width: 6; }
.ladder .pill { stroke-width: 1.4; }
.ladder .inferred { stroke-dasharray: 4 3; }
.ladder .way { stroke-dasharray: 2 5; }
${colours(LIGHT)}@media (prefers-color-scheme: dark) {
${colours(DARK)}}
`;

/**
 * The conversation as a picture that stands alone: no script, no font and nothing else from outside.
 * It has a ground of its own, light or dark as the reader prefers.
 */
export function renderSvg(what: Conversation | Ladder, options: SvgOptions = {}): string {
  const ladder = asLadder(what);
  const title = options.title ?? `TCP between ${ladder.left.label} and ${ladder.right.label}`;
  const drawing = new Drawing(ladder);
  const body = drawing.draw();
  const height = drawing.height;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="ladder-title">
<title id="ladder-title">${escapeXml(title)}</title>
<style>${STYLE}</style>
<rect class="paper" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="10"/>
<text class="title" x="${WIDTH / 2}" y="34" text-anchor="middle">${escapeXml(title)}</text>
${body.join('\n')}
</svg>
`;
}

/** Where an upright changes its state; null: where rows were left out. */
interface Turn {
  y: number;
  to: StateName | null;
}

type Spot = readonly [x: number, y: number];
/** Where a part of the way of a segment lies behind it, from 0 to 1. */
type Along = (part: number) => Spot;

class Drawing {
  readonly #ladder: Ladder;
  /** The lifelines lie below everything else. */
  readonly #below: string[] = [];
  readonly #above: string[] = [];
  readonly #labels: string[] = [];
  readonly #turns: Record<Side, Turn[]> = { left: [], right: [] };
  height = 0;

  /** The end whose clock all times are from; null: each end has told its own. */
  readonly #clock: Side | null;

  constructor(ladder: Ladder) {
    this.#ladder = ladder;
    this.#clock = ladder.joined || ladder.right.inferred ? null : 'right';
  }

  draw(): string[] {
    for (const side of ['left', 'right'] as const) this.#head(side);
    const { placed, bottom } = place(this.#ladder, TOP + 22);
    for (const one of placed) this.#row(one);
    for (const side of ['left', 'right'] as const) this.#lifeline(side, bottom + 28);
    let y = bottom + 56;
    for (const text of legend(this.#ladder, '✕')) {
      this.#text(WIDTH / 2, y, text, 'quiet', 'middle');
      y += 18;
    }
    this.height = y;
    return [...this.#below, ...this.#above, ...this.#labels];
  }

  #head(side: Side): void {
    const { label, initial } = this.#ladder[side];
    this.#text(X[side], TOP - 38, label, 'end', 'middle');
    if (initial !== null) this.#pill(side, TOP - 12, initial);
  }

  #row(placed: Placed): void {
    const { row, y1, y2 } = placed;
    if (row.kind === 'gap') {
      this.#text(WIDTH / 2, y1 + 4, gapText(row), 'quiet', 'middle');
      for (const side of ['left', 'right'] as const) this.#turns[side].push({ y: y1, to: null });
      return;
    }
    if (row.kind === 'note') this.#note(row, y1);
    else this.#segment(row, placed);
    const start = row.kind === 'note' ? row.side : row.to === 'left' ? 'right' : 'left';
    for (const side of ['left', 'right'] as const) {
      row[side].forEach((to, i) => {
        const y = (side === start ? y1 : y2) + i * STATE_STEP;
        this.#turns[side].push({ y, to });
        this.#pill(side, y, to);
      });
    }
  }

  #segment(row: SegmentRow, { y1, y2, crossed }: Placed): void {
    const from: Side = row.to === 'left' ? 'right' : 'left';
    const [x1, x2] = [X[from], X[row.to]];
    const at: Along = (part) => [x1 + (x2 - x1) * part, y1 + (y2 - y1) * part];
    const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
    const bad = row.lost !== 'no' || row.line.flags.includes('RST') || row.line.dropped !== null;
    this.#arrow(row, at, angle, bad ? 'bad' : `from-${from}`);
    const text = segmentText(row.line, crossed ? ROOM_CROSSED : ROOM);
    const half = (text.length * LETTER) / 2 / Math.abs(x2 - x1);
    const [x, y] = at(crossed ? half + 0.03 : 0.5);
    this.#label(x, y - 5, text, from === 'left' ? angle : angle - 180, bad);
    const clock = this.#clock;
    if (row.part !== 'arrival') this.#time(clock ?? from, clock === row.to ? y2 : y1, row.time);
    if (row.arrival !== null) this.#time(row.to, y2, row.arrival);
  }

  /** Dotted where it is not known to have been. */
  #arrow({ lost, part }: SegmentRow, at: Along, angle: number, colour: string): void {
    if (lost !== 'no') {
      this.#line(colour, at(0), at(LOST_AT));
      this.#cross(at(LOST_AT), lost === 'presumed');
      return;
    }
    const [seenFrom, seenTo] = [part === 'arrival' ? 0.5 : 0, part === 'departure' ? 0.5 : 1];
    if (seenFrom > 0) this.#line(`${colour} way`, at(0), at(seenFrom));
    this.#line(colour, at(seenFrom), at(seenTo));
    if (seenTo < 1) this.#line(`${colour} way`, at(seenTo), at(1));
    else this.#point(colour, at(1), angle);
  }

  #note({ side, text, time }: NoteRow, y: number): void {
    const inner = side === 'left' ? 14 : -14;
    const anchor = side === 'left' ? 'start' : 'end';
    this.#text(X[side] + inner, y + 4, clip(text, ROOM), 'quiet halo', anchor);
    this.#time(side, y, time);
  }

  #lifeline(side: Side, bottom: number): void {
    let from = TOP - 22;
    let kind = phase(this.#ladder[side].initial);
    for (const { y, to } of this.#turns[side].sort((a, b) => a.y - b.y)) {
      const end = to === null ? y - 14 : y;
      this.#life(kind, X[side], from, end);
      if (to === null) this.#life(`${kind} way`, X[side], y - 6, y + 6);
      else kind = phase(to);
      from = to === null ? y + 14 : y;
    }
    this.#life(kind, X[side], from, bottom);
  }

  #life(kind: string, x: number, from: number, to: number): void {
    if (to <= from) return;
    this.#below.push(`<line class="life ${kind}" x1="${x}" y1="${from}" x2="${x}" y2="${to}"/>`);
  }

  #pill(side: Side, y: number, state: StateName): void {
    const end: LadderEnd = this.#ladder[side];
    const text = stateText(state, end);
    const width = text.length * LETTER + 16;
    const x = side === 'left' ? X.left - 12 - width : X.right + 12;
    const dashed = end.inferred ? ' inferred' : '';
    this.#above.push(
      `<rect class="pill ${phase(state)}${dashed}" x="${round(x)}" y="${y - 10}" width="${round(width)}" height="20" rx="10"/>`,
    );
    this.#text(x + width / 2, y + 4, text, '', 'middle');
  }

  #time(side: Side, y: number, ms: number): void {
    const [x, anchor] = side === 'left' ? [14, 'start'] : [WIDTH - 14, 'end'];
    this.#text(x as number, y + 4, formatTime(ms), 'time', anchor as string);
  }

  #line(kind: string, [x1, y1]: Spot, [x2, y2]: Spot): void {
    this.#above.push(
      `<line class="${kind}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`,
    );
  }

  /** The point of an arrow. */
  #point(kind: string, [x, y]: Spot, angle: number): void {
    const place = `translate(${round(x)} ${round(y)}) rotate(${round(angle)})`;
    this.#above.push(`<path class="${kind}" transform="${place}" d="M-12 -5L-3 0L-12 5"/>`);
  }

  #cross([x, y]: Spot, presumed: boolean): void {
    const place = `translate(${round(x)} ${round(y)})`;
    this.#above.push(`<path class="bad" transform="${place}" d="M-6 -6L6 6M-6 6L6 -6"/>`);
    if (!presumed) return;
    const shape = 'r="10" fill-opacity="0"';
    this.#above.push(`<circle class="pill bad inferred" transform="${place}" ${shape}/>`);
  }

  #label(x: number, y: number, text: string, angle: number, bad: boolean): void {
    this.#labels.push(
      `<text class="halo${bad ? ' bad' : ''}" text-anchor="middle" transform="translate(${round(x)} ${round(y)}) rotate(${round(angle)})">${escapeXml(text)}</text>`,
    );
  }

  #text(x: number, y: number, text: string, kind: string, anchor: string): void {
    const named = kind === '' ? '' : ` class="${kind}"`;
    this.#above.push(
      `<text${named} x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeXml(text)}</text>`,
    );
  }
}

function phase(state: StateName | null): string {
  return state === null ? 'idle' : PHASE[state];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** What XML cannot hold, not even escaped, becomes U+FFFD. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
