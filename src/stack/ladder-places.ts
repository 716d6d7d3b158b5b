import type { Ladder, LadderRow, SegmentRow, Side } from './ladder-model.js';

/** A row and where it is drawn: from `y1` to `y2`, which differ for segments alone. */
export interface Placed {
  row: LadderRow;
  y1: number;
  y2: number;
  /** A segment of the other direction crosses it. */
  crossed: boolean;
}

/** How many rows further on a segment that crosses this one may be. */
const NEIGHBOURS = 16;

/** Between two things at the same upright, and at different ones; between states of one row. */
const STEP = 22;
const ASIDE = 9;
export const STATE_STEP = 23;
/** From where a segment is sent to where it arrives, at least. */
const SLANT = 16;
const GAP = 46;

/** One end of a segment, or a row that has no two ends. */
interface Point {
  placed: Placed;
  /** Null: both. */
  side: Side | null;
  arrives: boolean;
  key: number;
}

/**
 * Places everything by the order in which it happened. Where both ends were traced, a segment arrives
 * below all that happened while it was on its way.
 * @returns also the lowest place that is taken
 */
export function place(ladder: Ladder, top: number): { placed: Placed[]; bottom: number } {
  const rows = ladder.joined ? reunited(ladder.rows) : ladder.rows;
  const points = pointsOf(rows, ladder.joined);
  const lowest: Record<Side, number> = { left: top - STEP, right: top - STEP };
  let y = top - STEP;
  for (const point of points) {
    const { placed, side, arrives } = point;
    const { row } = placed;
    if (row.kind === 'gap' || side === null) {
      placed.y1 = placed.y2 = Math.max(lowest.left, lowest.right) + GAP / 2 + 4;
      y = lowest.left = lowest.right = placed.y1 + GAP / 2 - STEP;
      continue;
    }
    y = Math.max(y + ASIDE, lowest[side] + STEP, arrives ? placed.y1 + SLANT : 0);
    if (arrives) placed.y2 = y;
    else placed.y1 = placed.y2 = y;
    lowest[side] = y + Math.max(0, row[side].length - 1) * STATE_STEP;
  }
  const placed = points.filter(({ arrives }) => !arrives).map((point) => point.placed);
  noteCrossings(placed);
  return { placed, bottom: Math.max(lowest.left, lowest.right, y) };
}

/** Draws as one what was divided because other rows came in between. */
function reunited(rows: readonly LadderRow[]): LadderRow[] {
  const whole = new Map<LadderRow, SegmentRow>();
  for (const row of rows) {
    if (row.kind !== 'segment' || row.sentIn === null) continue;
    const { arrival, to, line, sentIn } = row;
    whole.set(sentIn, { ...sentIn, line, arrival, part: 'whole', [to]: row[to] });
  }
  return rows
    .filter((row) => row.kind !== 'segment' || row.sentIn === null || !rows.includes(row.sentIn))
    .map((row) => whole.get(row) ?? row);
}

function noteCrossings(placed: readonly Placed[]): void {
  placed.forEach((one, i) => {
    if (one.row.kind !== 'segment') return;
    for (const other of placed.slice(i + 1, i + 1 + NEIGHBOURS)) {
      if (other.row.kind !== 'segment' || other.row.to === one.row.to) continue;
      if (other.y1 < one.y2 && one.y1 < other.y2) one.crossed = other.crossed = true;
    }
  });
}

/** How long segments were on their way, typically; ms. */
function transitOf(rows: readonly LadderRow[]): number {
  const transits = rows
    .filter((row) => row.kind === 'segment' && row.arrival !== null)
    .map((row) => (row as SegmentRow).arrival! - (row as SegmentRow).time)
    .sort((a, b) => a - b);
  return transits[transits.length >> 1] ?? 0;
}

function pointsOf(rows: readonly LadderRow[], timed: boolean): Point[] {
  const points: Point[] = [];
  // What was lost is drawn as if it had come about then.
  const transit = timed ? transitOf(rows) : 0;
  let floor = 0;
  let latest = 0;
  rows.forEach((row, index) => {
    const placed = { row, y1: 0, y2: 0, crossed: false };
    if (row.kind === 'gap') {
      // Nothing reaches over what was left out.
      floor = timed ? latest : index;
      points.push({ placed, side: null, arrives: false, key: floor });
      return;
    }
    const key = timed ? Math.max(floor, row.time) : index;
    const side = row.kind === 'note' ? row.side : row.to === 'left' ? 'right' : 'left';
    points.push({ placed, side, arrives: false, key });
    if (row.kind === 'note') return;
    const arrival = timed ? Math.max(key, row.arrival ?? row.time + transit) : index;
    points.push({ placed, side: row.to, arrives: true, key: arrival });
    latest = Math.max(latest, arrival);
  });
  // The sort is stable: what happened at once stays in its order.
  return points.sort((a, b) => a.key - b.key);
}
