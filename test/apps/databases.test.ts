import { describe, expect, it } from 'vitest';
import type { Namespace } from '../integration/support/namespace.js';
import { requireCommands, requireFound, requireTun } from '../integration/support/require.js';
import { KERNEL, namespaceWithDevice, OURS, resultOf, startNode } from './arrangements.js';
import { type Database, postgresPrograms, startPostgres, startRedis } from './databases.js';

/** What a client on our TCP has found out about a database. */
async function ask(
  name: string,
  start: (namespace: Namespace, host: string) => Promise<Database>,
): Promise<unknown> {
  const namespace = await namespaceWithDevice();
  try {
    const database = await start(namespace, KERNEL);
    const program = `test/apps/programs/${name}.mjs`;
    const client = startNode(namespace, 'ours', program, 'client', KERNEL, database.port);
    const result = await resultOf(client);
    await database.stop();
    return result;
  } finally {
    await namespace.close();
  }
}

describe('a database on the kernel, a client on our TCP', () => {
  it('ioredis and Redis', async (context) => {
    requireTun(context);
    requireCommands(context, 'redis-server');
    expect(await ask('redis', startRedis)).toEqual({
      peer: OURS,
      large: true,
      pipelined: [null, 1000],
      published: { receivers: 1, heard: ['news', 'from here'] },
      wrong: 'ERR unknown command',
      reconnected: { pong: 'PONG', otherConnection: true },
    });
  });

  it('pg and PostgreSQL', async (context) => {
    requireTun(context);
    requireFound(context, postgresPrograms(), 'postgresql');
    expect(await ask('pg', startPostgres)).toEqual({
      peer: OURS,
      large: { length: 2_000_000, sum: '02ffc7bd4a83801b8b9acee72ff81e60' },
      parallel: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
      transaction: { rowCount: 20_000, last: { id: 20_000, name: 'person 20000' } },
      notified: { channel: 'news', payload: 'from here' },
      wrong: '42703',
      connections: 3,
    });
  });
});
