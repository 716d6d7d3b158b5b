import { describe, expect, it } from 'vitest';
import { spawnInNamespace } from '../../../src/link/namespace.js';
import { openTun, type TunOptions } from '../../../src/link/tun.js';
import { checkTunOptions, parseNetwork } from '../../../src/link/tun-options.js';

const wrong: [string, unknown, string, string][] = [
  ['name', 7, 'ERR_INVALID_ARG_TYPE', 'options.name'],
  ['name', '', 'ERR_INVALID_ARG_VALUE', 'options.name'],
  ['name', 'a/b', 'ERR_INVALID_ARG_VALUE', 'options.name'],
  ['name', 'tun%d', 'ERR_INVALID_ARG_VALUE', 'options.name'],
  ['name', 'ä'.repeat(8), 'ERR_INVALID_ARG_VALUE', 'options.name'],
  ['fd', '3', 'ERR_INVALID_ARG_TYPE', 'options.fd'],
  ['fd', -1, 'ERR_OUT_OF_RANGE', 'options.fd'],
  ['offload', 1, 'ERR_INVALID_ARG_TYPE', 'options.offload'],
  ['up', 'no', 'ERR_INVALID_ARG_TYPE', 'options.up'],
  ['mtu', 67, 'ERR_OUT_OF_RANGE', 'options.mtu'],
  ['mtu', 65536, 'ERR_OUT_OF_RANGE', 'options.mtu'],
  ['mtu', 1500.5, 'ERR_OUT_OF_RANGE', 'options.mtu'],
  ['txQueueLength', 0, 'ERR_OUT_OF_RANGE', 'options.txQueueLength'],
  ['busyPoll', '50', 'ERR_INVALID_ARG_TYPE', 'options.busyPoll'],
  ['busyPoll', -1, 'ERR_OUT_OF_RANGE', 'options.busyPoll'],
  ['hostAddress', 167968769, 'ERR_INVALID_ARG_TYPE', 'options.hostAddress'],
  ['hostAddress', '10.7.0.1', 'ERR_INVALID_ARG_VALUE', 'options.hostAddress'],
  ['hostAddress', '10.7.0.256/24', 'ERR_INVALID_ARG_VALUE', 'options.hostAddress'],
  ['hostAddress', '10.7.0.1/33', 'ERR_INVALID_ARG_VALUE', 'options.hostAddress'],
  ['hostAddress', '10.7.0.1/24/8', 'ERR_INVALID_ARG_VALUE', 'options.hostAddress'],
  ['hostAddress', 'fd00::1/64', 'ERR_INVALID_ARG_VALUE', 'options.hostAddress'],
  ['routes', '10.8.0.0/16', 'ERR_INVALID_ARG_TYPE', 'options.routes'],
  ['routes', ['10.8.0.0/16', '10.8.0.1/16'], 'ERR_INVALID_ARG_VALUE', 'options.routes[1]'],
];

describe('TUN options', () => {
  it.each(wrong)('refuses %s: %j with %s', (key, value, code, field) => {
    const run = () => openTun({ [key]: value } as TunOptions);
    expect(run).toThrow(expect.objectContaining({ code }));
    expect(run).toThrow(field);
    expect(run).toThrow(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
  });

  it('refuses a name together with a descriptor', () => {
    expect(() => openTun({ name: 'tun0', fd: 3 })).toThrow('options.fd');
  });

  it('refuses what is no object', () => {
    expect(() => openTun(null as unknown as TunOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  it('of a namespace are checked before anything is started', async () => {
    await expect(spawnInNamespace({ command: '' })).rejects.toThrow('options.command');
    await expect(spawnInNamespace({ command: 'true', mtu: 7 })).rejects.toThrow('options.mtu');
    await expect(spawnInNamespace({ command: 'true', cwd: '/no/such' })).rejects.toThrow(
      'options.cwd',
    );
  });

  it('takes the edges of each range', () => {
    checkTunOptions({ mtu: 68, name: 'a'.repeat(15), hostAddress: '10.7.0.1/32', routes: [] });
    checkTunOptions({ mtu: 65535, fd: 0, txQueueLength: 1, routes: ['0.0.0.0/0', '10.8.0.1/32'] });
    expect(parseNetwork('x', '128.0.0.0/1')).toEqual({ address: '128.0.0.0', prefix: 1 });
  });
});
