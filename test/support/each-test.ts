import { relative } from 'node:path';
import type { RunnerTestCase } from 'vitest';
import { afterAll, beforeEach } from 'vitest';
import { expectBlanks } from './blanks.js';
import { beginTest, endFile, endTest, PROJECT, report } from './show-failure.js';

/** Vitest loads this in front of each file of tests: whatever fails shows its conversation. */
beforeEach((context) => {
  beginTest();
  const { task } = context;
  // Vitest calls this before what follows.
  context.onTestFinished(() => {
    if (task.result?.state !== 'fail') endTest();
  });
  context.onTestFailed(async () => {
    const text = await report({
      file: relative(PROJECT, task.file.filepath),
      names: namesOf(task),
    });
    const error = task.result?.errors?.[0];
    if (error === undefined) console.error(text);
    else error.message += `\n\n${text}\n`;
    endTest();
  });
});

afterAll(() => {
  endFile();
  expectBlanks();
});

function namesOf(task: Readonly<RunnerTestCase>): string[] {
  const names = [task.name];
  for (let suite = task.suite; suite !== undefined; suite = suite.suite) names.unshift(suite.name);
  return names;
}
