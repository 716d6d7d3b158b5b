import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TCP_CONFIG, type TcpConfig, tcpConfig } from '../../../src/tcp/config.js';

const ROOT = new URL('../../../', import.meta.url);
const source = readFileSync(new URL('src/tcp/config.ts', ROOT), 'utf8');
const document = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8');

interface Row {
  name: keyof TcpConfig;
  unit: string;
  range: string;
  initial: string;
  source: string;
}

const rows: Row[] = [];
for (const line of document.split('\n')) {
  const [, name, unit, range, initial, from] = line.split('|').map((cell) => cell.trim());
  const field = /^`(\w+)`$/.exec(name ?? '')?.[1] as keyof TcpConfig | undefined;
  if (field)
    rows.push({ name: field, unit: unit!, range: range!, initial: initial!, source: from! });
}

/** The numbers of the RFCs that a text names, and the clauses and requirements. */
function references(text: string): Set<string> {
  return new Set(text.match(/RFC \d+|§[\d.]*\d|(?:MUST|SHLD|MAY)-\d+/g) ?? []);
}

/** What `config.ts` says above each field. */
const docstrings = new Map<string, string>();
for (const [, text, name] of source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+(\w+): \w+;/g)) {
  docstrings.set(name!, text!);
}

describe('docs/configuration.md', () => {
  it('has each setting once, in the order of config.ts', () => {
    expect(rows.map((row) => row.name)).toEqual(Object.keys(DEFAULT_TCP_CONFIG));
  });

  it.each(rows)('$name: default, range and source are those of config.ts', (row) => {
    const value = DEFAULT_TCP_CONFIG[row.name];
    expect(row.initial).toBe(String(value));
    expect(references(row.source)).toEqual(references(docstrings.get(row.name)!));
    if (typeof value !== 'number') return;
    expect(row.unit).not.toBe('');
    const [, least, most] = /^(\d+) to (\d+)$/.exec(row.range)!.map(Number);
    for (const taken of [least!, most!]) {
      expect(tcpConfig({ [row.name]: taken })[row.name]).toBe(taken);
    }
    for (const refused of [least! - 1, most! + 1]) {
      expect(() => tcpConfig({ [row.name]: refused })).toThrow(RangeError);
    }
  });
});
