import net from 'node:net';
import type { NetModule, ServiceServer } from '../../../src/services/module.js';

/** The kernel's sockets in the shape that services take. */
export const kernel: NetModule = net;

/** Starts the service on a free port of the loopback; `use` gets the port. */
export async function serving<T>(
  service: (net: NetModule) => ServiceServer,
  use: (port: number) => Promise<T>,
): Promise<T> {
  const sockets = new Set<net.Socket>();
  let made: net.Server | null = null;
  service({
    createServer(options, connection) {
      made = net.createServer(options, (socket) => {
        sockets.add(socket);
        connection(socket);
      });
      return made;
    },
  });
  const server = made! as net.Server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use((server.address() as net.AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Sends `text`, half-closes, and returns all that comes back. */
export function talk(port: number, text: string | Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
    socket.end(text);
  });
}
