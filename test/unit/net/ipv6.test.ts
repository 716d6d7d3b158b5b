import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ipv4Of } from '../../../src/net/ipv6.js';
import net from '../../../src/net/module.js';

/** What `node:net` says on Linux with `net.ipv6.conf.all.disable_ipv6=1`. */
const REFUSED: [options: Record<string, unknown>, message: string][] = [
  [{ host: '::1' }, 'connect EADDRNOTAVAIL ::1:9 - Local (:::0)'],
  [{ host: '2001:db8::1' }, 'connect EADDRNOTAVAIL 2001:db8::1:9 - Local (:::0)'],
  [{ host: '::' }, 'connect EADDRNOTAVAIL :::9 - Local (:::0)'],
  [{ host: 'fe80::1' }, 'connect EINVAL fe80::1:9 - Local (:::0)'],
  [{ host: '::1', localAddress: '::1' }, 'bind EADDRNOTAVAIL ::1'],
  [{ host: '::1', localAddress: '127.0.0.1' }, 'bind EINVAL 127.0.0.1'],
  [{ host: '127.0.0.1', localAddress: '::1' }, 'bind EINVAL ::1'],
  [{ host: '198.51.100.8' }, 'connect ENETUNREACH 198.51.100.8:9 - Local (0.0.0.0:0)'],
  [{ host: 'localhost', family: 6 }, 'getaddrinfo ENOTFOUND localhost'],
];

const UNAVAILABLE: [host: string, port: number, message: string][] = [
  ['::1', 0, 'listen EADDRNOTAVAIL: address not available ::1'],
  ['::1', 8081, 'listen EADDRNOTAVAIL: address not available ::1:8081'],
  ['2001:db8::1', 0, 'listen EADDRNOTAVAIL: address not available 2001:db8::1'],
  ['fe80::1', 7, 'listen EINVAL: invalid argument fe80::1:7'],
];

describe('a host without IPv6', () => {
  for (const [options, message] of REFUSED) {
    it(`connects to no ${JSON.stringify(options)}`, async () => {
      const socket = net.connect({ port: 9, ...options } as never);
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error.message).toBe(message);
    });
  }

  for (const [host, port, message] of UNAVAILABLE) {
    it(`does not listen on ${host}, port ${port}`, async () => {
      const [error] = (await once(net.createServer().listen(port, host), 'error')) as [Error];
      expect(error.message).toBe(message);
    });
  }

  it.each(['::', '0.0.0.0', '::ffff:127.0.0.1', '::ffff:0.0.0.0'])(
    'serves IPv4 when it listens on %s',
    async (host) => {
      const server = net.createServer((socket) => socket.end()).listen(0, host);
      await once(server, 'listening');
      const { port, family } = server.address() as AddressInfo;
      expect(family).toBe('IPv4');
      const client = net.connect(port, '::ffff:127.0.0.1').resume();
      await once(client, 'connect');
      expect(client.remoteAddress).toBe('127.0.0.1');
      await once(client, 'close');
      server.close();
    },
  );

  it('goes on to IPv4 when a name has both', async () => {
    const server = net.createServer((socket) => socket.end()).listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const lookup = (_host: string, _options: object, found: (...args: unknown[]) => void) =>
      setImmediate(found, null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const client = net.connect({ port, host: 'name.test', lookup } as never).resume();
    const failures: unknown[] = [];
    client.on('connectionAttemptFailed', (...args) => failures.push(args.slice(0, 3)));
    await once(client, 'connect');
    expect(failures).toEqual([['::1', port, 6]]);
    expect(client.autoSelectFamilyAttemptedAddresses).toEqual([`::1:${port}`, `127.0.0.1:${port}`]);
    await once(client, 'close');
    server.close();
  });

  it.each([
    ['10.7.0.1', '10.7.0.1'],
    ['::ffff:10.7.0.1', '10.7.0.1'],
    ['0:0:0:0:0:FFFF:10.7.0.1', '10.7.0.1'],
    ['0::ffff:10.7.0.1', '10.7.0.1'],
    ['::ffff:a07:1', '10.7.0.1'],
    ['::10.7.0.1', null],
    ['::1', null],
    ['2001:db8::ffff:10.7.0.1', null],
    ['64:ff9b::10.7.0.1', null],
  ])('takes %s for %s', (address, four) => {
    expect(ipv4Of(address)).toBe(four);
  });
});
