import { beforeEach, describe, expect, it } from 'vitest';
import { MiB, sha256Of, source } from './support/bytes.js';
import type { Namespace } from './support/namespace.js';
import { withNamespace, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import { HOST, SERVER } from './support/serving.js';

beforeEach((context) => requireTun(context, 'nc', 'ss'));

/** What the kernel knows of its connections to the server, those in TIME_WAIT left out. */
async function kernelSockets(namespace: Namespace): Promise<string> {
  const filter = ['state', 'connected', 'exclude', 'time-wait', 'dst', SERVER];
  const { text } = await namespace.exec('ss', ['-tionH', ...filter]);
  return text;
}

describe('half-close', () => {
  it('by the kernel: what was written before still comes back', async () => {
    await withServe([], async (namespace) => {
      const length = 8 * MiB;
      const input = source(length);
      const echo = await namespace.exec('nc', ['-N', SERVER, '7'], { input, digest: true });
      expect(echo).toMatchObject({ code: 0, bytes: length, sha256: sha256Of(length) });
      expect(await kernelSockets(namespace)).toBe('');
    });
  });

  it('by us: we read on after our FIN', async () => {
    await withNamespace(async (namespace) => {
      const length = 4 * MiB;
      const server = namespace.startPeer('answer-after-end', ['0.0.0.0', 9000, length]);
      await server.says(/ready/);
      const ours = namespace.tuntcp(['nc', HOST, '9000']);
      ours.stdin.end('this is all\n');
      expect(await ours.end()).toMatchObject({ code: 0, bytes: length });
      expect(JSON.parse((await server.end()).text)).toMatchObject({ received: 12 });
    });
  });
});

describe('RST', () => {
  it('by the kernel ends the connection with ECONNRESET, and only that one', async () => {
    await withNamespace(async (namespace) => {
      const server = namespace.startStackPeer('reset-server', [9000]);
      await server.says(/ready/);
      const other = namespace.spawn('nc', [SERVER, '9000']);
      other.stdin.write('before\n');
      await other.says(/before/);
      const client = await namespace.peer('reset-client', [SERVER, 9000]);
      expect(client).toEqual({ received: 'again\n' });
      await server.says(/error ECONNRESET/);
      other.stdin.write('after\n');
      await other.says(/after/);
    });
  });

  it('by us reaches the kernel as ECONNRESET', async () => {
    await withNamespace(async (namespace) => {
      await namespace.startStackPeer('reset-server', [9000]).says(/ready/);
      const client = await namespace.peer('talk-until-error', [SERVER, 9000]);
      expect(client).toEqual({ received: '', error: 'ECONNRESET' });
    });
  });
});

describe('many', () => {
  it('1,000 connections at once all have their own line back', { timeout: 60_000 }, async () => {
    await withServe([], async (namespace) => {
      const result = await namespace.peer('connections', [SERVER, 7, 1000], 60_000);
      expect(result).toEqual({ connected: 1000, echoed: 1000, ended: 1000, errors: {} });
    });
  });
});

describe('options', () => {
  it('that the kernel has agreed on are ours', async () => {
    await withServe([], async (namespace) => {
      const client = namespace.spawn('nc', [SERVER, '7']);
      client.stdin.write('hello\n');
      await client.says(/hello/);
      const info = await kernelSockets(namespace);
      expect(info).toMatch(/\bts\b/);
      expect(info).toMatch(/\bsack\b/);
      expect(info).toMatch(/\bwscale:(?:[1-9]|1[0-4]),\d+/);
      // 1,500 bytes less 20 of IPv4, 20 of TCP and 12 of timestamps.
      expect(info).toMatch(/\bmss:1448\b/);
    });
  });
});
