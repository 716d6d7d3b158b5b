import { LABEL } from './kinds.js';
import type { Figure, Machine, Results } from './results.js';
import { median } from './results.js';
import type { Suite } from './suite.js';

/** The results for a person: per metric a line for each stack. */
export function table(results: Results, suites: readonly Suite[], before: Results | null): string {
  const lines = [describe(results.machine)];
  if (before !== null) lines.push(`change: against ${describe(before.machine)}`);
  lines.push('median (lowest to highest); the ratio is to node:net');
  if (results.figures.some(({ kind }) => kind === 'bare')) {
    lines.push(`for ${LABEL.plain}, it is to the ${LABEL.bare}`);
  }
  for (const suite of suites) {
    const figures = results.figures.filter((each) => each.suite === suite.name);
    if (figures.length === 0) continue;
    lines.push('', suite.title);
    for (const metric of new Set(figures.map((each) => each.metric))) {
      const rows = figures.filter((each) => each.metric === metric);
      const { unit, better } = rows[0]!;
      lines.push(`  ${metric} (${unit}${better === 'less' ? ', less is better' : ''})`);
      for (const row of rows) lines.push(rowOf(row, baseOf(row, rows), before));
    }
  }
  return lines.join('\n');
}

function describe({ cpu, cores, kernel, congestion, node, commit, date }: Machine): string {
  const when = date.slice(0, 16).replace('T', ' ');
  return `${cores} x ${cpu}, Linux ${kernel} with ${congestion}, Node ${node}, ${commit}, ${when}`;
}

/** What a row is compared with: without offload, what the device carries when that was measured. */
function baseOf(row: Figure, rows: readonly Figure[]): Figure | undefined {
  const bare = row.kind === 'plain' ? rows.find(({ kind }) => kind === 'bare') : undefined;
  return bare ?? rows.find(({ kind }) => kind === 'node');
}

function rowOf(row: Figure, base: Figure | undefined, before: Results | null): string {
  const middle = median(row.runs);
  const spread = `(${amount(Math.min(...row.runs))} to ${amount(Math.max(...row.runs))})`;
  const line = `    ${LABEL[row.kind].padEnd(24)}${amount(middle).padStart(9)}  ${spread.padEnd(24)}`;
  if (row.better === null) return line.trimEnd();
  const ratio = base === undefined ? '' : `  ${(middle / median(base.runs)).toFixed(2)} x`;
  return `${line}${ratio}${before === null ? '' : `  ${changeOf(row, before)}`}`.trimEnd();
}

/** `+3.1 %` of the median of a stored run. */
export function changeOf(row: Figure, before: Results): string {
  const old = before.figures.find(
    ({ suite, kind, metric }) => suite === row.suite && kind === row.kind && metric === row.metric,
  );
  if (old === undefined) return 'new';
  const percent = (median(row.runs) / median(old.runs) - 1) * 100;
  return `${percent < 0 ? '' : '+'}${percent.toFixed(1)} %`;
}

/** Three digits that count, and thousands apart. */
export function amount(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
