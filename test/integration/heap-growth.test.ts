import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PROGRAM = path.join(import.meta.dirname, 'programs/heap-growth.mjs');
const SEGMENTS = 1_000_000;
const PATIENCE = 120_000;

/**
 * A view of a payload, or a closure, would be about 100 bytes. What is there is one of a thing per batch,
 * and a boxed number per segment where V8 has not inlined a call.
 */
test.each([
  { mode: 'merged', most: 60 },
  { mode: 'each', most: 250 },
])(
  'a million segments leave next to nothing on the heap ($mode)',
  async ({ mode, most }) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [PROGRAM, String(SEGMENTS), mode],
      { timeout: PATIENCE },
    );
    expect(JSON.parse(stdout).bytes).toBeLessThan(most);
  },
  PATIENCE,
);
