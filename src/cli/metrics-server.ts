import { createServer } from 'node:http';

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const MAX_CLIENTS = 16;

/** Serves `GET /metrics` on the kernel's loopback, and there alone. Rejects when the port is taken. */
export function startMetricsServer(
  port: number,
  metrics: () => string | Promise<string>,
): Promise<{ port: number; close(): void }> {
  const server = createServer((request, response) => {
    const isGet = request.method === 'GET' || request.method === 'HEAD';
    if (!isGet || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(isGet ? 404 : 405, { 'content-type': 'text/plain' });
      response.end('GET /metrics\n');
      return;
    }
    Promise.resolve(metrics()).then(
      (text) => response.writeHead(200, { 'content-type': TYPE }).end(text),
      (error: Error) => response.writeHead(503).end(`${error.message}\n`),
    );
  });
  server.maxConnections = MAX_CLIENTS;
  server.requestTimeout = 10_000;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken ? new Error(`--metrics: 127.0.0.1:${port} is in use: choose another port`) : error,
      );
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      resolve({ port: bound, close });
    });
  });
}
