import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Namespace, PROJECT, withNamespace } from '../integration/support/namespace.js';
import {
  requireCommands,
  requireFound,
  requireNamespace,
  requireTun,
} from '../integration/support/require.js';
import { KERNEL, NODE } from './arrangements.js';
import { type Database, postgresPrograms, startPostgres, startRedis } from './databases.js';

/** What each example prints that needs no privileges, and what Node is to be told. */
const OUTPUT: Record<string, [output: string, ...options: string[]]> = {
  http: [
    "serving at { address: '0.0.0.0', family: 'IPv4', port: 80 }\n200 10.7.0.1 asked for /hello\n",
  ],
  https: ['TLSv1.3 nobody else has read this\n'],
  http2: ['you asked for /one\nyou asked for /two\n'],
  fetch: ['200 echoed\n'],
  ws: ['you said hello\n'],
  ssh: ['this is not a shell, but you said: uname -a\n'],
  grpc: ['hello world\n', '--import', 'tuntcp/register'],
  register: [
    '{"state":"ESTABLISHED","congestionControl":"cubic","isSocket":true}\n',
    '--import',
    'tuntcp/register',
  ],
};

async function outputOf(namespace: Namespace, name: string, options: string[], args: string[]) {
  const command = [...options, `examples/${name}.mjs`, ...args];
  const { code, stderr, text } = await namespace.exec(NODE, command);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return text;
}

/** Runs an example that asks a database on the kernel, beside a device that it makes for itself. */
async function asked(
  name: string,
  start: (namespace: Namespace, host: string) => Promise<Database>,
): Promise<string> {
  return withNamespace(async (namespace) => {
    // The database has to listen before there is a device with the address.
    const database = await start(namespace, '0.0.0.0');
    const text = await outputOf(namespace, name, [], [KERNEL, String(database.port)]);
    await database.stop();
    return text;
  });
}

describe('examples/', () => {
  for (const [name, [output, ...options]] of Object.entries(OUTPUT)) {
    it(name, async (context) => {
      requireNamespace(context);
      await withNamespace(async (namespace) => {
        expect(await outputOf(namespace, name, options, [])).toBe(output);
      });
    });
  }

  it('register, on the kernel', async (context) => {
    requireNamespace(context);
    await withNamespace(async (namespace) => {
      const output = '{"state":"known to the kernel alone","isSocket":true}\n';
      expect(await outputOf(namespace, 'register', [], [])).toBe(output);
    });
  });

  it('redis', async (context) => {
    requireTun(context);
    requireCommands(context, 'redis-server');
    const output = 'hello from a TCP in TypeScript\n10.7.0.2\n';
    expect(await asked('redis', startRedis)).toBe(output);
  });

  it('postgres', async (context) => {
    requireTun(context);
    requireFound(context, postgresPrograms(), 'postgresql');
    expect(await asked('postgres', startPostgres)).toBe('10.7.0.2 42\n');
  });

  it('are all run, here or in unit/docs/examples.test.ts', () => {
    const there = readdirSync(`${PROJECT}examples`).filter((file) => file.endsWith('.mjs'));
    const elsewhere = ['redis', 'postgres', 'congestion-control'];
    const names = [...Object.keys(OUTPUT), ...elsewhere].map((name) => `${name}.mjs`);
    expect(names.sort()).toEqual(there.sort());
  });
});
