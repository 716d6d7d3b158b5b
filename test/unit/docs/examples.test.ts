import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const EXAMPLES = new URL('../../../examples/', import.meta.url);

test('examples/congestion-control.mjs: 50 lines of control, and a shorter queue than NewReno has', () => {
  const file = fileURLToPath(new URL('congestion-control.mjs', EXAMPLES));
  const output = execFileSync(process.execPath, [file], { encoding: 'utf8' });
  const queue = Object.fromEntries(
    [...output.matchAll(/^(\w+) +([\d.]+) Mbit\/s, (\d+) ms/gm)].map(([, name, , ms]) => [
      name,
      Number(ms),
    ]),
  );
  expect(queue.vegas).toBeLessThan(queue.newreno!);
  const [control] = /^class Vegas {\n[\s\S]*?^}$/m.exec(readFileSync(file, 'utf8'))!;
  expect(control.split('\n').length).toBeLessThanOrEqual(50);
});
