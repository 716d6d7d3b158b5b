import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCase } from './case-text.js';
import { Coverage } from './coverage.js';
import { runCase } from './run-case.js';
import type { Case } from './step.js';

export interface Item {
  name: string;
  case: Case;
}

/** The cases of a folder, in order of their names. */
export function readCorpus(folder: string, names = namesIn(folder)): Item[] {
  return names.map((name) => {
    try {
      return { name, case: parseCase(readFileSync(join(folder, name), 'utf8')) };
    } catch (error) {
      throw new Error(`${join(folder, name)}: ${(error as Error).message}`);
    }
  });
}

function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort();
}

/** What the stack does when it is given a corpus. */
export function coverageOf(folder: string, names?: string[]): Set<string> {
  const coverage = new Coverage();
  for (const item of readCorpus(folder, names)) runCase(item.case, coverage);
  return coverage.keys;
}

export function nameOf(text: string): string {
  return `${createHash('sha256').update(text).digest('hex').slice(0, 12)}.txt`;
}
