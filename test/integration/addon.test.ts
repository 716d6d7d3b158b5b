import { expect, it } from 'vitest';
import { SEED } from '../support/seed.js';
import { describeInNamespace, runInNamespace } from './namespace.js';

describeInNamespace('the addon at its boundary', () => {
  it.each([
    ['main', 8000],
    ['workers', 8],
  ])(
    'throws, or returns an error code, and leaves nothing behind (%s)',
    async (mode, count) => {
      const args = [mode, String(SEED), String(count)];
      const run = await runInNamespace('programs/fuzz-addon.mjs', args, { timeout: 60_000 });
      expect(run).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(JSON.parse(run.stdout)).toMatchObject({ wrong: [], leaked: 0 });
    },
    70_000,
  );
});
