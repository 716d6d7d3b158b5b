import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { Iperf3Server } from '../../../src/services/iperf3.js';
import { World } from './world.js';

let world: World;
let server: Iperf3Server;

beforeEach(async () => {
  world = new World();
  server = new Iperf3Server(net);
  await new Promise<void>((resolve) => server.listen(0, resolve));
  world.peer(5201, (server.address() as net.AddressInfo).port);
});
afterEach(() => void server.close());

async function iperf3(...args: string[]): Promise<number> {
  return main(['iperf3', ...args], world);
}

describe('tuntcp iperf3', () => {
  it('prints what iperf3 prints, and gives the device back', async () => {
    expect(await iperf3('-c', '10.7.0.1', '-n', '2M', '-P2', '-T', 'test')).toBe(0);
    const lines = world.stdout.text.split('\n');
    expect(lines[0]).toBe('Connecting to host 10.7.0.1, port 5201');
    const head = 'test:  [ ID] Interval           Transfer     Bitrate';
    expect(lines.filter((line) => line === head)).toHaveLength(2);
    expect(world.stdout.text).toMatch(/^test: {2}\[SUM\] .* 2\.00 MBytes .* receiver$/m);
    expect(lines.slice(-3)).toEqual(['', 'iperf Done.', '']);
    expect(world).toMatchObject({ linksOpen: 0, hostsOpen: 0, listensForStop: false });
  });

  it('speaks JSON', async () => {
    expect(await iperf3('-c', '10.7.0.1', '-k', '16', '-l', '1K', '-R', '-J')).toBe(0);
    const output = JSON.parse(world.stdout.text);
    expect(output.start.test_start).toMatchObject({ blksize: 1024, blocks: 16, reverse: 1 });
    expect(output.end.sum_received.bytes).toBeGreaterThanOrEqual(16 * 1024);
    expect(output).not.toHaveProperty('error');
  });

  it('shows what there is at Ctrl-C', async () => {
    const ended = iperf3('-c', '10.7.0.1', '-t', '60', '-i', '0.1');
    await world.stdout.shows('sec');
    world.stop('SIGINT');
    expect(await ended).toBe(130);
    expect(world.stdout.text).toMatch(/receiver\n$/);
    expect(world).toMatchObject({ linksOpen: 0, hostsOpen: 0 });
  });

  it('says when nobody listens', async () => {
    const other = net.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    world.peer(5201, (other.address() as net.AddressInfo).port);
    other.close();
    await once(other, 'close');
    expect(await iperf3('-c', '10.7.0.1')).toBe(1);
    expect(world.stderr.text).toMatch(/^tuntcp iperf3: connect ECONNREFUSED/);
  });

  it.each([
    [[], /takes -c HOST/],
    [['-c', 'h', '-t', '1', '-n', '1M'], /one of --time, --bytes/],
    [['-c', 'h', '-R', '--bidir'], /one of --bidir/],
    [['-c', 'h', '-l', '2M'], /--length/],
    [['-c', 'h', '-n', 'much'], /--bytes takes a number like 10M/],
    [['-c', 'h', '-i', '0.01'], /--interval/],
    [['-c', 'h', '-P', '1000'], /--parallel must be 1 to 128/],
    [['-c', 'h', '-f', 'x'], /--format/],
    [['-c', 'h', '-u'], /unknown option '-u'/],
  ])('%j is wrong usage', async (args, message) => {
    expect(await iperf3(...args)).toBe(2);
    expect(world.stderr.text).toMatch(message);
    expect(world.opened).toEqual([]);
  });
});
