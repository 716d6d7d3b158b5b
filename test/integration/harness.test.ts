import { beforeEach, expect, it } from 'vitest';
import { MiB, sha256Of, source } from './support/bytes.js';
import { withNamespace } from './support/namespace.js';
import { requireNamespace } from './support/require.js';

/** The harness itself, with the kernel's TCP on both sides. */
beforeEach((context) => requireNamespace(context));

it('gives each namespace a loopback of its own and nothing else', async () => {
  await withNamespace(async (namespace) => {
    expect(await namespace.interfaces()).toEqual(['lo']);
    const server = namespace.startPeer('http-server', ['127.0.0.1', 8080]);
    await server.says(/ready/);
    const page = await namespace.exec('curl', ['-sS', 'http://127.0.0.1:8080/']);
    expect(page).toMatchObject({ code: 0, text: 'hello\n' });
    await withNamespace(async (other) => {
      const refused = await other.exec('curl', ['-sS', 'http://127.0.0.1:8080/']);
      expect(refused.code).toBe(7);
    });
  });
});

it('streams input to a command and hashes what it says', async () => {
  await withNamespace(async (namespace) => {
    await namespace.startPeer('http-server', ['127.0.0.1', 8080]).says(/ready/);
    const upload = await namespace.exec(
      'curl',
      ['-sS', '-X', 'POST', '-T', '-', 'http://127.0.0.1:8080/'],
      { input: source(8 * MiB + 5) },
    );
    expect(JSON.parse(upload.text)).toEqual({ length: 8 * MiB + 5, sha256: sha256Of(8 * MiB + 5) });
    const copy = await namespace.exec('cat', [], { input: source(3 * MiB), digest: true });
    expect(copy).toMatchObject({ bytes: 3 * MiB, sha256: sha256Of(3 * MiB), text: '' });
  });
});

it('kills a command that takes too long, and what still runs at the end', async () => {
  let server: { ended: Promise<{ signal: string | null }> } | undefined;
  await withNamespace(async (namespace) => {
    await expect(namespace.exec('sleep', ['60'], { timeout: 100 })).rejects.toThrow(
      /sleep 60 took longer than 100 ms to end/,
    );
    server = namespace.spawn('sleep', ['60']);
  });
  expect(await server?.ended).toMatchObject({ signal: 'SIGKILL' });
});
