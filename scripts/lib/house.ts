import { checkConformance } from './conformance.js';
import type { Finding } from './finding.js';
import { checkLeftovers, checkLength, checkLockFile, checkTopLevelAwait } from './habits.js';
import { checkLayers } from './layers.js';
import { checkOutsideWorld } from './outside-world.js';
import { readSources } from './sources.js';
import { checkTypes } from './typed-rules.js';

/** Applies every rule of the house to the project at `root`; findings come sorted by place. */
export function checkHouse(root: string): Finding[] {
  const sources = readSources(root, ['src', 'test', 'scripts']);
  return [
    ...checkLayers(sources, root),
    ...checkOutsideWorld(sources),
    ...checkTypes(sources, root),
    ...checkTopLevelAwait(sources),
    ...checkLength(sources),
    ...checkLeftovers(sources, root),
    ...checkLockFile(root),
    ...checkConformance(root),
  ].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}
