import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { GiB, MiB, sha256Of, source } from './support/bytes.js';
import type { Namespace } from './support/namespace.js';
import { withNamespace, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import { SERVER } from './support/serving.js';

/** ms for a GiB on a busy machine. */
const LONG = 120_000;

beforeEach((context) => requireTun(context, 'curl', 'nc'));

function withBulkServe(args: readonly string[], body: (namespace: Namespace) => Promise<void>) {
  return withServe(args, body, { bulk: true });
}

/** SHA-256 of what `/bytes/N` is: byte i is i mod 251. */
function sha256OfService(length: number): string {
  const block = Buffer.from(Uint8Array.from({ length: 251 * 4096 }, (_, i) => i % 251));
  const hash = createHash('sha256');
  for (let left = length; left > 0; left -= block.length) {
    hash.update(block.subarray(0, Math.min(left, block.length)));
  }
  return hash.digest('hex');
}

describe.each([
  ['with offload', []],
  ['without offload', ['--no-offload']],
])('%s', (_, options) => {
  it('curl downloads 1 GiB whose SHA-256 is right', { timeout: LONG }, async () => {
    await withBulkServe(options, async (namespace) => {
      const download = await namespace.exec('curl', ['-sS', `http://${SERVER}/bytes/${GiB}`], {
        digest: true,
        timeout: LONG,
      });
      const sha256 = sha256OfService(GiB);
      expect(download).toMatchObject({ code: 0, bytes: GiB, sha256, stderr: '' });
    });
  });

  it('curl uploads 1 GiB and the server has the same SHA-256', { timeout: LONG }, async () => {
    await withBulkServe(options, async (namespace) => {
      const args = ['-sS', '-X', 'POST', '-T', '-', `http://${SERVER}/sum`];
      const upload = await namespace.exec('curl', args, { input: source(GiB), timeout: LONG });
      expect(upload.stderr).toBe('');
      expect(JSON.parse(upload.text)).toEqual({ bytes: GiB, sha256: sha256Of(GiB) });
    });
  });

  it('nc sends bytes to echo and has the same back', { timeout: LONG }, async () => {
    await withBulkServe(options, async (namespace) => {
      const length = 256 * MiB + 1;
      const echo = await namespace.exec('nc', ['-N', SERVER, '7'], {
        input: source(length),
        digest: true,
        timeout: LONG,
      });
      expect(echo).toMatchObject({ code: 0, bytes: length, sha256: sha256Of(length) });
    });
  });

  it('nc sends bytes to discard and both close', { timeout: LONG }, async () => {
    await withBulkServe(options, async (namespace) => {
      const input = source(64 * MiB);
      const discard = await namespace.exec('nc', ['-N', SERVER, '9'], { input, timeout: LONG });
      expect(discard).toMatchObject({ code: 0, bytes: 0 });
    });
  });

  it('tuntcp nc and the kernel send each other bytes', { timeout: LONG }, async () => {
    const length = 128 * MiB + 3;
    await withNamespace(async (namespace) => {
      const ours = namespace.tuntcp(['nc', ...options, '-v', '-l', '9000'], { digest: true });
      await ours.says(/Listening/);
      // As a client: nc -l leaves as soon as its peer has sent FIN.
      const kernel = namespace.spawn('nc', ['-N', SERVER, '9000'], { digest: true });
      source(length).pipe(kernel.stdin);
      source(length).pipe(ours.stdin);
      const sha256 = sha256Of(length);
      expect(await ours.end(LONG)).toMatchObject({ code: 0, bytes: length, sha256 });
      expect(await kernel.end(LONG)).toMatchObject({ code: 0, bytes: length, sha256 });
    });
  });
});
