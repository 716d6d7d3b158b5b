import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = path.join(import.meta.dirname, 'programs/steady-heap.mjs');

it('does not have V8 mark a small heap again and again while much is received', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], { timeout: 60_000 });
  // Some 300 where nothing is done about it.
  expect(JSON.parse(stdout).majors).toBeLessThan(100);
});
