import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TCP_CONFIG, type TcpConfig } from '../../../src/tcp/config.js';

const ROOT = new URL('../../../', import.meta.url);
const document = readFileSync(new URL('SECURITY.md', ROOT), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| attack'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const attacks = rows.filter((cells) => cells.length === 7);
const limits = rows.filter((cells) => /^`\w+`$/.test(cells[1]!));

describe('SECURITY.md', () => {
  it('names for each attack tests that exist', () => {
    expect(attacks.length).toBeGreaterThan(25);
    for (const cells of attacks) {
      const tests = [...cells[5]!.matchAll(/`([\w/.-]+)`/g)];
      expect(tests.length, cells[1]).toBeGreaterThan(0);
      for (const [, path] of tests) {
        expect(existsSync(new URL(`test/${path}`, ROOT)), path).toBe(true);
      }
    }
  });

  it('has the defaults of the configuration', () => {
    expect(limits.length).toBeGreaterThan(5);
    for (const cells of limits) {
      const name = cells[1]!.slice(1, -1) as keyof TcpConfig;
      expect(cells[2], name).toBe(String(DEFAULT_TCP_CONFIG[name]));
    }
  });
});
