import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Namespace } from '../integration/support/namespace.js';

/** A server of a database in a namespace, with its data in a directory of its own. */
export interface Database {
  readonly port: number;
  stop(): Promise<void>;
}

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Redis on the kernel's TCP at `host`; it keeps nothing on disk. */
export async function startRedis(namespace: Namespace, host: string): Promise<Database> {
  const port = 6379;
  const directory = mkdtempSync(join(tmpdir(), 'tuntcp-redis-'));
  const settings = { bind: host, port, dir: directory, save: '', 'protected-mode': 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = namespace.spawn('redis-server', args);
  await server.says(/Ready to accept connections/);
  return {
    port,
    async stop() {
      server.signal('SIGTERM');
      await server.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Where the programs of PostgreSQL's server are; null when it is not installed. */
export function postgresPrograms(): string | null {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root) : [];
  const [newest] = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `${root}/${version}/bin`)
    .concat('/usr/bin')
    .filter((directory) => existsSync(`${directory}/initdb`));
  return newest ?? null;
}

/** PostgreSQL on the kernel's TCP at `host`, which trusts everybody; it does not run as root. */
export async function startPostgres(namespace: Namespace, host: string): Promise<Database> {
  const port = 5432;
  const programs = postgresPrograms()!;
  const directory = mkdtempSync(join(tmpdir(), 'tuntcp-postgres-'));
  chmodSync(directory, 0o700);
  if (isRoot) chownSync(directory, NOBODY, NOBODY);
  const data = join(directory, 'data');
  const initialize = [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-N',
    '--no-locale',
    '-E',
    'UTF8',
  ];
  const made = await namespace.exec(...asNobody(`${programs}/initdb`, initialize));
  if (made.code !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const settings = {
    listen_addresses: host,
    port,
    unix_socket_directories: '',
    fsync: 'off',
    shared_buffers: '1MB',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  options.push('-c', `hba_file=${data}/hba`);
  const allow = ['-c', 'echo "host all all all trust" >"$0"', `${data}/hba`];
  await namespace.exec(...asNobody('sh', allow));
  const server = namespace.spawn(...asNobody(`${programs}/postgres`, ['-D', data, ...options]));
  await server.says(/database system is ready to accept connections/);
  return {
    port,
    async stop() {
      // SIGINT is a fast shutdown: clients that are still there are cut off.
      server.signal('SIGINT');
      await server.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The command as a user that is not root, without which PostgreSQL does not start. */
function asNobody(command: string, args: readonly string[]): [string, string[]] {
  if (!isRoot) return ['unshare', ['-U', '--', command, ...args]];
  const identity = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  return ['setpriv', [...identity, '--', command, ...args]];
}
