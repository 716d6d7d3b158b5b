import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What `scripts/test` wants to know of a run of vitest. */
export interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  /** Each skipped test with its reason. */
  skips: { test: string; reason: string | null }[];
}

/** Where to write the {@link Summary}. */
const SUMMARY_VARIABLE = 'TUNTCP_TEST_SUMMARY';

/** A reporter for vitest: counts tests and gathers the reasons of skipped ones, in a JSON file. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const summary: Summary = { passed: 0, failed: errors.length, skipped: 0, skips: [] };
    for (const module of modules) {
      // A file that does not load has no tests to fail, and must not pass for an empty one.
      if (module.errors().length > 0) summary.failed++;
      for (const test of module.children.allTests()) count(summary, module, test);
    }
    const file = process.env[SUMMARY_VARIABLE];
    if (file !== undefined) writeFileSync(file, JSON.stringify(summary));
  }
}

function count(summary: Summary, module: TestModule, test: TestCase): void {
  const result = test.result();
  if (result.state === 'passed') {
    summary.passed++;
  } else if (result.state === 'skipped') {
    summary.skipped++;
    const name = `${module.relativeModuleId} > ${test.fullName}`;
    summary.skips.push({ test: name, reason: result.note ?? null });
  } else {
    summary.failed++;
  }
}
