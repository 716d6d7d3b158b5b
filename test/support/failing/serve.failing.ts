import { expect, test } from 'vitest';
import { withServe } from '../../integration/support/namespace.js';
import { SERVER } from '../../integration/support/serving.js';

test('has its words back', async () => {
  await withServe([], async (namespace) => {
    const echo = await namespace.exec('nc', ['-N', SERVER, '7'], { input: 'hello\n' });
    expect(echo.text).toBe('goodbye\n');
  });
});

test('waits in vain', { timeout: 2_000 }, async () => {
  await withServe(['--no-offload'], async (namespace) => {
    const client = namespace.spawn('nc', [SERVER, '7']);
    client.stdin.write('hello\n');
    await client.says(/goodbye/);
  });
});

test('moves much', async () => {
  const body = async () => expect(1).toBe(2);
  await withServe([], body, { bulk: true });
});
