import { describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { talk } from '../services/listen.js';
import { ask } from '../services/request.js';
import { World } from './world.js';

describe('tuntcp serve', () => {
  it('serves until it is stopped, then gives everything back', async () => {
    const world = new World();
    const code = main(['serve', '--device', 'tun7', '--no-offload', '--mtu', '9000'], world);
    await world.stdout.shows('ping 10.7.0.2\n');
    expect(world.stdout.text).toContain('curl http://10.7.0.2/ ');
    expect(world.opened).toMatchObject([
      { name: 'tun7', hostAddress: '10.7.0.1/24', mtu: 9000, offload: false },
    ]);
    expect((await talk(world.port(7), 'hello')).toString()).toBe('hello');
    expect((await talk(world.port(9), 'hello')).toString()).toBe('');
    expect((await talk(world.port(13), '')).toString()).toMatch(/-UTC\r\n$/);
    expect((await ask(world.port(80), '/bytes/5')).body).toHaveLength(5);
    world.stop('SIGINT');
    expect(await code).toBe(0);
    expect([world.linksOpen, world.hostsOpen, world.listensForStop]).toEqual([0, 0, false]);
    expect(world.stderr.text).toBe('');
  });

  it('stops at once at the second Ctrl-C', async () => {
    const world = new World();
    world.stuck = true;
    const code = main(['serve'], world);
    await world.stdout.shows('ping');
    world.stop('SIGINT');
    world.stop('SIGINT');
    expect(await code).toBe(130);
    expect([world.linksOpen, world.listensForStop]).toEqual([0, false]);
  });

  it('fails when its device is taken away', async () => {
    const world = new World();
    const code = main(['serve'], world);
    await world.stdout.shows('ping');
    world.loseDevice(new Error('read EBADFD: tun7 was deleted: open it again'));
    expect(await code).toBe(1);
    expect(world.stderr.text).toBe('tuntcp serve: read EBADFD: tun7 was deleted: open it again\n');
  });

  it('ends quietly when nobody reads its output', async () => {
    const world = new World();
    const code = main(['serve'], world);
    await world.stdout.shows('ping');
    world.stop('EPIPE');
    expect(await code).toBe(0);
    expect(world.stderr.text).toBe('');
  });

  it('speaks JSON, one object per line', async () => {
    const world = new World();
    const code = main(['serve', '--json', '--verbose', '--http', '8080'], world);
    await world.stdout.shows('"ready"');
    await talk(world.port(7), 'x');
    await world.stdout.shows('"closed"');
    world.stop('SIGTERM');
    expect(await code).toBe(0);
    const events = world.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events[0]).toEqual({
      event: 'ready',
      device: 'tun7',
      host: '10.7.0.1',
      address: '10.7.0.2',
      ports: { echo: 7, discard: 9, daytime: 13, chargen: 19, iperf3: 5201, http: 8080 },
    });
    expect(events[1]).toMatchObject({
      event: 'opened',
      service: 'echo',
      remoteAddress: '127.0.0.1',
    });
    expect(events.slice(2).map(({ event }) => event)).toEqual(['closed', 'stopping', 'stopped']);
    expect(events.at(-1)).toEqual({ event: 'stopped', code: 0 });
  });

  it('passes on what the device says, in one line', async () => {
    const world = new World();
    world.openError = new Error('TUNSETIFF EPERM: it needs CAP_NET_ADMIN.\n  Run as root');
    expect(await main(['serve'], world)).toBe(1);
    expect(world.stderr.text).toBe(
      'tuntcp serve: TUNSETIFF EPERM: it needs CAP_NET_ADMIN. Run as root\n',
    );
    expect(world.listensForStop).toBe(false);
  });
});

describe('tuntcp run', () => {
  it.each([
    [['sh', '-c', 'exit 7'], 7],
    [['true'], 0],
    [['sh', '-c', 'kill -9 $$'], 137],
  ])('%j ends with %i', async (command, code) => {
    const world = new World();
    expect(await main(['run', '--no-offload', '--', ...command], world)).toBe(code);
    expect(world.spawned).toMatchObject([
      { command: command[0], args: command.slice(1), hostAddress: '10.7.0.1/24', offload: false },
    ]);
    expect([world.linksOpen, world.hostsOpen, world.stdout.text]).toEqual([0, 0, '']);
  });

  it('has its services ready before the command starts', async () => {
    const world = new World();
    const { spawn } = world.platform;
    world.platform.spawn = async (options) => {
      const started = await spawn(options);
      expect((await talk(world.port(7), 'early')).toString()).toBe('early');
      return started;
    };
    expect(await main(['run', '--', 'true'], world)).toBe(0);
  });

  it("leaves the command's own --help alone", async () => {
    const world = new World();
    await main(['run', '--', 'true', '--help'], world);
    expect(world.spawned).toMatchObject([{ args: ['--help'] }]);
  });

  it('fails when there is no such command', async () => {
    const world = new World();
    expect(await main(['run', '--', 'no-such-command-anywhere'], world)).toBe(1);
    expect(world.stderr.text).toMatch(/^tuntcp run: .*ENOENT.*\n$/);
    expect(world.linksOpen).toBe(0);
  });
});
