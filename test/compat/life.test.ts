import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('programs/life.mjs', import.meta.url));
const BUILT = existsSync(new URL('../../dist/net/module.js', import.meta.url));
const names = [...readFileSync(PROGRAM, 'utf8').matchAll(/^ {2}async '([^']+)'/gm)].map(
  ([, name]) => name!,
);

/** What the program says, and how it ends. */
function run(module: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, module, name], { timeout: 15_000 }, (error, stdout) =>
      resolve(`${stdout}${error?.killed ? 'killed' : ''}`),
    );
  });
}

describe.skipIf(!BUILT)('what keeps a process alive (dist/ has to be built)', () => {
  it('has cases', () => expect(names.length).toBeGreaterThan(10));

  for (const name of names) {
    it(name, async () => {
      const [expected, actual] = await Promise.all([run('node', name), run('ours', name)]);
      expect(expected).toContain('exit');
      expect(actual).toBe(expected);
    });
  }
});
