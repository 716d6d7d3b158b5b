import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../../../src/net/stack.js';
import { createHttpAgent, createHttpsAgent } from '../../../src/node/agent.js';
import { listen } from '../../../src/node/listen.js';

let stack: Stack;
let server: http.Server;

beforeEach(() => {
  stack = new Stack();
  server = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
});
afterEach(() => stack.close());

function get(path: string, port = 80): http.ClientRequest {
  return http.get({ host: 'localhost', port, path, agent: createHttpAgent(stack.net) });
}

async function answerTo(request: http.ClientRequest): Promise<string> {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return text(response);
}

function closed(each: http.Server): Promise<Error | undefined> {
  return new Promise((resolve) => each.close(resolve));
}

describe('listen(net, server)', () => {
  it('lets an http.Server serve on a stack until it is closed', async () => {
    const events: string[] = [];
    for (const name of ['listening', 'close']) server.on(name, () => events.push(name));
    expect(listen(stack.net, server, 80)).toBe(server);
    await once(server, 'listening');
    expect(server.listening).toBe(true);
    expect(server.address()).toEqual({ address: '0.0.0.0', family: 'IPv4', port: 80 });
    expect(await answerTo(get('/here'))).toBe('you asked for /here');
    expect(await closed(server)).toBeUndefined();
    expect(server.listening).toBe(false);
    expect(server.address()).toBeNull();
    expect(events).toEqual(['listening', 'close']);
    const [error] = await once(get('/gone'), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port: 80 });
  });

  it('takes the arguments of listen, and localhost is the loopback of the stack', async () => {
    for (const args of [[0, 'localhost'], [{ port: 0, host: 'localhost' }]]) {
      const each = http.createServer();
      await new Promise<void>((resolve) => listen(stack.net, each, ...args, resolve));
      expect((each.address() as AddressInfo).address).toBe('127.0.0.1');
      await closed(each);
    }
  });

  it('serves again after it was closed', async () => {
    for (const port of [81, 82]) {
      listen(stack.net, server, port);
      await once(server, 'listening');
      expect(await answerTo(get('/', port))).toBe('you asked for /');
      await closed(server);
    }
  });

  it('gives the error of a port that is taken', async () => {
    listen(stack.net, server, 80);
    await once(server, 'listening');
    const second = http.createServer();
    listen(stack.net, second, 80);
    const [error] = await once(second, 'error');
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', port: 80 });
    expect(second.listening).toBe(false);
    expect(await closed(second)).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });

  it('throws what Node throws for wrong arguments and when it listens already', () => {
    expect(() => listen(stack.net, server, 65_536)).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
    );
    listen(stack.net, server, 80);
    expect(() => listen(stack.net, server, 81)).toThrow(
      expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }),
    );
    expect(() => listen(stack.net, http.createServer(), '/a/path')).toThrow(/not a path/);
  });

  it('counts connections, and drops those above maxConnections', async () => {
    server.maxConnections = 1;
    listen(stack.net, server, 80);
    const first = stack.net.connect(80);
    await once(first, 'connect');
    await once(server, 'connection');
    const second = stack.net.connect(80);
    const [dropped] = await once(server, 'drop');
    expect(dropped).toMatchObject({ remoteAddress: '127.0.0.1', localPort: 80 });
    const count = new Promise((resolve) => server.getConnections((_error, n) => resolve(n)));
    expect(await count).toBe(1);
    second.on('error', () => {}).destroy();
    first.destroy();
    await closed(server);
  });

  it('closes when a signal says so', async () => {
    const controller = new AbortController();
    listen(stack.net, server, { port: 80, signal: controller.signal });
    await once(server, 'listening');
    controller.abort();
    await once(server, 'close');
    expect(server.listening).toBe(false);
  });
});

describe('the agents', () => {
  it('throw for what TLS cannot use, and leave no connection behind', async () => {
    listen(stack.net, server, 80);
    await once(server, 'listening');
    const agent = createHttpsAgent(stack.net);
    const options = { host: 'localhost', port: 80, agent, cert: 'none', key: 'none' };
    expect(() => https.get(options)).toThrow(expect.objectContaining({ library: 'PEM routines' }));
    await new Promise(setImmediate);
    await closed(server);
    expect(stack.host.connectionCount).toBe(0);
  });
});
