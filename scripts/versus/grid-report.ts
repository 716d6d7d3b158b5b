import type { CellFigures, GridFigures, RateCheck } from './goodput.js';
import { type Comparison, median, type Verdict } from './statistics.js';
import type { Trial } from './trial-log.js';

const WAYS = ['sending', 'receiving'] as const;

export function printGrid({ checks, cells, failures, left }: GridFigures): void {
  for (const check of checks) printCheck(check);
  for (const rate of new Set(cells.map((cell) => cell.rate))) {
    const own = cells.filter((cell) => cell.rate === rate);
    console.log(`\n${rate / 1e6} Mbit/s, ours divided by Linux's: median (lowest to highest)\n`);
    console.log(`  ${'cell'.padEnd(26)}${'Linux'.padStart(7)}   ${heading('sending')}receiving`);
    for (const cell of own) console.log(row(cell));
    console.log('');
    for (const line of summary(own)) console.log(line);
  }
  for (const failure of failures) console.log(`failed: ${failure}`);
  if (left > 0) console.log(`${left} runs of cells are left; the same command goes on with them`);
}

function printCheck({ rate, rates, possible, late, drops, keepsUp }: RateCheck): void {
  const result = `${rates[0]!.toFixed(1)} of ${possible.toFixed(1)} Mbit/s possible`;
  const how = `late by ${late.toFixed(1)} ms at most 99 % of the time, ${drops} packets dropped`;
  const end = keepsUp ? 'keeps up' : 'does not keep up';
  console.log(`link at ${rate / 1e6} Mbit/s: ${end}: ${result}, ${how}`);
}

const WIDTH = 42;

function heading(text: string): string {
  return text.padEnd(WIDTH);
}

function row(cell: CellFigures): string {
  const base = linuxRate(cell.trials);
  const sending = words(cell.sending, cell.leftOut.sending);
  const receiving = words(cell.receiving, cell.leftOut.receiving);
  return `  ${cell.id.padEnd(26)}${base.padStart(7)}   ${heading(sending)}${receiving}`;
}

function linuxRate(trials: readonly Trial[]): string {
  const linux = trials.filter((t) => t.combination === 'linux').map((t) => t.goodput);
  if (linux.length === 0) return '-';
  const middle = median(linux);
  return middle.toFixed(middle < 10 ? 2 : 1);
}

function words(comparison: Comparison | null, leftOut: number): string {
  const out = leftOut > 0 ? ` [${leftOut} left out]` : '';
  if (comparison === null) return `no valid run${out}`;
  const { ratio, lowest, highest, verdict } = comparison;
  return `${ratio.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)}) ${verdict}${out}`;
}

function summary(cells: readonly CellFigures[]): string[] {
  return WAYS.map((way) => {
    const all = cells.map((cell) => cell[way]).filter((each) => each !== null);
    const lossy = cells.filter(({ loss }) => loss > 0).map((cell) => cell[way]?.ratio);
    const ratios = lossy.filter((ratio) => ratio !== undefined);
    const count = (verdict: Verdict): number =>
      all.filter((each) => each.verdict === verdict).length;
    const verdicts = `${count('at least Linux')} cells at least Linux, ${count('below')} below, ${count('noise')} where noise allows no verdict`;
    const middle =
      ratios.length === 0 ? '' : `; median of the lossy cells ${median(ratios).toFixed(2)}`;
    return `${way}: ${verdicts}${middle}`;
  });
}

const MARK: Readonly<Record<Verdict, string>> = { 'at least Linux': '+', below: '-', noise: '' };

/** The same as a page of Markdown. */
export function printMarkdown({ cells }: GridFigures): void {
  for (const rate of new Set(cells.map((cell) => cell.rate))) {
    const own = cells.filter((cell) => cell.rate === rate);
    console.log(`\n### ${rate / 1e6} Mbit/s\n`);
    for (const line of summary(own)) console.log(`- ${line}`);
    console.log('\n| cell | Linux Mbit/s | sending | | receiving | |');
    console.log('|---|---:|---:|---|---:|---|');
    for (const { id, trials, sending, receiving } of own) {
      const parts = [id, linuxRate(trials), ...inBrief(sending), ...inBrief(receiving)];
      console.log(`| ${parts.join(' | ')} |`);
    }
  }
}

/** The ratio with its verdict, and the interval. */
function inBrief(comparison: Comparison | null): string[] {
  if (comparison === null) return ['no valid run', ''];
  const { ratio, interval, verdict } = comparison;
  const [low, high] = interval.map((edge) => edge.toFixed(2));
  return [`${ratio.toFixed(2)}${MARK[verdict]}`, `${low} to ${high}`];
}
