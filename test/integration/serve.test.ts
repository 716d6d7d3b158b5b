import { beforeEach, describe, expect, it } from 'vitest';
import { withNamespace, withServe } from './support/namespace.js';
import { requireTun } from './support/require.js';
import { SERVER } from './support/serving.js';

beforeEach((context) => requireTun(context, 'curl', 'nc', 'ping', 'ip'));

describe('tuntcp serve', () => {
  it('shows curl its own connection', async () => {
    await withServe([], async (namespace) => {
      const page = await namespace.exec('curl', ['-sS', `http://${SERVER}/`]);
      expect(page).toMatchObject({ code: 0, stderr: '' });
      expect(page.text).toMatch(/^\s*state\s+ESTABLISHED/m);
      expect(page.text).toMatch(/\| SYN_RECEIVED\n.*\n.*\| ESTABLISHED\n/);
    });
  });

  it('answers ping', async () => {
    await withServe([], async (namespace) => {
      const ping = await namespace.exec('ping', ['-c', '3', '-i', '0.2', SERVER]);
      expect(ping.text).toMatch(/3 packets transmitted, 3 received/);
      const large = await namespace.exec('ping', ['-c', '1', '-s', '20000', SERVER]);
      expect(large.text).toMatch(/1 packets transmitted, 1 received/);
    });
  });

  it('refuses a port where no one listens', async () => {
    await withServe([], async (namespace) => {
      const refused = await namespace.peer('talk-until-error', [SERVER, 81]);
      expect(refused).toEqual({ received: '', error: 'ECONNREFUSED' });
    });
  });

  it('echoes, and closes after nc has', async () => {
    await withServe([], async (namespace) => {
      const echo = await namespace.exec('nc', ['-N', SERVER, '7'], { input: 'hello\n' });
      expect(echo).toMatchObject({ code: 0, text: 'hello\n' });
    });
  });

  it('says the time, and the characters', async () => {
    await withServe([], async (namespace) => {
      const time = await namespace.exec('nc', ['-d', SERVER, '13']);
      expect(time.text).toMatch(/^\w+, \w+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/);
      const command = `nc -d ${SERVER} 19 | head -n 2`;
      const characters = await namespace.exec('sh', ['-c', command]);
      expect(characters.text).toMatch(/^ !"#.{68}\r\n!"#\$.{68}\r\n$/);
    });
  });

  it('ends on Ctrl-C with FIN to its clients, and leaves no device behind', async () => {
    await withServe([], async (namespace, serving) => {
      expect(await namespace.interfaces()).toHaveLength(2);
      const client = namespace.spawn('nc', [SERVER, '7']);
      client.stdin.write('hello\n');
      await client.says(/hello/);
      expect(await serving.interrupt()).toMatchObject({ code: 0, signal: null });
      client.stdin.end();
      expect(await client.end()).toMatchObject({ code: 0 });
      expect(await namespace.interfaces()).toEqual(['lo']);
    });
  });
});

describe('tuntcp run', () => {
  it('runs a command with our TCP on the other side, and has its exit status', async () => {
    await withNamespace(async (namespace) => {
      const page = namespace.tuntcp(['run', '--', 'curl', '-sS', `http://${SERVER}/`]);
      page.stdin.end();
      const ended = await page.end();
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expect(ended.text).toMatch(/ESTABLISHED/);
      const failing = namespace.tuntcp(['run', '--', 'sh', '-c', 'exit 7']);
      failing.stdin.end();
      expect(await failing.end()).toMatchObject({ code: 7 });
    });
  });
});
