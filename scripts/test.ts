import { type SpawnOptions, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Summary } from './lib/reporter.js';

const HELP = `Usage: scripts/test [FILTER...] [-- VITEST-OPTION...]

Sets the clone up, checks types, formatting and the rules of the house, and runs the tests whose
path contains one of the filters (default: all), for instance: scripts/test unit/base

The last line says: N passed, N failed, N skipped. A check that fails counts as a failed test.
With CI=true in the environment a skipped test is a failure too.

Exit status: 0 when all is well, 1 when something failed or no test ran, 2 wrong usage.`;

const ROOT = path.join(__dirname, '..');
const SUMMARY_VARIABLE = 'TUNTCP_TEST_SUMMARY';

interface Check {
  name: string;
  command: string;
  args: string[];
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: bin('typescript/bin/tsc'), args: ['--noEmit'] },
  { name: 'types of scripts/', command: bin('typescript/bin/tsc'), args: ['-p', 'scripts'] },
  { name: 'format and lint', command: bin('@biomejs/biome/bin/biome'), args: ['check', '.'] },
  {
    name: 'rules of the house',
    command: bin('ts-node/dist/bin-transpile.js'),
    args: ['scripts/check.ts'],
  },
];

function bin(file: string): string {
  return path.join(ROOT, 'node_modules', file);
}

async function main(args: readonly string[]): Promise<number> {
  const split = args.indexOf('--');
  const filters = split < 0 ? args : args.slice(0, split);
  if (filters.includes('--help') || filters.includes('-h')) {
    console.log(HELP);
    return 0;
  }
  const unknown = filters.find((argument) => argument.startsWith('-'));
  if (unknown !== undefined) {
    console.error(`scripts/test: unknown option ${unknown} (options of vitest go after --)`);
    return 2;
  }
  const failedChecks = await runChecks();
  const summary = await runTests([...filters, ...(split < 0 ? [] : args.slice(split + 1))]);
  return report(summary, failedChecks);
}

/** Runs the checks two at a time; prints each as it ends, with its output when it fails. */
async function runChecks(): Promise<string[]> {
  const waiting = [...CHECKS];
  const failed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const started = Date.now();
      const { code, output } = await run(check.command, check.args, { stdio: 'pipe' });
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? '✓' : '✗'} ${check.name} (${seconds} s)`);
      if (code !== 0) {
        failed.push(check.name);
        console.log(output.trimEnd());
      }
    }
  };
  await Promise.all([worker(), worker()]);
  return failed;
}

async function runTests(args: readonly string[]): Promise<Summary | null> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-test-'));
  const file = path.join(directory, 'summary.json');
  try {
    const { code } = await run(
      bin('vitest/vitest.mjs'),
      [
        'run',
        '--reporter=default',
        `--reporter=${path.join(__dirname, 'lib/reporter.ts')}`,
        ...args,
      ],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, [SUMMARY_VARIABLE]: file },
      },
    );
    const summary = JSON.parse(fs.readFileSync(file, 'utf8')) as Summary;
    if (code !== 0 && summary.failed === 0 && summary.passed > 0) {
      console.log(`vitest exited with ${code} although no test failed`);
      summary.failed = 1;
    }
    return summary;
  } catch {
    return null; // vitest ended before it could say anything; its own output tells why
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function report(summary: Summary | null, failedChecks: readonly string[]): number {
  const { passed, failed, skipped, skips } = summary ?? {
    passed: 0,
    failed: 1,
    skipped: 0,
    skips: [],
  };
  for (const { test, reason } of skips) {
    console.log(`skipped: ${test}: ${reason ?? 'no reason given'}`);
  }
  const strict = /^(?:1|true)$/.test(process.env.CI ?? '');
  if (failedChecks.length > 0) console.log(`failed checks: ${failedChecks.join(', ')}`);
  if (summary !== null && passed + failed + skipped === 0) console.log('no test ran');
  if (strict && skipped > 0) console.log('in CI a skipped test is a failure');
  const failures = failed + failedChecks.length;
  console.log(`${passed} passed, ${failures} failed, ${skipped} skipped`);
  return failures === 0 && passed > 0 && !(strict && skipped > 0) ? 0 : 1;
}

interface Ended {
  code: number;
  output: string;
}

/** Runs a program of Node.js. Ctrl-C reaches it directly; we wait for it to end. */
function run(program: string, args: readonly string[], options: SpawnOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: ROOT, ...options });
    let output = '';
    const gather = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout?.on('data', gather);
    child.stderr?.on('data', gather);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

process.on('SIGINT', () => {
  process.exitCode = 130;
});
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode ||= code;
  },
  (error) => {
    console.error(`scripts/test: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  },
);
