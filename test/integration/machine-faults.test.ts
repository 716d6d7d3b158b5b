import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MiB } from './support/bytes.js';
import { type Namespace, withNamespace, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import type { Running } from './support/running.js';
import { HOST, SERVER, Serving } from './support/serving.js';

const DEVICE = 'tunf';
const BYTES = 256 * MiB;
const LONG = 90_000;

beforeEach((context) => requireTun(context, 'curl', 'nc', 'ping', 'ip'));

/** Packets of the MTU only, so that there is time for a fault. */
const slow = (body: (namespace: Namespace, serving: Serving) => Promise<void>) =>
  withServe(['--device', DEVICE, '--no-offload'], body, { bulk: true });

async function downloading(namespace: Namespace, bytes = BYTES): Promise<Running> {
  const running = namespace.startPeer('download', [SERVER, bytes]);
  await running.says(/begun/);
  return running;
}

/** What a download prints when it has ended. */
async function result(running: Running): Promise<{ bytes: number; sha256: string; error: string }> {
  const ended = await running.end(60_000);
  return JSON.parse(ended.text.trimEnd().split('\n').at(-1)!);
}

async function whole(namespace: Namespace, bytes = BYTES): Promise<object> {
  const again = await result(await downloading(namespace, bytes));
  expect(again).toMatchObject({ bytes, error: null });
  return again;
}

const ip = async (namespace: Namespace, ...args: string[]) =>
  expect(await namespace.exec('ip', args)).toMatchObject({ code: 0 });

/** Until the stack has sent something in vain. */
async function timeouts(namespace: Namespace): Promise<void> {
  await vi.waitUntil(
    async () => {
      const { text } = await namespace.tuntcp(['stat', '--json']).end();
      return JSON.parse(text).tcpTimeouts > 0;
    },
    { timeout: 20_000 },
  );
}

async function answers(namespace: Namespace): Promise<void> {
  const page = await namespace.exec('curl', ['-sS', '--max-time', '10', `http://${SERVER}/`]);
  expect(page).toMatchObject({ code: 0, stderr: '' });
  const { text } = await namespace.tuntcp(['ss', '--device', DEVICE, '--all']).end();
  expect(text).toMatch(/LISTEN/);
}

describe('under load', () => {
  it('a device that is deleted ends serve with the reason, and it starts again at once', async () => {
    await slow(async (namespace, serving) => {
      await downloading(namespace);
      await ip(namespace, 'link', 'del', DEVICE);
      const ended = await serving.process.end();
      expect(ended).toMatchObject({ code: 1, signal: null });
      expect(ended.stderr).toMatch(/EBADFD: tunf was deleted: open it again/);
      await namespace.startServe(['--device', DEVICE]);
      await answers(namespace);
    });
  });

  it(
    'a device that is down, and an address that is gone, cost time and no byte',
    async () => {
      await slow(async (namespace) => {
        const expected = await whole(namespace);
        const first = await downloading(namespace);
        await ip(namespace, 'link', 'set', DEVICE, 'down');
        await timeouts(namespace);
        await ip(namespace, 'link', 'set', DEVICE, 'up');
        expect(await result(first)).toEqual(expected);
        const second = await downloading(namespace);
        await ip(namespace, 'addr', 'del', `${HOST}/24`, 'dev', DEVICE);
        const during = await namespace.exec('ping', ['-c', '1', '-W', '1', SERVER]);
        expect(during.code).not.toBe(0);
        await ip(namespace, 'addr', 'add', `${HOST}/24`, 'dev', DEVICE);
        expect(await result(second)).toEqual(expected);
        await answers(namespace);
      });
    },
    LONG,
  );

  it(
    'a process that is stopped goes on where it was',
    async () => {
      await slow(async (namespace, serving) => {
        const expected = await whole(namespace);
        const download = await downloading(namespace);
        serving.process.signal('SIGSTOP');
        // It takes a second to find out that nobody answers.
        const ping = await namespace.exec('ping', ['-c', '1', '-W', '1', SERVER]);
        expect(ping.code).toBe(1);
        serving.process.signal('SIGCONT');
        expect(await result(download)).toEqual(expected);
        await answers(namespace);
      });
    },
    LONG,
  );

  it('a serve that is killed starts again at once, and its old connections are reset', async () => {
    await slow(async (namespace, serving) => {
      const old = namespace.spawn('nc', [SERVER, '7']);
      old.stdin.write('hello\n');
      await old.says(/hello/);
      await downloading(namespace);
      serving.process.signal('SIGKILL');
      // At once: without a wait for the end of the other.
      await Serving.start(namespace.tuntcp(['serve', '--device', DEVICE]));
      expect((await serving.process.ended).signal).toBe('SIGKILL');
      await answers(namespace);
      old.stdin.write('anybody?\n');
      expect((await old.end()).text).toBe('hello\n');
    });
  });

  it(
    'a heap of 24 MiB is enough for 40 connections',
    async () => {
      await withNamespace(async (namespace) => {
        const env = { NODE_OPTIONS: '--max-old-space-size=24' };
        const cli = `${process.cwd()}/dist/cli/main.js`;
        const args = [cli, 'serve', '--device', DEVICE];
        const serving = await Serving.start(namespace.spawn(process.execPath, args, { env }));
        const many = Array.from({ length: 40 }, () => whole(namespace, 8 * MiB));
        await Promise.all(many);
        await answers(namespace);
        expect(await serving.interrupt()).toMatchObject({ code: 0, stderr: '' });
      });
    },
    LONG,
  );
});

describe('a worker with a stack', () => {
  it(
    'that is terminated in mid-transfer leaves nothing behind',
    async () => {
      await withNamespace(async (namespace) => {
        const report = await namespace.peer('terminated-stacks', [8], 60_000);
        expect(report).toEqual({ terminated: 8, interfaces: ['lo'], tunDescriptors: 0 });
      });
    },
    LONG,
  );
});
