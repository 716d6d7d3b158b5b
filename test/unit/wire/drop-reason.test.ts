import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DROP_COUNT, Drop, dropName } from '../../../src/wire/drop-reason.js';

describe('dropName', () => {
  it('names each reason after itself', () => {
    // A const enum cannot be listed at run time.
    const source = readFileSync(
      new URL('../../../src/wire/drop-reason.ts', import.meta.url),
      'utf8',
    );
    const members = [...source.matchAll(/^ {2}([A-Z_]+)(?: = 0)?,$/gm)].map((match) => match[1]!);
    const camelCase = (name: string): string =>
      name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    expect(Array.from({ length: DROP_COUNT }, (_, drop) => dropName(drop))).toEqual(
      members.map(camelCase),
    );
    expect(dropName(Drop.TX_NO_ROUTE)).toBe('txNoRoute');
  });
});
