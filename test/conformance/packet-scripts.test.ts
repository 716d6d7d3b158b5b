import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { requireTun } from '../integration/support/require.js';
import { showOnFailure } from '../support/show-failure.js';
import { judgeAll, type LinuxVerdict } from './packet-scripts/both.js';
import { listScripts, preamblesOf, readScripts } from './packet-scripts/folder.js';
import { formatFailure } from './packet-scripts/play.js';
import { LinuxRunner } from './packet-scripts/run-linux.js';
import { type Outcome, runVirtual } from './packet-scripts/run-virtual.js';
import type { Script } from './packet-scripts/script.js';
import { compileAgent } from './packet-scripts/syscall-agent.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDER = fileURLToPath(new URL('scripts', import.meta.url));
const AGENT = fileURLToPath(new URL('packet-scripts/syscall-agent.c', import.meta.url));

const find = preamblesOf(FOLDER, ROOT);
const scripts = listScripts(FOLDER).flatMap((path) => readScripts(path, find, ROOT));

function nameOf({ file, title }: Script): string {
  return `${relative(relative(ROOT, FOLDER), file)}: ${title}`;
}

/** Fails with the line, what was expected and what came. */
function expectTrue({ failure, capture }: Outcome): void {
  if (failure === null) return;
  showOnFailure({
    title: `packets of ${failure.place.file}`,
    ladders: () => [],
    lines: [],
    capture: () => capture,
  });
  expect.fail(formatFailure(failure));
}

describe('packet scripts, in this process', () => {
  for (const script of scripts) {
    it(nameOf(script), async () => expectTrue(await runVirtual(script)));
  }
});

describe('packet scripts, with Linux', { timeout: 60_000 }, () => {
  let runner: LinuxRunner | undefined;
  let verdicts: Map<Script, Promise<LinuxVerdict>> | undefined;
  afterAll(() => runner?.close());

  /** All scripts start with the first that is asked for, since most of their time is waiting. */
  const verdictOf = (script: Script): Promise<LinuxVerdict> => {
    runner ??= new LinuxRunner(compileAgent(AGENT));
    verdicts ??= judgeAll(runner, scripts);
    return verdicts.get(script)!;
  };

  for (const script of scripts) {
    it(nameOf(script), async (context) => {
      requireTun(context, 'cc');
      const { own, ours } = await verdictOf(script);
      if (own !== null) expectTrue(own);
      if (ours !== null) expect(ours.failure, 'Linux does not differ any more').not.toBeNull();
    });
  }
});
