import type { Host } from '../../src/stack/host.js';
import { DROP_COUNT, dropName } from '../../src/wire/drop-reason.js';

/** Packets dropped, by the name of the reason; reasons that did not occur are left out. */
export function dropsOf(host: Host): Record<string, number> {
  const drops: Record<string, number> = {};
  for (let i = 1; i < DROP_COUNT; i++) {
    const count = host.counters.drops[i]!;
    if (count > 0) drops[dropName(i)] = count;
  }
  return drops;
}
