import type { CountersSnapshot } from '../base/counters.js';
import { ratesBetween, type Sample } from './rates.js';
import { bitRate } from './socket-table.js';

/** Counters as they were at a time. */
export type Look = Omit<Sample, 'sockets'>;

const WIDTHS = [9, 9, 10, 10, 9, 9, 9];
const COLUMNS = ['in', 'out', 'in', 'out', 'retrans', 'dropped', 'opened'];

/** Two lines, above the rows of {@link rateRow}. */
export const RATE_HEADING: readonly string[] = [
  '-----packets/s----  -------rate-------  --------per second--------',
  cells(COLUMNS),
];

/** What happened between two looks, per second. */
export function rateRow(before: Look, after: Look): string {
  const rates = ratesBetween({ ...before, sockets: [] }, { ...after, sockets: [] });
  const seconds = Math.max((after.time - before.time) / 1000, 1e-3);
  const opened = (openings(after.counters) - openings(before.counters)) / seconds;
  const rounded = (value: number) => String(Math.round(value));
  return cells([
    rounded(rates.packetsIn),
    rounded(rates.packetsOut),
    bitRate(rates.bytesIn * 8),
    bitRate(rates.bytesOut * 8),
    rounded(rates.retransmits),
    rounded(rates.drops),
    rounded(opened),
  ]);
}

/** By how much each counter has grown; of `drops` only the reasons that occurred meanwhile. */
export function growth(before: CountersSnapshot, after: CountersSnapshot): CountersSnapshot {
  const { drops, ...counters } = after;
  const { drops: earlierDrops, ...earlier } = before;
  const grown = differences(counters, earlier) as typeof counters;
  const occurred = Object.entries(differences(drops, earlierDrops)).filter(([, n]) => n > 0);
  return { ...grown, drops: Object.fromEntries(occurred) };
}

function differences<K extends string>(
  after: Readonly<Record<K, number>>,
  before: Readonly<Partial<Record<K, number>>>,
): Record<string, number> {
  const names = Object.keys(after) as K[];
  return Object.fromEntries(names.map((name) => [name, after[name] - (before[name] ?? 0)]));
}

function openings({ tcpActiveOpens, tcpPassiveOpens }: CountersSnapshot): number {
  return tcpActiveOpens + tcpPassiveOpens;
}

function cells(texts: readonly string[]): string {
  return texts.map((text, i) => text.padStart(WIDTHS[i]!)).join('');
}
