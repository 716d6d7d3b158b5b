import type { Machine } from '../machine.js';

export interface Curl {
  answered: number;
  failed: number;
  /** ms */
  slowest: number;
}

/** What one flood did. Memory in MiB, but for `buffers`: bytes that `maxMemory` limits. */
export interface Outcome {
  kind: string;
  limit: string;
  sentPerSecond: number;
  arrivedPerSecond: number;
  /** Connections that the flooder has opened, and those of the server at the end. */
  opened: number;
  connections: number;
  /** Counters and reasons for drops that grew, the largest first. */
  counted: Readonly<Record<string, number>>;
  buffers: number;
  rss: { before: number; peak: number; after: number };
  curl: Curl;
}

const SHOWN_COUNTS = 3;

/** A table in Markdown. */
export function printOutcomes(where: Machine, outcomes: readonly Outcome[]): void {
  console.log(`${where.cpu}, Linux ${where.kernel}, Node ${where.node}\n`);
  const heading = ['flood', 'sent/s', 'arrived/s', 'connections', 'what became of it'];
  heading.push('buffers', 'RSS before, peak, after', 'bounded by', 'curl', 'slowest');
  row(heading);
  row(heading.map(() => '---'));
  for (const each of outcomes) {
    const { before, peak, after } = each.rss;
    row([
      each.kind,
      each.sentPerSecond.toLocaleString('en'),
      each.arrivedPerSecond.toLocaleString('en'),
      each.connections.toLocaleString('en'),
      counts(each.counted),
      `${(each.buffers / 2 ** 20).toFixed(1)} MiB`,
      `${before}, ${peak}, ${after} MiB`,
      each.limit,
      `${each.curl.answered} of ${each.curl.answered + each.curl.failed}`,
      `${(each.curl.slowest / 1_000).toFixed(2)} s`,
    ]);
  }
}

function counts(counted: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counted).slice(0, SHOWN_COUNTS);
  return shown.map(([name, count]) => `${name} ${count.toLocaleString('en')}`).join(', ');
}

function row(cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}
