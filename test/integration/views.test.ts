import { spawnSync } from 'node:child_process';
import { beforeEach, describe, expect, it } from 'vitest';
import { readMetrics } from '../support/prometheus.js';
import { withNamespace, withServe } from './support/namespace.js';
import { requireCommands, requireTun, TOOLS } from './support/require.js';
import type { Ended } from './support/running.js';
import { HOST, SERVER } from './support/serving.js';

beforeEach((context) => requireTun(context, 'curl', 'nc', 'ss'));

/** `ts`, `sack`, `wscale:7,6` and the like of a line of `ss -i`, ours or the kernel's. */
function details(line: string) {
  const scales = /\bwscale:(\d+),(\d+)/.exec(line);
  return {
    timestamps: /\bts\b/.test(line),
    sack: /\bsack\b/.test(line),
    scales: scales === null ? null : [Number(scales[1]), Number(scales[2])],
    mss: number(line, 'mss'),
    sent: number(line, 'bytes_sent'),
    received: number(line, 'bytes_received'),
    segmentsOut: number(line, 'segs_out'),
    segmentsIn: number(line, 'segs_in'),
  };
}

function number(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
}

describe('tuntcp ss', () => {
  it('agrees with ss of the kernel about a connection', async () => {
    // With offload the kernel counts a large packet as one segment, we as what it stands for.
    await withServe(['--no-offload'], async (namespace) => {
      const client = namespace.spawn('nc', [SERVER, '7']);
      client.stdin.write('x'.repeat(8192));
      client.stdin.write('\nover\n');
      await client.says(/over/);
      const kernelSays = async () => (await namespace.exec('ss', ['-tionH', 'dst', SERVER])).text;
      let theirs = await kernelSays();
      let ours: Ended | undefined;
      // A delayed ACK may come between the two: only what the kernel says twice counts.
      for (let again = true; again; ) {
        ours = await namespace.tuntcp(['ss', '-i']).end();
        const later = await kernelSays();
        again = number(later, 'segs_out') !== number(theirs, 'segs_out');
        theirs = later;
      }
      expect(ours).toMatchObject({ code: 0, stderr: '' });
      const [, row, line, ...rest] = ours!.text.split('\n');
      expect(rest).toEqual(['']);
      const port = /:(\d+) +10\.7\.0\.2:7\b/.exec(theirs)![1];
      expect(row!.split(/ +/)).toEqual(['ESTAB', '0', '0', `${SERVER}:7`, `${HOST}:${port}`]);
      expect(theirs).toMatch(/^ESTAB /);
      const [kernel, own] = [details(theirs), details(line!)];
      expect(kernel).toMatchObject({ timestamps: true, sack: true });
      expect(own).toEqual({
        timestamps: true,
        sack: true,
        scales: [...kernel.scales!].reverse(),
        mss: kernel.mss,
        sent: kernel.received,
        received: kernel.sent,
        segmentsOut: kernel.segmentsIn,
        segmentsIn: kernel.segmentsOut,
      });
    });
  });

  it('shows a peer that does not read, and the timer that probes it', async () => {
    await withServe([], async (namespace) => {
      const page = `http://${SERVER}/bytes/100000000`;
      const slow = namespace.spawn('curl', ['-sS', '--limit-rate', '1k', '-o', '/dev/null', page]);
      let text = '';
      for (let look = 0; look < 50 && !text.includes('timer:(persist,'); look++) {
        text = (await namespace.tuntcp(['ss', '-i']).end()).text;
      }
      expect(text).toMatch(/^ESTAB +0 +[1-9]\d{4,} .*\n.* snd_wnd:\d+ .*timer:\(persist,\d+m?s/m);
      await slow.kill();
    });
  });
});

describe('tuntcp stat', () => {
  it('counts a SYN that was refused', async () => {
    await withServe([], async (namespace) => {
      const before = await namespace.tuntcp(['stat']).end();
      expect(before.text).not.toContain('tcpNoConnection');
      await namespace.peer('talk-until-error', [SERVER, 81]);
      const { text } = await namespace.tuntcp(['stat']).end();
      expect(text).toMatch(/^Drops:\n {4}1 tcpNoConnection$/m);
      expect(text).toMatch(/^ {4}1 resets sent$/m);
    });
  });
});

describe('tuntcp top', () => {
  it('shows the throughput of a transfer', async () => {
    await withServe([], async (namespace) => {
      const page = `http://${SERVER}/bytes/1000000000`;
      const transfer = namespace.spawn('curl', [
        '-sS',
        '--limit-rate',
        '2M',
        '-o',
        '/dev/null',
        page,
      ]);
      const top = namespace.tuntcp(['top', '--json', '--interval', '0.2']);
      await top.says(/"bytesOut":[1-9].*"localPort":80,/);
      await top.kill();
      await transfer.kill();
    });
  });
});

describe('tuntcp serve', () => {
  it('gives metrics to curl, and promtool finds no fault with them', async (context) => {
    requireCommands(context, 'promtool');
    const text = await withServe(['--metrics', '9464'], async (namespace) => {
      await namespace.exec('curl', ['-sS', `http://${SERVER}/`]);
      const page = await namespace.exec('curl', ['-sS', 'http://127.0.0.1:9464/metrics']);
      expect(page).toMatchObject({ code: 0, stderr: '' });
      const outside = await namespace.exec('curl', ['-sS', `http://${HOST}:9464/metrics`]);
      expect(outside.code).not.toBe(0);
      return page.text;
    });
    const received = readMetrics(text).get('tuntcp_tcp_segments_received_total')!;
    expect(received.samples[0]!.value).toBeGreaterThan(3);
    const env = { ...process.env, PATH: TOOLS };
    const check = { input: text, encoding: 'utf8', env } as const;
    const checked = spawnSync('promtool', ['check', 'metrics'], check);
    expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('is one too many on the same device, and survives kill -9 of the one before', async () => {
    await withNamespace(async (namespace) => {
      const first = await namespace.startServe(['--device', 'tun5']);
      const second = await namespace.tuntcp(['serve', '--device', 'tun5']).end();
      expect(second.code).toBe(1);
      expect(second.stderr).toMatch(/^tuntcp serve: tun5 is served by process \d+ already: .*\n$/);
      await first.process.kill();
      const none = await namespace.tuntcp(['stat']).end();
      expect(none).toMatchObject({ code: 1, text: '' });
      const third = await namespace.startServe(['--device', 'tun5']);
      expect(await namespace.tuntcp(['stat']).end()).toMatchObject({ code: 0, stderr: '' });
      await third.interrupt();
    });
  });
});
