import { beforeEach, describe, expect, it } from 'vitest';
import { type Namespace, withNamespace } from './support/namespace.js';
import { requireTun } from './support/require.js';
import { SERVER, Serving } from './support/serving.js';

beforeEach((context) => requireTun(context, 'curl', 'nc', 'ip', 'iperf3'));

async function withWorkers(
  body: (namespace: Namespace, serving: Serving) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  await withNamespace(async (namespace) => {
    const running = namespace.tuntcp(['serve', '--workers', '2', ...args]);
    await body(namespace, await Serving.start(running));
  });
}

describe('tuntcp serve --workers', () => {
  it('is one server to its clients, and to those who look in', async () => {
    await withWorkers(
      async (namespace) => {
        const bytes = `http://${SERVER}/bytes/100000`;
        const fetches = Array.from({ length: 12 }, () =>
          namespace.exec('curl', ['-sS', bytes], { digest: true }),
        );
        const hashes = new Set((await Promise.all(fetches)).map(({ sha256 }) => sha256));
        expect(hashes.size).toBe(1);
        const { text: counters } = await namespace.tuntcp(['stat', '--json']).end();
        expect(JSON.parse(counters)).toMatchObject({ tcpPassiveOpens: 12, shardOutPackets: 0 });
        const { text: listening } = await namespace.tuntcp(['ss', '-l', '--json']).end();
        const web = listening.split('\n').filter((line) => line.includes('"localPort":80'));
        expect(web.map((line) => JSON.parse(line).shard)).toEqual([0, 1]);
        const metrics = await namespace.exec('curl', ['-sS', 'http://127.0.0.1:9100/metrics']);
        expect(metrics.text).toContain('\ntuntcp_tcp_passive_opens_total 12\n');
        const { text: top } = await namespace.tuntcp(['top', '--interval', '0.1']).end();
        expect(top).toContain('11 LISTEN');
      },
      ['--metrics', '9100'],
    );
  });

  it('is captured and traced as one', async () => {
    await withWorkers(async (namespace) => {
      const capture = namespace.tuntcp(['capture', '-c', '60']);
      const trace = namespace.tuntcp(['trace', '--json', '-c', '150']);
      await Promise.all([capture.says(/tun0/), trace.says(/tun0/)]);
      // More than ten events each, so that those of a dozen are seen: all on one thread is unlikely.
      for (let i = 0; i < 16; i++) await namespace.exec('nc', ['-d', SERVER, '13']);
      const packets = (await capture.end()).text.trim().split('\n');
      expect(packets).toHaveLength(60);
      const events = (await trace.end()).text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(events).toHaveLength(150);
      // A SYN is nobody's yet.
      const known = events.filter(({ connection }) => connection !== null);
      const ids = new Set(known.map(({ connection }) => connection.id % 2));
      expect(ids.size).toBe(2);
    });
  });

  it('has all connections of a test of iperf3 on one thread', async () => {
    await withWorkers(async (namespace) => {
      const args = ['-c', SERVER, '-P', '6', '-n', '6M', '-J'];
      const { code, text } = await namespace.exec('iperf3', args);
      expect(code).toBe(0);
      expect(JSON.parse(text).end.sum_received.bytes).toBeGreaterThanOrEqual(6_000_000);
    });
  });

  it('ends on Ctrl-C with FIN to the clients of every thread', async () => {
    await withWorkers(async (namespace, serving) => {
      const clients = Array.from({ length: 8 }, () => namespace.spawn('nc', [SERVER, '7']));
      for (const client of clients) {
        client.stdin.write('hello\n');
        await client.says(/hello/);
      }
      expect(await serving.interrupt()).toMatchObject({ code: 0, signal: null, stderr: '' });
      for (const client of clients) {
        client.stdin.end();
        expect(await client.end()).toMatchObject({ code: 0 });
      }
      expect(await namespace.interfaces()).toEqual(['lo']);
    });
  });

  it('ends when the device is deleted', async () => {
    await withWorkers(
      async (namespace, serving) => {
        await namespace.exec('ip', ['link', 'del', 'tunw']);
        const { code, stderr } = await serving.process.end();
        expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('tunw') });
      },
      ['--device', 'tunw'],
    );
  });

  it.each([
    ['0', '--workers must be 1 to 31'],
    ['2', '--ladder is of one thread'],
  ])('refuses what it cannot do: --workers %s --ladder', async (workers, why) => {
    await withNamespace(async (namespace) => {
      const refused = await namespace.tuntcp(['serve', '--ladder', '--workers', workers]).end();
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
    });
  });
});
