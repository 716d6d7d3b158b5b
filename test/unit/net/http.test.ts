import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket as NodeSocket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import type { NetModule } from '../../../src/net/create-net.js';
import { createNet } from '../../../src/net/create-net.js';
import type { Server } from '../../../src/net/server.js';
import { FakeTransport } from './fake-transport.js';

let net: NetModule;
let server: Server;
let connections: number;

const web = http.createServer(async (request, response) => {
  if (request.method === 'POST') {
    let length = 0;
    for await (const chunk of request) length += chunk.length;
    response.end(String(length));
  } else if (request.url === '/chunked') {
    for (let i = 0; i < 50; i++) response.write('x'.repeat(i * 100));
    response.end();
  } else response.end(`you asked for ${request.url}`);
});

beforeEach(async () => {
  net = createNet(new FakeTransport());
  connections = 0;
  server = net.createServer((socket) => {
    connections++;
    web.emit('connection', socket);
  });
  server.listen(80);
  await once(server, 'listening');
});

function dial(): NodeSocket {
  return net.connect((server.address() as AddressInfo).port, '127.0.0.1') as unknown as NodeSocket;
}

function agentOf(maxSockets: number): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets });
  return Object.assign(agent, { createConnection: dial });
}

async function ask(
  options: http.RequestOptions,
  body?: string | Buffer,
): Promise<{ status: number | undefined; text: string }> {
  const request = http.request({ host: '127.0.0.1', createConnection: dial, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text };
}

describe('node:http over our sockets', () => {
  it('GET', async () => {
    expect(await ask({ path: '/here' })).toEqual({ status: 200, text: 'you asked for /here' });
  });

  it('POST with a body that does not fit any buffer', async () => {
    const answer = await ask({ method: 'POST', path: '/' }, Buffer.alloc(3_000_000));
    expect(answer).toEqual({ status: 200, text: '3000000' });
  });

  it('chunked answers', async () => {
    const { text } = await ask({ path: '/chunked' });
    expect(text.length).toBe((49 * 50 * 100) / 2);
  });

  it('keep-alive takes one connection for several requests', async () => {
    const agent = agentOf(1);
    for (let i = 0; i < 5; i++) {
      expect((await ask({ path: `/${i}`, agent })).text).toBe(`you asked for /${i}`);
    }
    expect(connections).toBe(1);
    agent.destroy();
  });

  it('an agent of ten sockets', async () => {
    const agent = agentOf(10);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask({ path: `/${i}`, agent })),
    );
    expect(answers.map((answer) => answer.text)).toEqual(
      answers.map((_, i) => `you asked for /${i}`),
    );
    expect(connections).toBeLessThanOrEqual(10);
    agent.destroy();
  });

  it('a request that is refused', async () => {
    server.close();
    const request = http.get({
      createConnection: () => net.connect(81, '127.0.0.1') as unknown as NodeSocket,
    });
    const [error] = (await once(request, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port: 81 });
  });
});
