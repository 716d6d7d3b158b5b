import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http } from '../../../src/services/http.js';
import { serving } from './listen.js';
import { ask } from './request.js';

let top: string;
let dir: string;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'tuntcp-files-'));
  dir = join(top, 'site');
  mkdirSync(join(dir, 'sub', 'deep'), { recursive: true });
  mkdirSync(join(dir, 'pages'));
  mkdirSync(join(top, 'site-other'));
  writeFileSync(join(top, 'secret.txt'), 'secret');
  writeFileSync(join(top, 'site-other', 'x.txt'), 'secret');
  writeFileSync(join(dir, 'a.txt'), '0123456789');
  writeFileSync(join(dir, 'empty.bin'), '');
  writeFileSync(join(dir, 'sub', 'odd <name>#?.txt'), 'odd');
  writeFileSync(join(dir, 'pages', 'index.html'), '<p>index</p>');
  symlinkSync('../secret.txt', join(dir, 'leak.txt'));
  symlinkSync('..', join(dir, 'up'));
  symlinkSync('../site-other', join(dir, 'beside'));
  symlinkSync('a.txt', join(dir, 'alias.txt'));
});

afterAll(() => rmSync(top, { recursive: true, force: true }));

function site<T>(use: (port: number) => Promise<T>): Promise<T> {
  return serving((net) => http(net, { dir }), use);
}

describe('--dir', () => {
  it('serves files with their type, HEAD too', async () => {
    await site(async (port) => {
      const get = await ask(port, '/a.txt?x=1');
      expect(get.status).toBe(200);
      expect(get.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(get.body.toString()).toBe('0123456789');
      const head = await ask(port, '/a.txt', { method: 'HEAD' });
      expect([head.headers['content-length'], head.body.length]).toEqual(['10', 0]);
      expect((await ask(port, '/empty.bin')).body).toHaveLength(0);
      expect((await ask(port, '/alias.txt')).body.toString()).toBe('0123456789');
      expect((await ask(port, '/a.txt', { method: 'DELETE' })).status).toBe(405);
    });
  });

  it('has an index, a listing or a redirect for directories', async () => {
    await site(async (port) => {
      expect((await ask(port, '/pages/')).body.toString()).toBe('<p>index</p>');
      const bare = await ask(port, '//sub//deep');
      expect([bare.status, bare.headers.location]).toEqual([301, '/sub/deep/']);
      const list = (await ask(port, '/sub/')).body.toString();
      expect(list).toContain(
        '<a href="./odd%20%3Cname%3E%23%3F.txt">odd &#60;name&#62;#?.txt</a></td><td>3 bytes',
      );
      expect(list).toContain('<a href="./deep/">deep/</a>');
      expect(list).toContain('<a href="../">');
      expect((await ask(port, '/sub/odd%20%3Cname%3E%23%3F.txt')).body.toString()).toBe('odd');
      expect((await ask(port, '/')).body.toString()).not.toContain('href="../"');
    });
  });

  it.each([
    ['/../secret.txt', 403],
    ['/sub/../../secret.txt', 403],
    ['/%2e%2e/secret.txt', 403],
    ['/..%2fsecret.txt', 403],
    ['/leak.txt', 403],
    ['/up/secret.txt', 403],
    ['/up/', 403],
    ['/beside/x.txt', 403],
    ['/%00', 400],
    ['/a.txt%', 400],
    ['/missing', 404],
    ['/a.txt/', 404],
    ['/a.txt/more', 404],
    [`/${'x'.repeat(300)}`, 404],
    ['/favicon.ico', 204],
  ])('answers %s with %i', async (path, status) => {
    const answer = await site((port) => ask(port, path));
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).not.toBe('secret');
  });

  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['bytes=4-2', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('answers Range: %s with %i', async (range, status, body, content) => {
    const answer = await site((port) => ask(port, '/a.txt', { headers: { Range: range } }));
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).toBe(body);
    expect(answer.headers['content-range']).toBe(content);
  });

  it.each(['bytes=10-', 'bytes=-0'])('cannot satisfy Range: %s', async (range) => {
    const answer = await site((port) => ask(port, '/a.txt', { headers: { Range: range } }));
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10']);
  });

  it('says that nothing has changed', async () => {
    await site(async (port) => {
      const when = (await ask(port, '/a.txt')).headers['last-modified']!;
      const again = await ask(port, '/a.txt', { headers: { 'If-Modified-Since': when } });
      expect([again.status, again.body.length]).toEqual([304, 0]);
    });
  });

  it('leaves the connection, bytes and sums where they are', async () => {
    await site(async (port) => {
      expect((await ask(port, '/connection')).body.toString()).toContain('127.0.0.1');
      expect((await ask(port, '/bytes/3')).body).toHaveLength(3);
    });
  });
});
