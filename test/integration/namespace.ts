import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, it } from 'vitest';
import { showOnFailure } from '../support/show-failure.js';

const isRoot = process.geteuid?.() === 0;
const unshareFlags = isRoot ? '-n' : '-Urn';
const dist = fileURLToPath(new URL('../../dist/link/tun.js', import.meta.url));

/** `scripts/test-asan` has a library loaded into each program. */
const library = process.env.TUNTCP_TEST_PRELOAD;
const preload = library === undefined ? [] : ['env', `LD_PRELOAD=${library}`];

/** Why nothing can run in a network namespace with a TUN device here; undefined: it can. */
export const namespaceMissing: string | undefined = findMissing();

function findMissing(): string | undefined {
  if (process.platform !== 'linux') return `TUN devices need Linux, this is ${process.platform}`;
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  if (!existsSync(dist)) return '`npm run build` was not run';
  const probe =
    'const { probeTun } = await import(process.argv[1]); const { device, create } = probeTun();' +
    'for (const found of [device, create]) if (found !== true) throw found;';
  const { status, stderr, error } = spawnSync(
    'unshare',
    [unshareFlags, '--', ...preload, process.execPath, '--input-type=module', '-e', probe, dist],
    { encoding: 'utf8', timeout: 20_000 },
  );
  if (error !== undefined) return `unshare: ${error.message}`;
  return status === 0 ? undefined : stderr.trim();
}

/**
 * `describe` for what needs a namespace with TUN. Without them the tests are skipped with the reason
 * printed, and fail under CI.
 */
export function describeInNamespace(name: string, tests: () => void): void {
  if (namespaceMissing === undefined) {
    describe(name, tests);
  } else if (process.env.CI) {
    describe(name, () => {
      it('finds namespaces and TUN', () => {
        throw new Error(`skipped in CI: ${namespaceMissing}`);
      });
    });
  } else {
    describe(name, () => {
      beforeEach((context) => context.skip(namespaceMissing));
      tests();
    });
  }
}

export interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** ms after which the program is killed; default 15,000. */
  timeout?: number;
  /** Run as an ordinary user who may open /dev/net/tun; only as root. */
  asNobody?: boolean;
  /** Shell commands that run in the namespace before the program; only as root. */
  setup?: string;
}

/**
 * Runs a Node program in a fresh network namespace: `script` is a path relative to this folder, or
 * absolute.
 */
export async function runInNamespace(
  script: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Run> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const program = [...preload, process.execPath, path, ...args];
  if (options.asNobody !== true && options.setup === undefined) {
    return run('unshare', [unshareFlags, '--', ...program], options.timeout);
  }
  // A node of our own, so that the machine's /dev/net/tun keeps its mode.
  const folder = mkdtempSync(join(tmpdir(), 'tuntcp-'));
  const user = options.asNobody ? 'setpriv --reuid 65534 --regid 65534 --clear-groups' : '';
  const shell = `set -e
    mount --make-rprivate /
    mount -t tmpfs none "$FOLDER"
    mknod -m 666 "$FOLDER/tun" c 10 200
    mount --bind "$FOLDER/tun" /dev/net/tun
    ${options.setup ?? ''}
    exec ${user} "$@"`;
  try {
    const argv = ['-nm', 'sh', '-c', shell, 'sh', ...program];
    return await run('unshare', argv, options.timeout, { ...process.env, FOLDER: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(
  command: string,
  args: readonly string[],
  timeout = 15_000,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, env });
    let stdout = '';
    let stderr = '';
    showOnFailure({
      title: `$ ${[command, ...args].join(' ')}`,
      ladders: () => [],
      get lines() {
        return `${stdout}${stderr}`.trimEnd().split('\n');
      },
      capture: () => null,
    });
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
