import { describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import { World } from './world.js';

async function tuntcp(...argv: string[]) {
  const world = new World();
  const code = await main(argv, world);
  return { code, out: world.stdout.text, err: world.stderr.text, world };
}

describe('tuntcp', () => {
  it('prints help and version on standard output', async () => {
    const help = await tuntcp('--help');
    expect([help.code, help.err]).toEqual([0, '']);
    expect(help.out).toMatch(/^Usage: tuntcp COMMAND/);
    expect((await tuntcp('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    for (const command of [
      'serve',
      'nc',
      'run',
      'ss',
      'stat',
      'top',
      'capture',
      'trace',
      'doctor',
    ]) {
      expect(help.out).toContain(`\n  ${command} `);
      const own = await tuntcp(command, '--help');
      expect([own.code, own.err]).toEqual([0, '']);
      expect(own.out).toMatch(new RegExp(`^Usage: tuntcp ${command}`));
      for (const line of own.out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
      expect((await tuntcp('help', command)).out).toBe(own.out);
    }
  });

  it.each([
    [[], 'tuntcp: no command given; see tuntcp --help'],
    [['srve'], "tuntcp: unknown command or option 'srve'; see tuntcp --help"],
    [['serve', '--foo'], "tuntcp serve: unknown option '--foo'; see tuntcp serve --help"],
    [['serve', '--json=1'], /^tuntcp serve: option '--json' does not take an argument; see/],
    [['serve', '--mtu'], /^tuntcp serve: option '--mtu <value>' argument missing; see/],
    [
      ['serve', '--mtu', '9'],
      "tuntcp serve: --mtu must be 576 to 65535, not '9'; see tuntcp serve --help",
    ],
    [['serve', '--http', '65536'], /--http must be 1 to 65535, not '65536'/],
    [['serve', '--host', '10.7.0.1'], /--host takes ADDRESS\/PREFIX like 10\.7\.0\.1\/24/],
    [['serve', '--host', '10.7.0.1/24/24'], /--host takes ADDRESS\/PREFIX/],
    [['serve', '--address', '10.7.0.256/24'], /--address takes ADDRESS\/PREFIX/],
    [
      ['serve', '--address', '10.8.0.2/24'],
      /--address 10.8.0.2\/24 is not in the network of --host 10.7.0.1\/24/,
    ],
    [['serve', '--address', '10.7.0.1/24'], /--host and --address must differ/],
    [['serve', '--dir', '/nowhere/at/all'], /--dir \/nowhere\/at\/all: no such directory/],
    [['serve', 'extra'], /unexpected argument 'extra'/],
    [['serve', '--metrics', '0'], /--metrics must be 1 to 65535, not '0'/],
    [['ss', 'port', '80'], "tuntcp ss: unexpected argument 'port'; see tuntcp ss --help"],
    [['stat', '-s'], "tuntcp stat: unknown option '-s'; see tuntcp stat --help"],
    [['top', '--interval', '0'], 'tuntcp top: --interval must be 0.1 to 60; see tuntcp top --help'],
    [['ss', '--interval', '61'], /^tuntcp ss: --interval must be 0\.1 to 60;/],
    [['trace', '-p', '0'], /--port must be 1 to 65535, not '0'/],
    [['trace', '--host', 'me'], /--host takes an IPv4 address, not 'me'/],
    [['nc', '10.7.0.1'], 'tuntcp nc: takes HOST and PORT; see tuntcp nc --help'],
    [['nc', '-l', 'x', '9'], 'tuntcp nc: takes PORT; see tuntcp nc --help'],
    [['nc', '-l', '0'], /the port must be 1 to 65535, not '0'/],
    [['nc', '-w', 'soon', '10.7.0.1', '9'], /-w takes a number of seconds, not 'soon'/],
    [['run', 'curl'], /put -- and then the command after the options/],
    [['run', '--'], /put -- and then the command/],
    [['run', '-s', '--', 'x'], "tuntcp run: unknown option '-s'; see tuntcp run --help"],
    [['doctor', 'who'], /unexpected argument 'who'/],
  ])('%j is a mistake, told in one line', async (argv, message) => {
    const { code, out, err, world } = await tuntcp(...argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.split('\n')).toHaveLength(2);
    expect(err.trimEnd()).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
    expect([world.opened.length, world.spawned.length, world.listensForStop]).toEqual([
      0,
      0,
      false,
    ]);
  });
});
