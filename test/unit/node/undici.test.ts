import { once } from 'node:events';
import http from 'node:http';
import type { Socket as NodeSocket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../../../src/net/stack.js';
import { listen } from '../../../src/node/listen.js';
import { createUndiciConnector, type UndiciConnectorOptions } from '../../../src/node/undici.js';

let stack: Stack;

beforeEach(() => {
  stack = new Stack();
});
afterEach(() => stack.close());

function connect(protocol: string, options?: UndiciConnectorOptions): Promise<NodeSocket> {
  return new Promise((resolve, reject) => {
    const wanted = { hostname: 'localhost', protocol, port: '' };
    createUndiciConnector(stack.net, options)(wanted, (error, socket) =>
      error ? reject(error) : resolve(socket!),
    );
  });
}

describe('the connector for undici', () => {
  it('connects to the port of the protocol', async () => {
    const server = listen(stack.net, http.createServer(), 80);
    await once(server, 'listening');
    const socket = await connect('http:');
    expect(socket.remotePort).toBe(80);
    expect(socket.listenerCount('error') + socket.listenerCount('timeout')).toBe(0);
    socket.destroy();
  });

  it('tells that there is nobody', async () => {
    await expect(connect('http:')).rejects.toMatchObject({ code: 'ECONNREFUSED', port: 80 });
    await expect(connect('https:')).rejects.toMatchObject({ code: 'ECONNREFUSED', port: 443 });
  });

  it('gives up a handshake that goes nowhere', async () => {
    const server = stack.net.createServer().listen(443);
    await once(server, 'listening');
    await expect(connect('https:', { timeout: 20 })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });
});
