import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { chargen, daytime, daytimeText, discard, echo } from '../../../src/services/simple.js';
import { serving, talk } from './listen.js';

describe('echo', () => {
  it('returns all that was sent, then ends', async () => {
    const data = Buffer.alloc(3_000_000, 'abcdefg');
    const back = await serving(echo, (port) => talk(port, data));
    expect(back.equals(data)).toBe(true);
  });
});

describe('discard', () => {
  it('takes everything and says nothing', async () => {
    expect(await serving(discard, (port) => talk(port, Buffer.alloc(2_000_000)))).toHaveLength(0);
  });
});

describe('daytime', () => {
  it('says one line and ends', async () => {
    const clock = () => new Date(Date.UTC(2026, 10, 21, 13, 5, 9));
    const text = await serving(
      (module) => daytime(module, clock),
      (port) => talk(port, ''),
    );
    expect(text.toString()).toBe('Saturday, November 21, 2026 13:05:09-UTC\r\n');
    expect(daytimeText(new Date(0))).toBe('Thursday, January 1, 1970 00:00:00-UTC');
  });
});

describe('chargen', () => {
  it('sends rotating lines of 72 characters, also to a client that has half-closed', async () => {
    await serving(chargen, async (port) => {
      const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end();
      let text = '';
      for await (const chunk of socket) {
        text += chunk.toString('latin1');
        if (text.length > 500_000) break;
      }
      const lines = text.split('\r\n').slice(0, 190);
      expect(lines[0]).toBe(
        ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg',
      );
      expect(lines[1]!.startsWith('!"#')).toBe(true);
      expect(new Set(lines.map((line) => line.length))).toEqual(new Set([72]));
      expect(lines[95]).toBe(lines[0]);
    });
  });

  it('waits for a client that does not read', async () => {
    await serving(
      (module) =>
        chargen({
          createServer: (options, connection) =>
            module.createServer(options, (socket) => {
              connection(socket);
              expect(socket.writableLength).toBeLessThan(1_000_000);
            }),
        }),
      async (port) => {
        const socket = net.connect({ port, host: '127.0.0.1' });
        await once(socket, 'readable');
        socket.destroy();
      },
    );
  });
});
