import type { PathFaults } from '../../src/link/faults-options.js';

/** What a path is like. `id` is its properties, joined by hyphens: `50ms-1%-burst-reorder`. */
export interface Cell {
  id: string;
  /** ms there and back, without the queue. */
  rtt: number;
  /** Share of packets lost, in both directions. */
  loss: number;
  bursts: boolean;
  reorder: boolean;
}

const RTTS = [1, 10, 50, 100, 200];
const LOSSES = [0, 0.001, 0.01, 0.03];
const QUICK = [
  ['10ms', 'inorder'],
  ['50ms', '0%'],
  ['50ms', '1%'],
];
const QUICK_LOSSES = new Set([0, 0.01]);
/** Mean packets of a burst of losses. */
const BURST = 4;
/** Of packets that come late, where there is reordering. */
const LATE_SHARE = 0.01;
const LATE_MAX = 10;
/** Bytes that the queue holds beside what is on the path, so that one of 1 ms is no path without one. */
const QUEUE_BYTES = 48_000;

/** The whole grid, in order. */
export function grid(): Cell[] {
  const cells: Cell[] = [];
  for (const rtt of RTTS) {
    for (const loss of LOSSES) {
      for (const bursts of loss === 0 ? [false] : [false, true]) {
        for (const reorder of [false, true]) {
          cells.push({ id: idOf(rtt, loss, bursts, reorder), rtt, loss, bursts, reorder });
        }
      }
    }
  }
  return cells;
}

export function quickGrid(): Cell[] {
  return grid().filter(
    (cell) => QUICK_LOSSES.has(cell.loss) && QUICK.some((parts) => hasParts(cell, parts)),
  );
}

/**
 * The cells that `list` names: each item gives parts of the ids it stands for, `1%-burst`, in any order.
 * @throws Error (ERR_PARSE_ARGS_VALUE) for an item that stands for none
 */
export function chosenCells(list: string): Cell[] {
  const all = grid();
  const chosen = new Set<Cell>();
  for (const item of list.split(',')) {
    const found = all.filter((cell) => hasParts(cell, item.split('-')));
    if (found.length === 0) {
      const message = `--cells: no cell is '${item}'; there are ${all[0]!.id} to ${all.at(-1)!.id}`;
      throw Object.assign(new Error(message), { code: 'ERR_PARSE_ARGS_VALUE' });
    }
    for (const cell of found) chosen.add(cell);
  }
  return all.filter((cell) => chosen.has(cell));
}

function idOf(rtt: number, loss: number, bursts: boolean, reorder: boolean): string {
  const parts = [`${rtt}ms`, `${loss * 100}%`];
  if (loss > 0) parts.push(bursts ? 'burst' : 'random');
  parts.push(reorder ? 'reorder' : 'inorder');
  return parts.join('-');
}

function hasParts(cell: Cell, parts: readonly string[]): boolean {
  const own = cell.id.split('-');
  return parts.every((part) => own.includes(part));
}

/** Bytes of the drop-tail queue: one product of rate and round trip, and a little more. */
export function queueBytes(rtt: number, rate: number): number {
  return Math.round((rate * rtt) / 8000) + QUEUE_BYTES;
}

/** Both directions of a cell at `rate` bit/s. */
export function pathOf(cell: Cell, rate: number): PathFaults {
  const { rtt, loss, bursts, reorder } = cell;
  return {
    rate,
    delay: rtt / 2,
    queue: { packets: Infinity, bytes: queueBytes(rtt, rate) },
    ...(loss > 0 && !bursts && { loss }),
    ...(loss > 0 &&
      bursts && { burstLoss: { toBad: loss / (1 - loss) / BURST, toGood: 1 / BURST } }),
    ...(reorder && { reorder: { probability: LATE_SHARE, delay: Math.min(rtt / 8, LATE_MAX) } }),
  };
}
