import { beforeEach, describe, expect, it } from 'vitest';
import type { Namespace } from './support/namespace.js';
import { withNamespace, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import type { Running } from './support/running.js';
import { HOST, SERVER } from './support/serving.js';

beforeEach((context) => requireTun(context, 'iperf3'));

const MiB = 1024 * 1024;

interface Figures {
  bytes: number;
  retransmits?: number;
}
interface Output {
  start: { test_start: object };
  intervals: { streams: Record<string, number>[]; sum: object }[];
  end: Record<string, Figures> & { streams: { sender: Record<string, number> }[] };
  server_output_text?: string;
  error?: string;
}

async function real(namespace: Namespace, ...args: string[]): Promise<Output> {
  const { text } = await namespace.exec('iperf3', ['-c', SERVER, '-J', ...args]);
  return JSON.parse(text) as Output;
}

async function ours(namespace: Namespace, ...args: string[]): Promise<Output> {
  const { text } = await namespace.tuntcp(['iperf3', '-c', HOST, '-J', ...args]).end();
  return JSON.parse(text) as Output;
}

async function startReal(namespace: Namespace): Promise<Running> {
  const server = namespace.spawn('iperf3', ['-s', '--forceflush']);
  await server.says(/Server listening/);
  return server;
}

describe('the server of tuntcp serve, for the real iperf3', () => {
  it('takes and sends amounts, in bytes and blocks', async () => {
    await withServe([], async (namespace) => {
      const up = await real(namespace, '-n', '10M');
      expect(up.error).toBeUndefined();
      expect(up.end.sum_sent!.bytes).toBeGreaterThanOrEqual(10 * MiB);
      expect(up.end.sum_received!.bytes).toBe(up.end.sum_sent!.bytes);
      const down = await real(namespace, '-n', '10M', '-R');
      expect(down.error).toBeUndefined();
      expect(down.end.sum_received!.bytes).toBeGreaterThanOrEqual(10 * MiB);
      expect(down.end.sum_sent!.retransmits).toBeTypeOf('number');
      const blocks = await real(namespace, '-k', '100', '-l', '1K');
      expect(blocks.end.sum_received!.bytes).toBeGreaterThanOrEqual(100 * 1024);
    });
  });

  it('runs both ways, on many streams, by time, after an omission', async () => {
    const body = async (namespace: Namespace) => {
      const both = await real(namespace, '-t', '1', '--bidir', '-P', '3');
      expect(both.error).toBeUndefined();
      expect(both.end.streams).toHaveLength(6);
      expect(both.end.sum_received!.bytes).toBeGreaterThan(0);
      expect(both.end.sum_received_bidir_reverse!.bytes).toBeGreaterThan(0);
      const late = await real(namespace, '-t', '1', '-O', '1', '-P', '8', '-R', '-N');
      expect(late.error).toBeUndefined();
      expect(late.end.sum_received!.bytes).toBeGreaterThan(0);
    };
    await withServe([], body, { bulk: true });
  });

  it('gives its own report, with our windows and retransmissions', async () => {
    await withServe([], async (namespace) => {
      const args = ['-n', '10M', '-R', '-P', '2', '--get-server-output', '-C', 'reno'];
      const { error, server_output_text: text } = await real(namespace, ...args);
      expect(error).toBeUndefined();
      expect(text).toMatch(/^\[ ID\] Interval .* Retr {2}Cwnd$/m);
      expect(text).toMatch(/^\[SUM\] .* sender$/m);
    });
  });

  it('is busy while it tests, tells of each test, and frees itself of a client that is killed', async () => {
    await withServe(['-v'], async (namespace, serving) => {
      const long = namespace.spawn('iperf3', [
        '-c',
        SERVER,
        '-t',
        '60',
        '-b',
        '10M',
        '--forceflush',
      ]);
      await long.says(/\[ {2}\d\] local/);
      expect((await real(namespace, '-n', '1M')).error).toMatch(/busy/);
      await long.kill();
      await serving.process.says(/iperf3: \S+ gave up/);
      expect((await real(namespace, '-n', '1M')).error).toBeUndefined();
      await serving.process.says(/iperf3: \S+ up 1\.00 MBytes at \S+ \S+bits\/sec/);
    });
  });

  it('refuses UDP, and tells its client when it is stopped', async () => {
    await withServe([], async (namespace, serving) => {
      const udp = await real(namespace, '-u', '-t', '1');
      expect(udp.error).toMatch(/not implemented/);
      const long = namespace.spawn('iperf3', [
        '-c',
        SERVER,
        '-t',
        '60',
        '-b',
        '10M',
        '--forceflush',
      ]);
      await long.says(/\[ {2}\d\] local/);
      expect(await serving.interrupt()).toMatchObject({ code: 0 });
      const { code, stderr } = await long.end();
      expect(code).toBe(1);
      expect(stderr).toMatch(/server has terminated|closed unexpectedly/);
    });
  });
});

describe('tuntcp iperf3, against the real server', () => {
  it('sends and receives amounts, with our retransmissions and round-trip times', async () => {
    await withNamespace(async (namespace) => {
      await startReal(namespace);
      const up = await ours(namespace, '-n', '10M');
      expect(up.error).toBeUndefined();
      expect(up.end.sum_sent!.bytes).toBe(10 * MiB);
      expect(up.end.streams[0]!.sender).toMatchObject({ retransmits: expect.any(Number) });
      expect(up.end.streams[0]!.sender.max_rtt).toBeGreaterThan(0);
      const down = await ours(namespace, '-n', '10M', '-R');
      expect(down.error).toBeUndefined();
      expect(down.end.sum_received!.bytes).toBeGreaterThan(9 * MiB);
    });
  });

  it('runs both ways on many streams', async () => {
    await withNamespace(async (namespace) => {
      await startReal(namespace);
      const both = await ours(namespace, '-t', '1', '--bidir', '-P', '2');
      expect(both.error).toBeUndefined();
      expect(both.end.streams).toHaveLength(4);
      expect(both.end.sum_received_bidir_reverse!.bytes).toBeGreaterThan(0);
    });
  });

  it('has the fields of the real client in its JSON', async () => {
    await withServe([], async (namespace) => {
      const theirs = await real(namespace, '-n', '10M');
      const server = await startReal(namespace);
      const device = ['--device', 'tun9', '--host', '10.8.0.1/24', '--address', '10.8.0.2/24'];
      const args = ['iperf3', '-c', '10.8.0.1', '-J', '-n', '10M', ...device];
      const own = await namespace.tuntcp(args).end();
      await server.kill();
      const mine = JSON.parse(own.text) as Output;
      expect(mine.error).toBeUndefined();
      for (const part of ['start', 'end'] as const) {
        expect(Object.keys(theirs[part])).toEqual(expect.arrayContaining(Object.keys(mine[part])));
      }
      const [interval, theirInterval] = [mine.intervals[0]!, theirs.intervals[0]!];
      for (const [has, may] of [
        [interval.streams[0]!, theirInterval.streams[0]!],
        [interval.sum, theirInterval.sum],
        [mine.end.streams[0]!.sender, theirs.end.streams[0]!.sender],
        [mine.end.sum_sent!, theirs.end.sum_sent!],
        [mine.start.test_start, theirs.start.test_start],
      ]) {
        expect(Object.keys(may!)).toEqual(expect.arrayContaining(Object.keys(has!)));
      }
    });
  });

  it('says that a server is busy', async () => {
    await withNamespace(async (namespace) => {
      await startReal(namespace);
      const local = ['-c', '127.0.0.1', '-t', '60', '-b', '10M', '--forceflush'];
      const long = namespace.spawn('iperf3', local);
      await long.says(/\[ {2}\d\] local/);
      const busy = await namespace.tuntcp(['iperf3', '-c', HOST, '-n', '1M']).end();
      expect(busy).toMatchObject({ code: 1 });
      expect(busy.stderr).toMatch(/busy/);
    });
  });
});
