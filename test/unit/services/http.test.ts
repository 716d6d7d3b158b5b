import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { preferred } from '../../../src/services/connection-page.js';
import { http } from '../../../src/services/http.js';
import type { NetModule, ServiceSocket } from '../../../src/services/module.js';
import { Recorder } from '../../../src/stack/recorder.js';
import { State } from '../../../src/tcp/state.js';
import { SYN } from '../../../src/wire/segment.js';
import { INFO } from '../../support/connection-info.js';
import { connection, segment } from '../stack/segments.js';
import { serving, talk } from './listen.js';
import { ask } from './request.js';

/** The service on the kernel's sockets, which claim to be ours. */
function onOurs(module: NetModule) {
  const recorder = new Recorder();
  recorder.received(
    segment(true, { flags: SYN, seq: 1000, syn: true }),
    connection(1, State.LISTEN),
    0,
  );
  recorder.transition(connection(1, State.LISTEN), State.LISTEN, State.SYN_RECEIVED, '<SYN>', 0);
  const disguised: NetModule = {
    createServer: (options, accept) =>
      module.createServer(options, (socket) => {
        const ours = {
          remoteAddress: { value: INFO.remoteAddress },
          remotePort: { value: INFO.remotePort },
          localAddress: { value: INFO.localAddress },
          localPort: { value: INFO.localPort },
          info: { value: () => INFO },
        };
        accept(Object.defineProperties(socket, ours) as ServiceSocket);
      }),
  };
  return http(disguised, { recorder });
}

describe('the page about the connection', () => {
  it('is text for curl', async () => {
    const { status, headers, body } = await serving(onOurs, (port) =>
      ask(port, '/', { headers: { Accept: '*/*' } }),
    );
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body.toString()).toMatchSnapshot();
  });

  it('is HTML that fetches nothing for a browser', async () => {
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
    const { headers, body } = await serving(onOurs, (port) =>
      ask(port, '/connection', { headers: { Accept: accept } }),
    );
    const text = body.toString();
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).toContain('<dt>state</dt><dd>ESTABLISHED</dd>');
    expect(text).toContain('<span class="state"> SYN_RECEIVED</span>');
    expect(text.match(/\b(?:src|href)="[^"]*"/g)).toEqual(['href="data:,"']);
    expect(text).not.toMatch(/url\(|@import|<script/);
  });

  it('is data for a program', async () => {
    const { body } = await serving(onOurs, (port) =>
      ask(port, '/', { headers: { Accept: 'application/json' } }),
    );
    const data = JSON.parse(body.toString());
    expect(data.connection).toEqual(INFO);
    expect(data.segments).toHaveLength(1);
  });

  it('says what it can about a connection of the kernel', async () => {
    const { body } = await serving(http, (port) => ask(port, '/'));
    expect(body.toString()).toContain('known to the kernel alone');
  });

  it('answers HEAD with the same headers, others with 405', async () => {
    await serving(onOurs, async (port) => {
      const get = await ask(port, '/');
      const head = await ask(port, '/', { method: 'HEAD' });
      expect(head.body).toHaveLength(0);
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
      const post = await ask(port, '/', { method: 'POST' });
      expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
      expect((await ask(port, '/favicon.ico')).status).toBe(204);
      expect((await ask(port, '/nowhere')).status).toBe(404);
    });
  });
});

it.each([
  [undefined, 'text/plain'],
  ['*/*', 'text/plain'],
  ['text/html', 'text/html'],
  ['application/json, text/plain, */*', 'application/json'],
  ['text/html;q=0.5, application/json;q=0.9', 'application/json'],
  ['image/png', 'text/plain'],
  ['text/html;q=0', 'text/plain'],
])('Accept %s is served as %s', (accept, type) => {
  expect(preferred(accept)).toBe(type);
});

describe('/bytes/N', () => {
  it('is N bytes, byte i being i mod 251', async () => {
    await serving(http, async (port) => {
      for (const length of [0, 1, 1000, 262_043, 262_044, 262_045, 5_000_000]) {
        const { headers, body } = await ask(port, `/bytes/${length}`);
        expect(headers['content-length']).toBe(String(length));
        expect(body.length).toBe(length);
        expect(body.equals(Buffer.from(Array.from({ length }, (_, i) => i % 251)))).toBe(true);
      }
    });
  });

  it('answers HEAD for any length, and refuses what is no length', async () => {
    await serving(http, async (port) => {
      const head = await ask(port, '/bytes/9007199254740992', { method: 'HEAD' });
      expect([head.status, head.headers['content-length']]).toEqual([200, '9007199254740992']);
      for (const bad of ['', '-1', '1e3', '0x10', '9007199254740993', 'many', '1/2']) {
        expect((await ask(port, `/bytes/${bad}`)).status, bad).toBe(400);
      }
      expect((await ask(port, '/bytes/9', { method: 'PUT' })).status).toBe(405);
    });
  });

  it('outlives a client that leaves in the middle', async () => {
    await serving(http, async (port) => {
      await new Promise<void>((resolve) => {
        const out = request({ port, host: '127.0.0.1', path: '/bytes/9007199254740992' }, (res) => {
          res.once('data', () => {
            out.destroy();
            resolve();
          });
        });
        out.on('error', () => {});
        out.end();
      });
      expect((await ask(port, '/bytes/7')).body).toHaveLength(7);
    });
  });
});

describe('/sum', () => {
  it('answers with length and SHA-256', async () => {
    const body = Buffer.alloc(3_000_001, 'tuntcp');
    await serving(http, async (port) => {
      const answer = await ask(port, '/sum', { method: 'POST', body });
      expect(JSON.parse(answer.body.toString())).toEqual({
        bytes: body.length,
        sha256: createHash('sha256').update(body).digest('hex'),
      });
      expect((await ask(port, '/sum')).headers.allow).toBe('POST');
    });
  });
});

it('answers what is not HTTP with 400', async () => {
  const text = await serving(http, (port) => talk(port, 'hello\r\n\r\n'));
  expect(text.toString()).toMatch(/^HTTP\/1.1 400 /);
});
