/** A picture of panels above each other with one axis of time. */
export interface Figure {
  title: string;
  /** What is shown, in a sentence under the title. */
  subtitle: string;
  /** The time that is shown, ms. */
  from: number;
  to: number;
  panels: Panel[];
  /** Lines through all panels, named at the top. */
  moments: Moment[];
}

export interface Moment {
  at: number;
  text: string;
}

export interface Panel {
  /** What is upwards, with its unit. */
  title: string;
  height: number;
  series: Series[];
  /** Where the axis begins and ends; default: from 0, or for bars from the lowest, to the highest. */
  min?: number;
  max?: number;
}

/** Colours: `blue` for what there is, `orange` for a second, `red` for bad, `green` for good. */
export type Colour = 'blue' | 'orange' | 'red' | 'green' | 'quiet';

export interface Series {
  name: string;
  colour: Colour;
  /**
   * `step`: a value holds until the next; `line`: straight from one to the next; `dots`; `bars`: from
   * `value` up to `top`; `crosses`, in the middle of these.
   */
  kind: 'step' | 'line' | 'dashes' | 'dots' | 'bars' | 'crosses';
  points: Point[];
}

export interface Point {
  at: number;
  /** Infinity: there is none from here on. */
  value: number;
  top?: number;
}

const WIDTH = 900;
const LEFT = 64;
const RIGHT = WIDTH - 18;
const HEAD = 64;
const MOMENT_ROW = 16;
/** Above each panel: its title and what is what. */
const PANEL_HEAD = 34;
const FOOT = 40;
const LETTER = 6.7;
/** Parts of a pixel that a point is placed to. */
const GRAIN = 0.5;
const CROSS = 3;
/** Least height of a bar. */
const BAR = 2.5;

const LIGHT = {
  paper: '#ffffff',
  ink: '#1f2328',
  frame: '#d1d9e0',
  grid: '#eaeef2',
  quiet: '#636c76',
  blue: '#0969da',
  orange: '#d4720b',
  red: '#cf222e',
  green: '#1a7f37',
};

const DARK: typeof LIGHT = {
  paper: '#0d1117',
  ink: '#e6edf3',
  frame: '#3d444d',
  grid: '#20262e',
  quiet: '#9198a1',
  blue: '#58a6ff',
  orange: '#f0a04b',
  red: '#f85149',
  green: '#3fb950',
};

/** Not by custom properties, which many programs that draw SVG do not know. */
function colours(of: typeof LIGHT): string {
  const hues = (['blue', 'orange', 'red', 'green', 'quiet'] as const)
    .map(
      (name) =>
        `.plot .${name} { stroke: ${of[name]}; }\n.plot .dot.${name} { fill: ${of[name]}; }`,
    )
    .join('\n');
  return `.plot text { fill: ${of.ink}; }
.plot text.soft { fill: ${of.quiet}; }
.plot .paper { fill: ${of.paper}; stroke: ${of.frame}; }
.plot .axis { stroke: ${of.frame}; }
.plot .grid { stroke: ${of.grid}; }
.plot .moment { stroke: ${of.quiet}; }
.plot .halo { stroke: ${of.paper}; }
${hues}
`;
}

const STYLE = `
.plot text { font: 12px system-ui, "DejaVu Sans", sans-serif; }
.plot .title { font-size: 16px; font-weight: 600; }
.plot .name { font-weight: 600; }
.plot .halo { stroke-width: 5px; stroke-linejoin: round; paint-order: stroke; }
.plot path, .plot line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.plot .axis, .plot .grid { stroke-width: 1; }
.plot .moment { stroke-width: 1; stroke-dasharray: 2 4; }
.plot .bars { stroke-width: 2.5; }
.plot .dashes { stroke-dasharray: 6 4; }
.plot .dot { stroke-width: 3; stroke-linecap: round; }
${colours(LIGHT)}@media (prefers-color-scheme: dark) {
${colours(DARK)}}
`;

/** The figure as a picture that stands alone, light or dark as the reader prefers. */
export function renderFigure(figure: Figure): string {
  const scale = (at: number): number =>
    LEFT + ((at - figure.from) / (figure.to - figure.from)) * (RIGHT - LEFT);
  const { rows, labels } = placeMoments(figure.moments, scale);
  const top = HEAD + rows * MOMENT_ROW;
  const parts: string[] = [];
  let y = top;
  for (const panel of figure.panels) {
    parts.push(...drawPanel(panel, figure, scale, y + PANEL_HEAD));
    y += PANEL_HEAD + panel.height;
  }
  parts.push(...timeAxis(figure, scale, y));
  const lines = figure.moments.map(({ at }) => {
    const x = round(scale(at));
    return `<line class="moment" x1="${x}" x2="${x}" y1="${top + 4}" y2="${y}"/>`;
  });
  const height = y + FOOT;
  const title = escapeXml(figure.title);
  return `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}">
<title>${title}</title>
<style>${STYLE}</style>
<rect class="paper" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="10"/>
<text class="title" x="18" y="30">${title}</text>
<text class="soft" x="18" y="50">${escapeXml(figure.subtitle)}</text>
${[...lines, ...labels, ...parts].join('\n')}
</svg>
`;
}

/** Labels of moments in as few rows as they need so that none covers another. */
function placeMoments(
  moments: readonly Moment[],
  scale: (at: number) => number,
): { rows: number; labels: string[] } {
  const ends: number[] = [];
  const labels: string[] = [];
  for (const { at, text } of moments) {
    const width = text.length * LETTER;
    const x = Math.max(LEFT, Math.min(scale(at) - width / 2, RIGHT - width));
    let row = ends.findIndex((end) => end + 10 < x);
    if (row < 0) row = ends.length;
    ends[row] = x + width;
    const middle = round(x + width / 2);
    const y = HEAD + 12 + row * MOMENT_ROW;
    labels.push(
      `<text class="soft" x="${middle}" y="${y}" text-anchor="middle">${escapeXml(text)}</text>`,
    );
  }
  return { rows: ends.length, labels };
}

function drawPanel(
  panel: Panel,
  { from, to }: Figure,
  scale: (at: number) => number,
  top: number,
): string[] {
  const shown = panel.series.map((series) => ({ ...series, points: visible(series, from, to) }));
  const values = shown
    .flatMap(({ points }) => points.flatMap((p) => [p.value, p.top ?? p.value]))
    .filter(Number.isFinite);
  const ofBars = shown.some(({ kind }) => kind === 'bars');
  const low = panel.min ?? (ofBars ? lowest(values) : 0);
  const high = panel.max ?? highest(values) + (highest(values) - low) * 0.06;
  const bottom = top + panel.height;
  const y = (value: number): number => bottom - ((value - low) / (high - low)) * panel.height;
  const parts = [`<text class="name halo" x="18" y="${top - 10}">${escapeXml(panel.title)}</text>`];
  parts.push(...legend(panel.series, top - 10));
  for (const tick of ticks(low, high, Math.max(2, Math.round(panel.height / 45)))) {
    const at = round(y(tick));
    parts.push(`<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${at}" y2="${at}"/>`);
    parts.push(
      `<text class="soft" x="${LEFT - 8}" y="${at + 4}" text-anchor="end">${number(tick)}</text>`,
    );
  }
  parts.push(`<path class="axis" d="M${LEFT} ${top}V${bottom}H${RIGHT}"/>`);
  for (const series of shown) {
    const d = pathOf(
      series,
      (at) => round(scale(at)),
      (value) => round(clamp(y(value), top, bottom)),
    );
    const kind = series.kind === 'dots' ? 'dot' : series.kind;
    if (d !== '') parts.push(`<path class="${kind} ${series.colour}" d="${d}"/>`);
  }
  return parts;
}

/** What is between `from` and `to`; of what holds or connects also the value before. */
function visible({ kind, points }: Series, from: number, to: number): Point[] {
  const holds = kind === 'step' || kind === 'line' || kind === 'dashes';
  const inside = points.filter(({ at }) => at >= from && at <= to);
  if (!holds) return inside;
  const before = points.filter(({ at }) => at < from).at(-1);
  const all = before === undefined ? inside : [{ ...before, at: from }, ...inside];
  const last = all.at(-1);
  return last === undefined ? all : [...all, { ...last, at: to }];
}

function pathOf(
  { kind, points }: Series,
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  switch (kind) {
    case 'bars':
      return bars(points, x, y);
    case 'crosses':
      return points
        .map(
          ({ at, value, top = value }) =>
            `M${x(at) - CROSS} ${y((value + top) / 2) - CROSS}l6 6m0-6l-6 6`,
        )
        .join('');
    case 'dots':
      return distinct(points.map(({ at, value }) => `M${x(at)} ${y(value)}h0`)).join('');
    case 'line':
      return distinct(points.map(({ at, value }) => `${x(at)} ${y(value)}`))
        .map((spot, i) => `${i === 0 ? 'M' : 'L'}${spot}`)
        .join('');
    default:
      return steps(points, x, y);
  }
}

/** Bars that touch and stand at the same place are one. */
function bars(
  points: readonly Point[],
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  const joined: { at: number; from: number; to: number }[] = [];
  for (const { at, value, top = value } of points) {
    const last = joined.at(-1);
    if (last !== undefined && last.at === x(at) && last.to === value) last.to = top;
    else joined.push({ at: x(at), from: value, to: top });
  }
  return joined
    .map(({ at, from, to }) => `M${at} ${y(from)}V${Math.min(y(to), y(from) - BAR)}`)
    .join('');
}

function steps(
  points: readonly Point[],
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  let d = '';
  let lastX = Number.NaN;
  let lastY = Number.NaN;
  for (const { at, value } of points) {
    const [px, py] = [x(at), y(value)];
    if (value === Infinity || Number.isNaN(lastY)) {
      if (px !== lastX && !Number.isNaN(lastY)) d += `H${px}`;
      if (value !== Infinity) d += `M${px} ${py}`;
    } else {
      if (px !== lastX) d += `H${px}`;
      if (py !== lastY) d += `V${py}`;
    }
    [lastX, lastY] = [px, value === Infinity ? Number.NaN : py];
  }
  return d;
}

function distinct(list: readonly string[]): string[] {
  return list.filter((each, i) => each !== list[i - 1]);
}

function legend(series: readonly Series[], y: number): string[] {
  const parts: string[] = [];
  let x = RIGHT;
  for (const { name, colour, kind } of [...series].reverse()) {
    x -= name.length * LETTER;
    parts.push(`<text class="soft halo" x="${round(x)}" y="${y}">${escapeXml(name)}</text>`);
    x -= 22;
    const [left, middle] = [round(x), y - 4];
    parts.push(sample(kind, colour, left, middle));
    x -= 18;
  }
  return parts;
}

function sample(kind: Series['kind'], colour: Colour, x: number, y: number): string {
  const shapes: Record<Series['kind'], string> = {
    step: `M${x} ${y}h16`,
    line: `M${x} ${y}h16`,
    dashes: `M${x} ${y}h16`,
    bars: `M${x + 9} ${y - 5}v10`,
    dots: `M${x + 9} ${y}h0`,
    crosses: `M${x + 6} ${y - 3}l6 6m0-6l-6 6`,
  };
  return `<path class="${kind === 'dots' ? 'dot' : kind} ${colour}" d="${shapes[kind]}"/>`;
}

function timeAxis({ from, to }: Figure, scale: (at: number) => number, y: number): string[] {
  const inSeconds = to - from > 3000;
  const unit = inSeconds ? 1000 : 1;
  const parts = ticks(from / unit, to / unit, 9).map((tick) => {
    const x = round(scale(tick * unit));
    return `<path class="axis" d="M${x} ${y}v5"/>\n<text class="soft" x="${x}" y="${y + 19}" text-anchor="middle">${number(tick)}</text>`;
  });
  const label = inSeconds ? 'seconds' : 'milliseconds';
  parts.push(`<text class="soft" x="${RIGHT}" y="${y + 34}" text-anchor="end">${label}</text>`);
  return parts;
}

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const found: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
  return found;
}

function number(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function round(value: number): number {
  return Math.round(value / GRAIN) * GRAIN;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

function lowest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Infinity);
}

function highest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
