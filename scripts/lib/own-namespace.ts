import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Set for the copy of a program inside the namespace: the namespace that it must not be in. */
const OUTSIDE_VARIABLE = 'TUNTCP_OUTSIDE';

/** Flags of unshare(1) for a network namespace of one's own: root needs no user namespace for it. */
export function namespaceFlags(): string[] {
  return process.getuid?.() === 0 ? ['-n'] : ['-U', '-r', '-n'];
}

/**
 * True in the copy of the program that {@link runInOwnNamespace} has started.
 * @throws Error if it runs in the namespace that it should have left
 */
export function isInOwnNamespace(): boolean {
  const outside = process.env[OUTSIDE_VARIABLE];
  if (outside === undefined) return false;
  if (outside === currentNamespace()) throw new Error('this is no network namespace of its own');
  return true;
}

/** Runs `script` in a new network namespace, which goes with all its devices; its exit status. */
export function runInOwnNamespace(script: string, args: readonly string[]): Promise<number> {
  const tsNode = path.join(__dirname, '../../node_modules/ts-node/dist/bin-transpile.js');
  const child = spawn(
    'unshare',
    [...namespaceFlags(), '--', process.execPath, tsNode, script, ...args],
    {
      stdio: 'inherit',
      env: { ...process.env, [OUTSIDE_VARIABLE]: currentNamespace() },
    },
  );
  // In a terminal Ctrl-C reaches the child too, which heeds only the first.
  process.on('SIGINT', () => child.kill('SIGINT')).on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function currentNamespace(): string {
  return fs.readlinkSync('/proc/self/ns/net');
}
