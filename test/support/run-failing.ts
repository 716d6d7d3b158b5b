import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PROJECT } from './show-failure.js';

const CONFIG = 'test/support/failing/vitest.config.ts';

/** What a run of `test/support/failing/` said, with the captures in a folder. */
export class FailingRun {
  constructor(
    readonly output: string,
    readonly folder: string,
  ) {}

  /** What was said of the test of this name, from its error to the next. */
  about(name: string): string {
    const from = this.output.lastIndexOf(` > ${name}\n`);
    if (from < 0) throw new Error(`nothing about ${name} in:\n${this.output}`);
    return this.output.slice(from).split(/\n⎯+\[\d+\/\d+\]⎯/)[0]!;
  }
}

/** Runs the tests of one file there in a vitest of their own. */
export async function runFailing(
  file: string,
  folder: string,
  env: NodeJS.ProcessEnv = {},
): Promise<FailingRun> {
  const args = ['run', '--config', CONFIG, '--reporter=default', `test/support/failing/${file}`];
  return run(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], folder, env);
}

/** Runs a command that a failure has printed. */
export async function runAgain(command: string, folder: string): Promise<FailingRun> {
  const itself = command.replace('vitest run', `vitest run --config ${CONFIG} --reporter=default`);
  return run('sh', ['-c', itself], folder, {});
}

async function run(
  command: string,
  args: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<FailingRun> {
  const child = spawn(command, args, {
    cwd: PROJECT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: { ...outside(), NO_COLOR: '1', TUNTCP_TEST_FAILURES: folder, ...env },
  });
  let output = '';
  const gather = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  await once(child, 'close');
  return new FailingRun(output, folder);
}

/** The environment without what the vitest around has put there. */
function outside(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter(
    (name) => !/^(?:VITEST|TUNTCP|FORCE_COLOR$|NODE_OPTIONS$|NODE_ENV$|TEST$)/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}
