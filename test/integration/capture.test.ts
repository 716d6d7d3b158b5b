import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.js';
import { captureLink } from '../../src/link/capture.js';
import { CaptureRing } from '../../src/link/capture-ring.js';
import { memoryPair } from '../../src/link/memory.js';
import { VirtualRuntime } from '../../src/runtime/virtual.js';
import { EventTrace } from '../../src/stack/event-trace.js';
import { Host } from '../../src/stack/host.js';
import type { TraceEvent } from '../../src/stack/trace-event.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import type { Trace } from '../../src/tcp/trace.js';
import { compileFilter } from '../../src/wire/filter.js';
import { readCapture } from '../../src/wire/pcap-reader.js';
import { CapturedPacket, OUTBOUND } from '../../src/wire/pcapng.js';
import { LinePrinter } from '../../src/wire/print.js';
import { laddersOfCapture } from '../support/ladders.js';
import { SEED } from '../support/seed.js';
import { showOnFailure } from '../support/show-failure.js';
import { User } from '../support/user.js';
import { withServe } from './support/namespace.js';
import { requireCommands, requireTun, TOOLS } from './support/require.js';
import { SERVER } from './support/serving.js';

let dir: string;
beforeEach((context) => {
  requireCommands(context, 'tcpdump', 'tshark');
  dir = mkdtempSync(join(tmpdir(), 'tuntcp-capture-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a tool prints that reads a file. */
function read(command: string, args: string[]): { lines: string[]; stderr: string } {
  const env = { ...process.env, PATH: TOOLS, LC_ALL: 'C' };
  const ended = spawnSync(command, args, { encoding: 'utf8', env, maxBuffer: 1e9 });
  expect(ended.status, ended.stderr).toBe(0);
  return { lines: ended.stdout.trimEnd().split('\n'), stderr: ended.stderr };
}

/** What a tool says besides the packets, when all is well. */
const HARMLESS = /^(?:reading from file .*|Running as user "root".*)$/gm;
const complaints = (stderr: string) => stderr.replace(HARMLESS, '').trim();

/** Lines in the manner of `tcpdump -tt`. */
function ourLines(path: string, { absolute = false, filter = '' } = {}): string[] {
  const printer = new LinePrinter({ absolute });
  const wanted = compileFilter(filter);
  return [...readCapture(readFileSync(path))]
    .filter(({ bytes }) => wanted(bytes, 0, bytes.length))
    .map(({ time, bytes }) => {
      const micros = String((time % 1_000_000_000n) / 1000n).padStart(6, '0');
      return `${time / 1_000_000_000n}.${micros} ${printer.line(bytes)}`;
    });
}

/** ms since 1970 at which the plays begin. */
const EPOCH = 1_795_275_670_241;

interface Play {
  seed: number;
  tcp?: Partial<TcpConfig>;
  offload?: boolean;
  /** Per thousand packets. */
  loss: number;
  /** The client resets the connection instead of closing it. */
  reset?: boolean;
}

/** A file with two conversations between two hosts on a bad cable, and some packets of no host. */
function record(
  { seed, tcp = {}, offload = false, loss, reset = false }: Play,
  trace?: Trace,
): string {
  const runtime = new VirtualRuntime(seed);
  const random = new Random(seed);
  const [inner, b] = memoryPair({
    runtime,
    offload,
    delay: 5,
    onPacket: () => (random.int(1000) < loss ? [] : random.int(20) === 0 ? 7 : 0),
  });
  const ring = new CaptureRing(64 * 1024 * 1024);
  const a = captureLink(inner, ring, { runtime, epoch: EPOCH });
  const hostA = new Host({ runtime, link: a, address: '10.0.0.1/24', tcp });
  if (trace !== undefined) hostA.addTrace(trace);
  const hostB = new Host({ runtime, link: b, address: '10.0.0.2/24', tcp });
  hostB.listen({ port: 7 }, (connection) => {
    const user = new User();
    user.connection = connection;
    user.write(Buffer.alloc(30_000, 'y'));
    user.end();
    return user;
  });
  for (let i = 0; i < 2; i++) {
    const user = new User();
    user.connection = hostA.connect({ remoteAddress: '10.0.0.2', remotePort: 7 }, user);
    runtime.run(runtime.now() + 200);
    user.write(Buffer.alloc(200_000, 'x'));
    runtime.run(runtime.now() + 60);
    if (reset) user.connection.abort();
    else user.end();
  }
  // To a port where nobody listens.
  const refused = new User();
  refused.connection = hostA.connect({ remoteAddress: '10.0.0.2', remotePort: 9 }, refused);
  runtime.run(runtime.now() + 100_000);
  for (const packet of strangePackets()) ring.packet(packet);
  const path = join(dir, `${seed}.pcapng`);
  writeFileSync(path, ring.file());
  showOnFailure({
    title: `two hosts, the network's seed ${seed}`,
    ladders: () => laddersOfCapture(ring.file()),
    lines: [],
    capture: () => ring.file(),
  });
  return path;
}

/** URG, odd options, and flags that no host sends together. */
function strangePackets(): CapturedPacket[] {
  const options = [
    [1, 3, 3, 7, 1, 1, 4, 2],
    [77, 6, 1, 2, 3, 4, 0, 0],
    [2, 6, 1, 1, 1, 1, 3, 3],
    [5, 5, 0, 0, 1, 1, 1, 4],
    [1, 1, 1, 2, 2, 1, 8, 2],
    [2, 4, 5, 180, 3, 9, 1, 1],
    [8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0],
    [5, 10, 0, 0, 0, 5, 0, 0, 0, 9, 1, 1],
    [2, 3, 5, 1],
    [],
  ];
  return [0x30, 0xff, 0x00, 0x12, 0x10, 0x02, 0x29].flatMap((flags, i) =>
    options.map((bytes, j) => {
      const header = 20 + bytes.length;
      const ip = Buffer.alloc(20 + header + j);
      ip.set([0x45, 0, 0, ip.length, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 8]);
      ip.writeUInt32BE(0x9c410007, 20);
      ip.writeUInt32BE(0xffff_fff0 + i, 24);
      ip.writeUInt32BE(100 * i, 28);
      ip.set([header << 2, flags, 1, i, 0, 0, 0, 17], 32);
      ip.set(bytes, 40);
      const packet = new CapturedPacket();
      packet.direction = OUTBOUND;
      packet.bytes = ip;
      packet.length = packet.originalLength = ip.length;
      return packet;
    }),
  );
}

const PLAYS: Record<string, Play> = {
  'all options, with losses': { seed: SEED, loss: 60 },
  'neither SACK nor timestamps': {
    seed: SEED + 1,
    loss: 30,
    tcp: { sack: false, timestamps: false },
  },
  'SACK without timestamps': { seed: SEED + 2, loss: 60, tcp: { timestamps: false } },
  'a reset': { seed: SEED + 3, loss: 20, reset: true },
  'super-segments': { seed: SEED + 4, loss: 0, offload: true },
};

describe('a capture file', () => {
  it.each(Object.entries(PLAYS))('is printed as tcpdump does: %s', (_, play) => {
    const path = record(play);
    const tcpdump = read('tcpdump', ['-nr', path, '-tt']);
    expect(tcpdump.lines.length).toBeGreaterThan(60);
    expect(ourLines(path)).toEqual(tcpdump.lines);
    expect(complaints(tcpdump.stderr)).toBe('');
    expect(ourLines(path, { absolute: true })).toEqual(
      read('tcpdump', ['-Snr', path, '-tt']).lines,
    );
  });

  it.each([
    'src host 10.0.0.1 and greater 100',
    'tcp src port 7 or 9',
    'not (port 7 or host 10.0.0.9)',
    'net 10.0.0.8/29 or less 40',
    'icmp or src port 9 and dst net 10.0.0.0/30',
  ])('is filtered as tcpdump does: %s', (filter) => {
    const path = record(PLAYS['all options, with losses']!);
    const { lines } = read('tcpdump', ['-Snr', path, '-tt', filter]);
    const all = ourLines(path, { absolute: true });
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(all.length);
    expect(ourLines(path, { absolute: true, filter })).toEqual(lines);
  });

  it('is read by tshark without a warning, with right checksums', () => {
    for (const play of [PLAYS['all options, with losses']!, PLAYS['super-segments']!]) {
      const path = record(play);
      const sums = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
      const hosts = 'not ip.addr == 10.0.0.9';
      const bad = `(_ws.malformed or tcp.checksum.status == "Bad" or ip.checksum.status == "Bad") and ${hosts}`;
      const { lines, stderr } = read('tshark', ['-n', '-r', path, ...sums, '-Y', bad]);
      expect(lines).toEqual(['']);
      expect(complaints(stderr)).toBe('');
      const fields = [
        '-T',
        'fields',
        '-e',
        'frame.interface_name',
        '-e',
        'frame.packet_flags_direction',
      ];
      const all = read('tshark', ['-n', '-r', path, ...fields, '-Y', hosts]).lines;
      expect(new Set(all)).toEqual(new Set(['memory:a\t0x00000001', 'memory:a\t0x00000002']));
    }
  });
});

describe('retransmissions', () => {
  it.each(['all options, with losses', 'neither SACK nor timestamps', 'SACK without timestamps'])(
    'are named by tshark as the trace names them: %s',
    (name) => {
      const named: string[] = [];
      let again = false;
      const onEvent = (event: TraceEvent) => {
        if (event.type === 'sent' && again) {
          named.push(`${(EPOCH + event.time).toFixed(2)} ${event.segment.seq}`);
        }
        again = event.type === 'retransmission';
      };
      const path = record(PLAYS[name]!, new EventTrace({ onEvent }));
      const fields = ['-T', 'fields', '-e', 'frame.time_epoch', '-e', 'tcp.seq_raw'];
      // Within a round trip of new data tshark takes a retransmission for a segment out of order.
      const wanted =
        'ip.src == 10.0.0.1 and (tcp.analysis.retransmission or tcp.analysis.out_of_order)';
      const { lines } = read('tshark', ['-n', '-r', path, '-Y', wanted, ...fields]);
      const theirs = lines.map((line) => {
        const [time, seq] = line.split('\t');
        return `${(Number(time) * 1_000).toFixed(2)} ${seq}`;
      });
      expect(named.length).toBeGreaterThan(5);
      expect(theirs).toEqual(named);
    },
  );
});

describe('tuntcp serve --pcap', () => {
  it('writes what curl and the host said to each other', async (context) => {
    requireTun(context, 'curl', 'ping');
    const path = join(dir, 'serve.pcapng');
    await withServe(['--pcap', path, '--pcap-filter', 'tcp'], async (namespace, serving) => {
      const page = await namespace.exec('curl', ['-sS', `http://${SERVER}/bytes/3000000`], {
        digest: true,
      });
      expect(page.code).toBe(0);
      await namespace.exec('ping', ['-c', '1', SERVER]);
      const ended = await serving.interrupt();
      expect(ended.stderr).toMatch(/serve\.pcapng: \d+ packets captured, 0 lost/);
    });
    const { lines, stderr } = read('tcpdump', ['-nr', path, '-tt']);
    expect(complaints(stderr)).toBe('');
    expect(ourLines(path)).toEqual(lines);
    expect(lines[0]).toMatch(/Flags \[S\]/);
    expect(lines.join('\n')).toContain('HTTP: GET /bytes/3000000 HTTP/1.1');
    expect(lines.join('\n')).not.toContain('ICMP');
    const bad = [
      '-o',
      'tcp.check_checksum:TRUE',
      '-Y',
      'tcp.checksum.status == "Bad" or _ws.malformed',
    ];
    expect(read('tshark', ['-n', '-r', path, ...bad]).lines).toEqual(['']);
  });

  it('goes on serving when the disk is full', async (context) => {
    requireTun(context, 'curl');
    await withServe(['--pcap', '/dev/full'], async (namespace, serving) => {
      const page = await namespace.exec('curl', ['-sS', `http://${SERVER}/bytes/5`]);
      expect(page).toMatchObject({ code: 0 });
      expect(page.text).toHaveLength(5);
      const ended = await serving.interrupt();
      expect(ended.code).toBe(0);
      expect(ended.stderr.match(/has ended: ENOSPC/g)).toHaveLength(1);
    });
  });
});
