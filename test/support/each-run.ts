import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER } from './show-failure.js';

/** Vitest calls this once, before all tests: what failures of an earlier run have left goes away. */
export function setup(): void {
  let names: string[];
  try {
    names = readdirSync(FOLDER);
  } catch {
    return;
  }
  for (const name of names) {
    if (/\.(?:pcapng|txt)$/.test(name)) rmSync(join(FOLDER, name));
  }
}
