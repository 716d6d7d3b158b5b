import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { readMetrics } from '../../support/prometheus.js';
import { User } from '../../support/user.js';
import { ask } from '../services/request.js';
import { World } from './world.js';

let serving: World;
let ended: Promise<number>;

/** `tuntcp serve` with a listener on port 80 of its stack. */
async function serve(...argv: string[]): Promise<void> {
  serving = new World();
  serving.host.listen({ port: 80 }, () => new User());
  ended = main(['serve', ...argv], serving);
  await serving.stdout.shows('ping');
}

async function tuntcp(...argv: string[]) {
  const world = new World();
  const code = await main(argv, world);
  return { code, out: world.stdout.text, err: world.stderr.text };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

afterEach(async () => {
  serving.stop('SIGTERM');
  await ended;
});

describe('on a running stack', () => {
  it('ss lists what is asked for', async () => {
    await serve();
    const heading = 'State Recv-Q Send-Q Local Address:Port Peer Address:Port\n';
    expect(await tuntcp('ss')).toEqual({ code: 0, out: heading, err: '' });
    const listener = /^LISTEN 0 +511 +0\.0\.0\.0:80 +0\.0\.0\.0:\*$/m;
    expect((await tuntcp('ss', '-l')).out).toMatch(listener);
    expect((await tuntcp('ss', '-ai', '--device', 'tun7')).out).toMatch(listener);
    expect(JSON.parse((await tuntcp('ss', '-l', '--json')).out)).toMatchObject({
      kind: 'listener',
      localPort: 80,
    });
  });

  it('stat prints counters', async () => {
    await serve();
    serving.host.counters.tcpInSegs = 77;
    expect((await tuntcp('stat')).out).toContain('\n    77 segments received\n');
    expect(JSON.parse((await tuntcp('stat', '--json')).out)).toMatchObject({ tcpInSegs: 77 });
  });

  it('top prints once without a terminal', async () => {
    await serve();
    const top = await tuntcp('top', '--interval', '0.1');
    expect(top).toMatchObject({ code: 0, err: '' });
    expect(top.out).toMatch(/^tun7 {2}10\.7\.0\.2 {2}process \d+\nin +0bps/);
    expect(top.out).not.toContain('\x1b');
  });

  it.each(['q', '\x03'])('top takes the terminal until %j and gives it back', async (key) => {
    await serve();
    const world = new World();
    const raw: boolean[] = [];
    Object.assign(world.stdin, { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
    Object.assign(world.stdout, { isTTY: true, rows: 10, columns: 60 });
    world.env.NO_COLOR = '1';
    const code = main(['top'], world);
    await world.stdout.shows('1 LISTEN');
    world.stdin.write(key);
    expect(await code).toBe(0);
    expect(raw).toEqual([true, false]);
    expect(world.stdout.text.startsWith('\x1b[?1049h\x1b[?25l')).toBe(true);
    expect(world.stdout.text.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
    expect(world.stdout.text).not.toContain('\x1b[7m');
    expect(world.listensForStop).toBe(false);
  });

  it('top gives the terminal back when the stack ends', async () => {
    await serve();
    const world = new World();
    Object.assign(world.stdout, { isTTY: true });
    const code = main(['top', '--interval', '0.1'], world);
    await world.stdout.shows('1 LISTEN');
    serving.stop('SIGTERM');
    expect(await code).toBe(1);
    expect(world.stdout.text.endsWith('\x1b[?1049l')).toBe(true);
    expect(world.stderr.text).toMatch(/^tuntcp top: the stack has ended/);
  });

  it('top speaks JSON, one object per look', async () => {
    await serve();
    const world = new World();
    const code = main(['top', '--json', '--interval', '0.1'], world);
    await world.stdout.shows('}\n{');
    world.stop('SIGINT');
    expect(await code).toBe(0);
    expect(JSON.parse(world.stdout.text.split('\n')[0]!)).toMatchObject({
      bytesIn: 0,
      states: { LISTEN: 1 },
      connections: [],
    });
  });

  it('ss goes on looking, with a list or an object each time', async () => {
    await serve();
    const world = new World();
    const code = main(['ss', '-lw', '--interval', '0.1'], world);
    await world.stdout.shows('\n\nState');
    world.stop('SIGINT');
    expect(await code).toBe(0);
    expect(world.stdout.text.match(/^LISTEN 0 +511 /gm)!.length).toBeGreaterThan(1);
    const json = new World();
    const jsonCode = main(['ss', '-l', '--interval', '0.1', '--json'], json);
    await json.stdout.shows('}\n{');
    json.stop('EPIPE');
    expect(await jsonCode).toBe(0);
    for (const line of json.stdout.text.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ sockets: [{ localPort: 80 }], omitted: 0 });
    }
  });

  it('stat goes on with what was added meanwhile', async () => {
    await serve();
    const { counters } = serving.host;
    counters.tcpInSegs = 50;
    const world = new World();
    const code = main(['stat', '-i', '0.1', '--json'], world);
    await world.stdout.shows('}\n');
    counters.tcpInSegs = 57;
    await world.stdout.shows('"tcpInSegs":7,');
    world.stop('SIGINT');
    expect(await code).toBe(0);
    const [first] = world.stdout.text.split('\n');
    expect(JSON.parse(first!)).toMatchObject({ counters: { tcpInSegs: 0, drops: {} } });
    const table = new World();
    const tableCode = main(['stat', '--interval', '0.1'], table);
    await table.stdout.shows('0bps        0        0        0\n');
    serving.stop('SIGTERM');
    expect(await tableCode).toBe(1);
    expect(table.stdout.text).toMatch(/^-+packets\/s-+ .*\n +in +out .*\n +0 +0 +0bps/);
    expect(table.stderr.text).toMatch(/^tuntcp stat: the stack has ended/);
  });

  it('serves metrics to the loopback', async () => {
    const port = await freePort();
    await serve('--metrics', String(port));
    const page = await ask(port, '/metrics');
    expect(page.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(readMetrics(page.body.toString()).get('tuntcp_listeners')?.samples[0]?.value).toBe(1);
    expect((await ask(port, '/')).status).toBe(404);
    expect((await ask(port, '/metrics', { method: 'POST' })).status).toBe(405);
    expect(await tuntcp('serve', '--metrics', String(port))).toMatchObject({
      code: 1,
      err: `tuntcp serve: --metrics: 127.0.0.1:${port} is in use: choose another port\n`,
    });
  });

  it('serve is refused a second time', async () => {
    await serve('--device', 'tun7');
    expect(await tuntcp('serve', '--device', 'tun7')).toEqual({
      code: 1,
      out: '',
      err: `tuntcp serve: tun7 is served by process ${process.pid} already: end that one, or choose another --device\n`,
    });
  });

  it('nothing is left when it has ended', async () => {
    await serve();
    serving.stop('SIGTERM');
    await ended;
    const none = await tuntcp('ss');
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^tuntcp ss: no stack runs .* start one with tuntcp serve/);
  });
});
