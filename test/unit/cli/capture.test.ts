import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { PROTOCOL_TCP, parseAddress, writeIpv4 } from '../../../src/wire/ipv4.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { CapturedPacket, OUTBOUND } from '../../../src/wire/pcapng.js';
import { World } from './world.js';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tuntcp-capture-'));
  path = join(dir, 'a.pcapng');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A SYN out to port 80 and a dropped RST in, 1.5 s after 1970 began. */
function recordTwo(): void {
  const ring = new CaptureRing(4096);
  ring.addInterface({ name: 'tun0', snaplen: 100 });
  const packet = new CapturedPacket();
  packet.timeLow = 1_500_000_999;
  for (const [flags, port, comment] of [
    [0x02, 80, null],
    [0x04, 81, 'dropped: tcpBadRst'],
  ] as const) {
    const bytes = new Uint8Array(40);
    const view = new DataView(bytes.buffer);
    const [a, b] = [parseAddress('10.7.0.2')!, parseAddress('10.7.0.1')!];
    writeIpv4(view, 0, 0, 40, 1, 0, 64, PROTOCOL_TCP, a, b);
    view.setUint16(20, 40_000);
    view.setUint16(22, port);
    view.setUint16(32, 0x5000 | flags);
    packet.bytes = bytes;
    packet.length = packet.originalLength = 40;
    packet.direction = comment === null ? OUTBOUND : 1;
    packet.comment = comment === null ? null : Buffer.from(comment);
    ring.packet(packet);
  }
  writeFileSync(path, ring.file());
}

async function run(...argv: string[]) {
  const world = new World();
  const code = await main(argv, world);
  return { code, out: world.stdout.text, err: world.stderr.text, world };
}

const SYN = 'IP 10.7.0.2.40000 > 10.7.0.1.80: Flags [S], seq 0, win 0, length 0\n';
const RST = 'IP 10.7.0.2.40000 > 10.7.0.1.81: Flags [R], seq 0, win 0, length 0\n';

describe('tuntcp capture', () => {
  it('prints the packets of a file, with the time that was asked for', async () => {
    recordTwo();
    expect(await run('capture', '-t', '-r', path)).toMatchObject({ code: 0, out: SYN + RST });
    expect((await run('capture', '-tt', '-r', path)).out).toBe(`1.500000 ${SYN}1.500000 ${RST}`);
    expect((await run('capture', '-r', path)).out).toMatch(/^\d\d:\d\d:01\.500000 IP/);
    expect((await run('capture', '-tv', '-r', path)).out).toMatch(/ \(dropped: tcpBadRst\)\n$/);
  });

  it('prints what a filter lets pass, also as JSON', async () => {
    recordTwo();
    expect((await run('capture', '-tr', path, 'port', '80')).out).toBe(SYN);
    const { out } = await run('capture', '--json', '-r', path, 'rst or port 7');
    expect(JSON.parse(out)).toEqual({
      time: '1.500000',
      direction: 'in',
      length: 40,
      line: RST.trimEnd(),
      comment: 'dropped: tcpBadRst',
    });
  });

  it('draws conversations, one to a picture', async () => {
    recordTwo();
    const { code, out } = await run('capture', '--ladder', '-r', path);
    expect(code).toBe(0);
    expect(out).toMatch(/10\.7\.0\.2:40000 +10\.7\.0\.1:80\n/);
    expect(out).toMatch(/\n\n +10\.7\.0\.2:40000 +10\.7\.0\.1:81\n/);
    expect(out).toContain('RST seq=0 (dropped: tcpBadRst)');
    expect((await run('capture', '--mermaid', '-r', path, 'syn')).out).toMatch(
      /^sequenceDiagram\n/,
    );
    expect((await run('capture', '--svg', '-r', path, 'port 81')).out).toMatch(
      /^<svg [\s\S]*<\/svg>\n$/,
    );
    expect(await run('capture', '--svg', '-r', path)).toMatchObject({
      code: 1,
      out: '',
      err:
        'tuntcp capture: --svg draws one conversation of 2; FILTER for the first: ' +
        "'host 10.7.0.2 and port 40000 and port 80'\n",
    });
    expect((await run('capture', '--ladder', '-r', path, 'port 9')).code).toBe(1);
    expect((await run('capture', '--ladder', '--svg', '-r', path)).code).toBe(2);
  });

  it('says what is wrong', async () => {
    const none = await run('capture');
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^tuntcp capture: no stack runs .*: start one with tuntcp serve/);
    expect(await run('capture', '-r', path, 'prot', '80')).toMatchObject({
      code: 2,
      err: "tuntcp capture: FILTER: unknown word 'prot' at position 1 of the filter; see tuntcp capture --help\n",
    });
    expect(await run('capture', '-r', path)).toMatchObject({ code: 1 });
    writeFileSync(path, 'no capture');
    expect(await run('capture', '-r', path)).toMatchObject({
      code: 1,
      err: 'tuntcp capture: not a capture file: neither pcapng nor pcap\n',
    });
  });
});

describe('tuntcp capture of a running stack', () => {
  let serving: World;
  let ended: Promise<number>;
  beforeEach(async () => {
    serving = new World();
    ended = main(['serve'], serving);
    await serving.stdout.shows('ping');
  });
  afterEach(async () => {
    serving.stop('SIGTERM');
    await ended;
  });

  it('says what it listens to and what it got', async () => {
    const world = new World();
    const code = main(['capture', '-w', path, '-s', '100'], world);
    await world.stderr.shows('listening');
    world.stop('SIGINT');
    expect(await code).toBe(0);
    expect(world.listensForStop).toBe(false);
    expect(world.stderr.text).toBe(
      'listening on tun7, snapshot length 100 bytes\n0 packets captured, 0 lost\n',
    );
    expect([...readCapture(readFileSync(path))]).toEqual([]);
  });

  it('leaves it to the stack to understand the filter, with the same words', async () => {
    expect(await run('capture', 'port', '80', 'prot')).toMatchObject({
      code: 2,
      out: '',
      err: "tuntcp capture: FILTER: 'and' or 'or' expected, not 'prot', at position 9 of the filter; see tuntcp capture --help\n",
    });
  });

  it('ends with the stack, and says that it did', async () => {
    const world = new World();
    const code = main(['capture'], world);
    await world.stderr.shows('listening');
    serving.stop('SIGTERM');
    expect(await code).toBe(1);
    expect(world.stderr.text).toMatch(/0 packets captured, 0 lost\n.*: the stack has ended\n$/);
  });

  it('does not write to a terminal or beyond what is asked', async () => {
    const world = new World();
    world.stdout.isTTY = true;
    expect(await main(['capture', '-w', '-'], world)).toBe(2);
    for (const [argv, problem] of [
      [['--rotate-size', '1M'], /--rotate-size and --rotate-files need -w FILE/],
      [['-w', path, '--rotate-files', '2'], /--rotate-files needs --rotate-size/],
      [['-w', path, '--rotate-size', '1x'], /--rotate-size takes a number of bytes, 1000 or more/],
      [['-w', path, '--rotate-size', '999'], /--rotate-size takes a number of bytes, 1000 or more/],
      [['-s', '0'], /--snaplen must be 1 to 262144/],
      [['-c', '0'], /--count must be 1 to/],
      [['-r', path, '-w', path], /--read and --write exclude each other/],
      [['-r', path, '-i', 'tun7'], /--read and --device exclude each other/],
    ] as const) {
      const ended = await run('capture', ...argv);
      expect(ended.code, argv.join(' ')).toBe(2);
      expect(ended.err).toMatch(problem);
    }
  });

  it('reads no more of a file than is asked for', async () => {
    recordTwo();
    expect((await run('capture', '-tr', path, '-c', '1')).out).toBe(SYN);
    expect((await run('capture', '-tr', path, '-c', '1', '-s', '30')).out).toMatch(/\[\|tcp\]\n$/);
  });
});

describe('tuntcp serve --pcap', () => {
  it('leaves a whole file behind, and says so', async () => {
    for (const json of [false, true]) {
      const world = new World();
      const code = main(['serve', '--pcap', path, ...(json ? ['--json'] : [])], world);
      await world.stdout.shows(json ? '"ready"' : 'ping');
      world.stop('SIGINT');
      expect(await code).toBe(0);
      expect([...readCapture(readFileSync(path))]).toEqual([]);
      const event = `{"event":"captured","path":"${path}","packets":0,"lost":0}\n`;
      if (json) expect(world.stdout.text).toContain(event);
      else expect(world.stderr.text).toBe(`${path}: 0 packets captured, 0 lost\n`);
    }
  });

  it('goes on without a capture when the file cannot be written', async () => {
    const world = new World();
    const code = main(['serve', '--pcap', join(dir, 'missing', 'a.pcapng')], world);
    await world.stderr.shows('has ended: ENOENT');
    await world.stdout.shows('ping');
    world.stop('SIGINT');
    expect(await code).toBe(0);
  });

  it('refuses a filter that makes no sense before it touches anything', async () => {
    const bad = await run('serve', '--pcap', path, '--pcap-filter', 'port http');
    expect(bad).toMatchObject({ code: 2 });
    expect(bad.err).toContain("--pcap-filter: a port expected, not 'http', at position 6");
    expect(bad.world.opened).toEqual([]);
    for (const option of ['filter', 'snaplen', 'rotate-size', 'rotate-files']) {
      const alone = await run('serve', `--pcap-${option}`, '2000');
      expect(alone.code).toBe(2);
      expect(alone.err).toContain(`--pcap-${option} needs --pcap FILE`);
    }
    const snaplen = await run('serve', '--pcap', path, '--pcap-snaplen', '0');
    expect(snaplen.err).toContain('--pcap-snaplen must be 1 to 262144');
  });
});
