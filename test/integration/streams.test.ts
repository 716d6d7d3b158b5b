import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCapture } from '../../src/wire/pcap-reader.js';
import { type Namespace, PROJECT, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import type { Running } from './support/running.js';
import { SERVER } from './support/serving.js';

let dir: string;
beforeEach((context) => {
  requireTun(context, 'curl');
  dir = mkdtempSync(join(tmpdir(), 'tuntcp-streams-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const fetch = (namespace: Namespace, bytes: number) =>
  namespace.exec('curl', ['-sS', `http://${SERVER}/bytes/${bytes}`], { digest: true });

async function capturing(namespace: Namespace, ...args: string[]): Promise<Running> {
  const capture = namespace.tuntcp(['capture', ...args]);
  await capture.says(/listening on tun\d+, /);
  return capture;
}

async function interrupted(running: Running) {
  running.signal('SIGINT');
  return running.end();
}

/** `N packets captured, M lost`. */
function summary(stderr: string): { captured: number; lost: number } {
  const [, captured, lost] = /^(\d+) packets captured, (\d+) lost$/m.exec(stderr) ?? [];
  return { captured: Number(captured), lost: Number(lost) };
}

const packetsOf = (path: string) => [...readCapture(readFileSync(path))];

describe('tuntcp capture of a running serve', () => {
  it('prints and writes the same packets, to several at once', async (context) => {
    requireTun(context, 'tcpdump');
    const path = join(dir, 'a.pcapng');
    await withServe([], async (namespace) => {
      const lines = await capturing(namespace, '-t', 'tcp');
      const json = await capturing(namespace, '--json', 'syn or fin');
      const file = await capturing(namespace, '-w', path, 'tcp');
      expect(await fetch(namespace, 100_000)).toMatchObject({ code: 0, bytes: 100_000 });
      await namespace.peer('talk-until-error', [SERVER, 81]);
      await lines.says(/\.81 > .*Flags \[R\.\]/);
      const [one, two, three] = [
        await interrupted(lines),
        await interrupted(json),
        await interrupted(file),
      ];
      for (const ended of [one, two, three]) {
        expect(ended).toMatchObject({ code: 0 });
        expect(summary(ended.stderr)).toEqual({ captured: expect.any(Number), lost: 0 });
      }
      const tcpdump = await namespace.exec('tcpdump', ['-tnr', path]);
      expect(one.text).toBe(tcpdump.text);
      expect(one.text.split('\n').length - 1).toBe(summary(one.stderr).captured);
      const objects = two.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(objects.map(({ direction }) => direction)).toEqual(['in', 'out', 'in', 'out', 'in']);
      expect(objects[4]).toMatchObject({ comment: 'dropped: tcpNoConnection', length: 60 });
      expect(packetsOf(path)).toHaveLength(summary(three.stderr).captured);
    });
  });

  it('writes to a pipe until the stack ends, and sees how that closes', async (context) => {
    requireTun(context, 'tcpdump', 'nc');
    await withServe([], async (namespace, serving) => {
      const piped = namespace.spawn('sh', [
        '-c',
        '"$0" "$1" capture -w - | tcpdump -tnr - 2>/dev/null',
        process.execPath,
        `${PROJECT}dist/cli/main.js`,
      ]);
      await piped.says(/listening on/);
      const client = namespace.spawn('nc', ['-N', SERVER, '7']);
      client.stdin.write('hello\n');
      await client.says(/hello/);
      await serving.interrupt();
      const ended = await piped.end();
      expect(ended.stderr).toMatch(/packets captured, 0 lost\ntuntcp capture: the stack has ended/);
      expect(ended.text.trimEnd().split('\n')).toHaveLength(summary(ended.stderr).captured);
      expect(ended.text).toMatch(/Flags \[S\].*\n.*Flags \[S\.\]/);
      expect(ended.text).toMatch(/10\.7\.0\.2\.7 > .*Flags \[F\.\]/);
    });
  });

  it('ends after as many packets as were asked for', async () => {
    await withServe([], async (namespace) => {
      const capture = await capturing(namespace, '-c', '3', '-t', 'dst port 80');
      await fetch(namespace, 10);
      const ended = await capture.end();
      expect(ended).toMatchObject({ code: 0 });
      expect(ended.text.trimEnd().split('\n')).toHaveLength(3);
      expect(ended.stderr).toMatch(/^3 packets captured, 0 lost$/m);
    });
  });

  it('rotates files and cuts packets, live as with serve --pcap', async () => {
    const own = join(dir, 'serve.pcapng');
    const path = join(dir, 'live.pcapng');
    const rotate = (prefix: string) =>
      `--${prefix}rotate-size=20k --${prefix}rotate-files=2 --${prefix}snaplen=60`.split(' ');
    await withServe(['--pcap', own, ...rotate('pcap-')], async (namespace, serving) => {
      const capture = await capturing(namespace, '-w', path, ...rotate(''));
      for (let i = 0; i < 80; i++) await namespace.exec('curl', ['-sS', `http://${SERVER}/`]);
      expect(await interrupted(capture)).toMatchObject({ code: 0 });
      await serving.interrupt();
    });
    for (const name of ['serve', 'live']) {
      const files = readdirSync(dir).filter((file) => file.startsWith(name));
      expect(files).toHaveLength(2);
      expect(files).not.toContain(`${name}.pcapng`);
      for (const file of files) {
        expect(statSync(join(dir, file)).size).toBeLessThanOrEqual(20_000);
        for (const { bytes } of packetsOf(join(dir, file))) {
          expect(bytes.length).toBeLessThanOrEqual(60);
        }
      }
    }
  }, 60_000);

  it('ends with a warning when the disk is full; serve goes on', async (context) => {
    if (!existsSync('/dev/full')) context.skip('there is no /dev/full');
    await withServe([], async (namespace) => {
      const full = await namespace.tuntcp(['capture', '-w', '/dev/full']).end();
      expect(full).toMatchObject({ code: 1, text: '' });
      expect(full.stderr.match(/has ended: ENOSPC/g)).toHaveLength(1);
      const redirected = '"$0" "$1" capture -w - > /dev/full';
      const cli = `${PROJECT}dist/cli/main.js`;
      const output = await namespace.exec('sh', ['-c', redirected, process.execPath, cli]);
      expect(output.code).toBe(1);
      expect(output.stderr).toMatch(/^tuntcp: standard output: ENOSPC: .*$/m);
      const missing = join(dir, 'missing', 'a.pcapng');
      const none = await namespace.tuntcp(['capture', '-w', missing]).end();
      expect(none.code).toBe(1);
      expect(none.stderr).toMatch(/^tuntcp capture: the capture to .* has ended: ENOENT/m);
      expect(await fetch(namespace, 1000)).toMatchObject({ code: 0, bytes: 1000 });
    });
  });

  it('loses what its reader is too slow for, and says so; the transfer is not held up', async () => {
    await withServe([], async (namespace) => {
      const path = join(dir, 'slow.pcapng');
      const capture = await capturing(namespace, '-w', path);
      const lines = await capturing(namespace, '--json', '-s', '262144');
      capture.signal('SIGSTOP');
      lines.signal('SIGSTOP');
      expect(await fetch(namespace, 60_000_000)).toMatchObject({ code: 0, bytes: 60_000_000 });
      lines.signal('SIGCONT');
      await lines.says(/^\{"lost":\d+\}$/m);
      capture.signal('SIGCONT');
      const ended = await interrupted(capture);
      expect(ended.code).toBe(0);
      const { captured, lost } = summary(ended.stderr);
      expect(lost).toBeGreaterThan(0);
      expect(packetsOf(path)).toHaveLength(captured);
      const counted = await interrupted(lines);
      const missing = [...counted.text.matchAll(/^\{"lost":(\d+)\}$/gm)];
      expect(missing.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(
        summary(counted.stderr).lost,
      );
    });
  });

  it('leaves nothing behind when it is killed', async () => {
    await withServe([], async (namespace) => {
      // More than there may be at once.
      for (let i = 0; i < 9; i++) await (await capturing(namespace)).kill();
      expect(await fetch(namespace, 1_000_000)).toMatchObject({ code: 0, bytes: 1_000_000 });
      await (await capturing(namespace)).kill();
    });
  }, 60_000);
});

describe('tuntcp trace', () => {
  it('tells what curl makes TCP do, and why', async () => {
    await withServe([], async (namespace) => {
      const trace = namespace.tuntcp(['trace', '-p', '80', '-t', 'state', 'ack']);
      await trace.says(/tracing tun\d+/);
      const all = namespace.tuntcp(['trace', '--json', '-c', '10']);
      await all.says(/tracing tun\d+/);
      await fetch(namespace, 10);
      await trace.says(/-> CLOSED|-> TIME_WAIT/);
      const ended = await interrupted(trace);
      expect(ended.code).toBe(0);
      expect(ended.text).toMatch(
        /^10\.7\.0\.2:80 10\.7\.0\.1:\d+ ESTABLISHED: SYN_RECEIVED -> ESTABLISHED: ACK of our SYN: RFC 9293 §3\.10\.7\.4$/m,
      );
      expect(ended.text).not.toContain('received [');
      const lines = ended.text.trimEnd().split('\n');
      expect(ended.stderr).toMatch(new RegExp(`^${lines.length} events, 0 lost$`, 'm'));
      const first = await all.end();
      expect(first.code).toBe(0);
      const events = first.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(events).toHaveLength(10);
      expect(events[0]).toMatchObject({ type: 'received', segment: { flags: 'S' } });
      expect(Math.abs(events[0].time - Date.now())).toBeLessThan(60_000);
    });
  });
});

describe('tuntcp top on a terminal', () => {
  const terminal = fileURLToPath(new URL('./programs/terminal.py', import.meta.url));

  async function top(namespace: Namespace, ...mode: string[]) {
    const cli = [process.execPath, `${PROJECT}dist/cli/main.js`, 'top', '--interval', '0.1'];
    const ended = await namespace.exec('python3', [terminal, ...mode, ...cli], { timeout: 40_000 });
    if (ended.code !== 0) throw new Error(ended.stderr);
    return JSON.parse(ended.text);
  }

  for (const mode of ['unread', 'full']) {
    it(`ends with SIGTERM on one that is ${mode}`, async (context) => {
      requireTun(context, 'python3');
      await withServe([], async (namespace) => {
        expect(await top(namespace, mode)).toMatchObject({
          reached: true,
          ended: true,
          code: 0,
          cooked: true,
        });
      });
    }, 60_000);
  }

  it('ends with SIGTERM though the stack does not answer', async (context) => {
    requireTun(context, 'python3');
    await withServe([], async (namespace, serving) => {
      expect(await top(namespace, 'stop', String(serving.process.pid))).toMatchObject({
        reached: true,
        ended: true,
        code: 0,
        cooked: true,
        stderr: '',
      });
    });
  }, 60_000);

  it('draws until q, and leaves the terminal as it was', async (context) => {
    requireTun(context, 'python3');
    await withServe([], async (namespace) => {
      const ended = await top(namespace, 'key', 'q');
      expect(ended).toMatchObject({ reached: true, code: 0, cooked: true, stderr: '' });
      expect(ended.output.startsWith('\x1b[?1049h\x1b[?25l')).toBe(true);
      expect(ended.output).toMatch(/tun\d+ {2}10\.7\.0\.2 {2}process \d+/);
      expect(ended.output.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
    });
  }, 60_000);
});
