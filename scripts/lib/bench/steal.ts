import * as fs from 'node:fs';
import type { Sample } from './suite.js';
import { circumstance } from './suite.js';

/** Ticks of all processors together since the machine started. */
export interface Ticks {
  /** Those in which the hypervisor ran others although a processor of ours had work. */
  stolen: number;
  all: number;
}

/** `stat` is `/proc/stat` (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq and steal come first. */
export function ticksOf(stat: string): Ticks {
  const counts = stat.slice(0, stat.indexOf('\n')).trim().split(/\s+/).slice(1, 9).map(Number);
  return { stolen: counts[7] ?? 0, all: counts.reduce((sum, each) => sum + each, 0) };
}

export function ticksNow(): Ticks {
  return ticksOf(fs.readFileSync('/proc/stat', 'utf8'));
}

/** What a virtual machine's neighbours took from a measurement: figures with much of it say little. */
export function stolen(before: Ticks, after: Ticks): Sample {
  const all = after.all - before.all;
  const share = all === 0 ? 0 : (100 * (after.stolen - before.stolen)) / all;
  return circumstance('taken by neighbours', '% of all processors', share);
}
