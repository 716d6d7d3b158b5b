import { defineConfig } from 'vitest/config';
import base from '../../../vitest.config.js';

/** The tests that fail on purpose, which tests run in a vitest of their own. */
export default defineConfig({
  test: { ...base.test, include: ['test/support/failing/*.failing.ts'] },
});
