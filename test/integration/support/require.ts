import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TestContext } from 'vitest';
import { PROJECT } from './namespace.js';

/** `PATH` with what ordinary users may lack in theirs, and what `scripts/test` has unpacked. */
export const TOOLS = `${process.env.PATH}:/usr/sbin:/sbin:${PROJECT}.cache/bin`;

const inCi = /^(?:1|true)$/.test(process.env.CI ?? '');

/** Why no network namespace can be made here; null when one can. */
export const noNamespace = memoize((): string | null => {
  if (process.platform !== 'linux')
    return `network namespaces are a part of Linux, this is ${process.platform}`;
  const flags = process.getuid?.() === 0 ? ['-n'] : ['-U', '-r', '-n'];
  const { status, stderr, error } = spawnSync('unshare', [...flags, 'true'], { encoding: 'utf8' });
  if (error) return `unshare cannot be run: ${error.message}`;
  return status === 0 ? null : `no network namespace can be made: ${stderr.trim()}`;
});

/** Why no TUN device can be used here; null when one can. */
export const noTun = memoize((): string | null => {
  const reason = noNamespace();
  if (reason !== null) return reason;
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
  } catch (error) {
    return `/dev/net/tun cannot be opened: ${(error as Error).message}`;
  }
  if (!existsSync(`${PROJECT}dist/cli/main.js`)) return 'dist/ is not built (npm run build)';
  try {
    const locate = createRequire(import.meta.url)('node-gyp-build') as {
      resolve(dir: string): string;
    };
    locate.resolve(PROJECT);
  } catch {
    return 'the addon is not compiled (npx node-gyp rebuild)';
  }
  return null;
});

/** Skips the test, with the reason, where no namespace can be made; in CI the test fails. */
export function requireNamespace(context: TestContext): void {
  skip(context, noNamespace());
}

/** Skips the test, with the reason, where no TUN device can be used; in CI the test fails. */
export function requireTun(context: TestContext, ...commands: string[]): void {
  skip(context, noTun() ?? missing(commands));
}

/** Skips the test, with the reason, where a command is not installed; in CI the test fails. */
export function requireCommands(context: TestContext, ...commands: string[]): void {
  skip(context, missing(commands));
}

/** Skips the test, with the reason, where `what` was not found; in CI the test fails. */
export function requireFound(context: TestContext, found: unknown, what: string): void {
  skip(context, found === null ? `not installed: ${what}` : null);
}

function missing(commands: readonly string[]): string | null {
  const env = { ...process.env, PATH: TOOLS };
  const absent = commands.filter(
    (command) => spawnSync('sh', ['-c', 'command -v "$0"', command], { env }).status !== 0,
  );
  return absent.length === 0 ? null : `not installed: ${absent.join(', ')}`;
}

function skip(context: TestContext, reason: string | null): void {
  if (reason === null) return;
  if (inCi) throw new Error(`in CI this test must run, and cannot: ${reason}`);
  context.skip(reason);
}

function memoize<T>(compute: () => T): () => T {
  let value: { is: T } | undefined;
  return () => {
    value ??= { is: compute() };
    return value.is;
  };
}
