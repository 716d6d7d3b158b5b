import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = path.join(import.meta.dirname, 'programs/kept-memory.mjs');

it('can have memory that is freed stay with the process', async () => {
  const args = ['--expose-gc', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  const { freed, kept } = JSON.parse(stdout);
  expect(freed).toBeGreaterThan(100);
  expect(kept).toBeLessThan(20);
});
