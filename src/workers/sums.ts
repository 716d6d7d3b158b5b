import type { CountersSnapshot } from '../base/counters.js';

/**
 * What several hosts have counted, together.
 * @param all one or more
 */
export function sumCounters(all: readonly CountersSnapshot[]): CountersSnapshot {
  const [first, ...others] = all;
  const sum: Record<string, number> = { ...(first as object) };
  const drops: Record<string, number> = { ...first!.drops };
  for (const other of others) {
    for (const [name, value] of Object.entries(other)) {
      if (typeof value === 'number') sum[name] = sum[name]! + value;
    }
    for (const [name, value] of Object.entries(other.drops)) drops[name] = drops[name]! + value;
  }
  return { ...sum, drops } as unknown as CountersSnapshot;
}

/**
 * Texts of `Host.metrics()`, together: all that stands in them can be added up.
 * @param all one or more
 */
export function sumMetrics(all: readonly string[]): string {
  const lines = all.map((text) => text.split('\n'));
  return lines[0]!
    .map((line, i) => {
      if (line === '' || line.startsWith('#')) return line;
      const at = line.lastIndexOf(' ') + 1;
      const sum = lines.reduce((total, each) => total + Number(each[i]!.slice(at)), 0);
      return line.slice(0, at) + sum;
    })
    .join('\n');
}
