import { inspect } from 'node:util';
import { describe } from 'vitest';
import type { Net } from './both.js';
import { attempt, both } from './both.js';

type Loose = (...args: unknown[]) => unknown;

/** Compares what a call with each list of arguments throws. */
function refuses(title: string, pick: (net: Net) => Loose, lists: unknown[][]): void {
  describe(title, () => {
    for (const args of lists) {
      both(inspect(args, { breakLength: Number.POSITIVE_INFINITY }), async (net, log) => {
        log.note(attempt(() => pick(net)(...args)));
        if (log.lines.includes('no error')) throw new Error('taken');
      });
    }
  });
}

const host = '127.0.0.1';

describe('arguments that are refused', () => {
  refuses('connect', (net) => net.connect as Loose, [
    [],
    [undefined],
    [{}],
    [{ port: undefined }],
    [70_000, host],
    [-1, host],
    [1.5, host],
    [Number.NaN, host],
    [{ port: 'abc', host }],
    [{ port: '', host }],
    [{ port: null, host }],
    [{ port: true, host }],
    [{ port: {}, host }],
    [{ port: () => {}, host }],
    [{ port: 1, host: 'name.test', lookup: 1 }],
    [{ port: 1, host: 'name.test', family: 7 }],
    [{ port: 1, localAddress: 'x', host }],
    [{ port: 1, localPort: 'x', host }],
    [{ port: 1, timeout: -1, host }],
    [{ port: 1, timeout: 'x', host }],
  ]);

  refuses('a host', (net) => net.connect as Loose, [[{ port: 1, host: 5 }]]);

  refuses(
    'listen',
    (net) =>
      (...args) =>
        (net.createServer().listen as Loose)(...args),
    [
      [{}],
      [true],
      [70_000],
      [-1],
      [{ port: 'x1' }],
      [{ port: {} }],
      [{ port: 65_536 }],
      [{ port: 0, signal: 'x' }],
    ],
  );

  refuses('createServer', (net) => net.createServer as Loose, [
    [5],
    ['x'],
    [{ keepAliveInitialDelay: 'x' }],
  ]);

  refuses('new Socket', (net) => (options) => new net.Socket(options as object), [
    [{ objectMode: true }],
    [{ readableObjectMode: true }],
    [{ writableObjectMode: true }],
    [{ fd: 'x' }],
  ]);

  refuses(
    'setTimeout',
    (net) =>
      (...args) =>
        (new net.Socket().setTimeout as Loose).apply(new net.Socket(), args),
    [['x'], [-1], [Number.POSITIVE_INFINITY], [undefined], [1, 'x']],
  );

  refuses('write', (net) => (chunk) => new net.Socket().write(chunk as string), [
    [undefined],
    [null],
    [5],
    [{}],
  ]);

  refuses(
    'getConnections',
    (net) => (net.createServer().getConnections as Loose).bind(net.createServer()),
    [[], ['x']],
  );

  both('what the module is', async (net, log) => {
    log.note(`${net.isIP('1.2.3.4')} ${net.isIPv4('::1')} ${net.isIPv6('::1')}`);
    log.note(`${(net as unknown as { Stream: unknown }).Stream === net.Socket}`);
    log.note(`${net.Socket.name} ${net.Server.name} ${new net.BlockList().rules.length}`);
    log.note(`${net.getDefaultAutoSelectFamily()}`);
    try {
      net.createServer().listen(-1);
    } catch (thrown) {
      const error = thrown as Error;
      log.note(`${error} ${Object.keys(error)}`);
    }
  });
});
