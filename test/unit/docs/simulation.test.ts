import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

it('docs/simulation.md has the example that the tests run', () => {
  const example = read('test/sim/example.test.ts').replace('../../src/index.js', 'tuntcp');
  expect(read('docs/simulation.md')).toContain(`\`\`\`ts\n${example}\`\`\`\n`);
});
