import { lstatSync, mkdirSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** The longest path that a UNIX socket can have on Linux, in bytes. */
const PATH_BYTES = 107;
const SUFFIX = '.sock';

/**
 * Where the control sockets of this user's stacks are: `$XDG_RUNTIME_DIR/tuntcp` when that is set and
 * ours, else `/tmp/tuntcp-UID`.
 */
export function controlDirectory(env: NodeJS.ProcessEnv): string {
  const runtime = env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && isAbsolute(runtime)) {
    const found = statSync(runtime, { throwIfNoEntry: false });
    if (found?.isDirectory() && found.uid === userId()) return join(runtime, 'tuntcp');
  }
  return `/tmp/tuntcp-${userId()}`;
}

/** Makes the directory if need be. @throws Error when others could reach into it */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  checkDirectory(directory);
}

/** @throws Error when the directory is not ours alone: whoever else has it could pose as a stack. */
export function checkDirectory(directory: string): void {
  const found = lstatSync(directory);
  const ours = found.isDirectory() && found.uid === userId() && (found.mode & 0o077) === 0;
  if (ours) return;
  throw new Error(
    `${directory} is not a directory that you alone can open (owner ${found.uid}, mode ${(found.mode & 0o7777).toString(8)}): remove it, or set XDG_RUNTIME_DIR to one that is yours`,
  );
}

/** Names of the sockets in the directory, whether or not anybody answers; none if it is missing. */
export function socketNames(directory: string): string[] {
  let files: string[];
  try {
    files = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const sockets = files.filter((file) => file.endsWith(SUFFIX));
  return sockets.map((file) => file.slice(0, -SUFFIX.length)).sort();
}

/** @throws Error when the path is too long for a socket */
export function socketPath(directory: string, name: string): string {
  const path = join(directory, name + SUFFIX);
  if (Buffer.byteLength(path) > PATH_BYTES) {
    throw new Error(
      `${path} is too long for a socket (${PATH_BYTES} bytes): set XDG_RUNTIME_DIR to a shorter one`,
    );
  }
  return path;
}

/** Tells network namespaces apart, which may each have a `tun0`; empty where there are none. */
export function networkId(): string {
  try {
    return readlinkSync('/proc/self/ns/net').replace(/\D/g, '');
  } catch {
    return '';
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
