import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Socket as NodeSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect, it } from 'vitest';
import { createNet } from '../../../src/net/create-net.js';
import type { Socket } from '../../../src/net/socket.js';
import { FakeTransport } from './fake-transport.js';

/** A key and a certificate for this run, or null where there is no openssl. */
function certificate(): { key: Buffer; cert: Buffer } | null {
  const directory = mkdtempSync(join(tmpdir(), 'tuntcp-tls-'));
  try {
    const key = join(directory, 'key.pem');
    const cert = join(directory, 'cert.pem');
    const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const how = ['-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...what, ...how], { stdio: 'ignore' });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } catch {
    return null;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const identity = certificate();

it.skipIf(identity === null)('node:tls runs over our sockets, both ways', async () => {
  const net = createNet(new FakeTransport());
  const server = net.createServer((socket: Socket) => {
    const secure = new tls.TLSSocket(socket as unknown as NodeSocket, {
      isServer: true,
      ...identity!,
    });
    secure.on('data', (chunk) => secure.write(chunk));
    secure.on('end', () => secure.end());
  });
  server.listen(443);
  const client = tls.connect({
    socket: net.connect(443, '127.0.0.1') as unknown as NodeSocket,
    ca: identity!.cert,
    servername: 'localhost',
  });
  await once(client, 'secureConnect');
  expect(client.authorized).toBe(true);
  const sent = Buffer.alloc(300_000, 'tls');
  client.end(sent);
  const parts: Buffer[] = [];
  for await (const part of client) parts.push(part);
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
});
