import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Recorder } from '../stack/recorder.js';
import { connectionPage } from './connection-page.js';
import { fileHandler } from './files.js';
import type { NetModule, ServiceServer, ServiceSocket } from './module.js';
import { allow, fail } from './reply.js';

export interface HttpOptions {
  /** Where the segments of a connection are remembered; without it, pages show none. */
  recorder?: Recorder | null;
  /** A directory to serve; the page about the connection is then at `/connection` alone. */
  dir?: string | null;
}

/** Idle connections are closed after this many ms. */
const IDLE = 120_000;

/**
 * HTTP/1.1 by Node's parser on anybody's sockets (port 80):
 * `/` and `/connection` show the client its own connection, `/bytes/N` is N bytes, byte i being
 * i mod 251, and a POST to `/sum` is answered with the body's length and SHA-256.
 */
export function http(net: NetModule, options: HttpOptions = {}): ServiceServer {
  const server = createServer(router(options));
  server.timeout = IDLE;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.setNoDelay(true);
    server.emit('connection', socket);
  });
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

function router({ recorder = null, dir = null }: HttpOptions): Handler {
  const files = dir === null ? null : fileHandler(dir);
  const page: Handler = (request, response) => {
    if (!allow(request, response, 'GET', 'HEAD')) return;
    connectionPage(request, response, socketOf(request), recorder);
  };
  return (request, response) => {
    response.on('error', () => response.destroy());
    const path = (request.url ?? '/').replace(/[?#].*$/s, '');
    if (path.startsWith('/bytes/')) return bytes(request, response, path.slice('/bytes/'.length));
    if (path === '/sum') return sum(request, response);
    if (path === '/connection') return page(request, response);
    if (files !== null) return void files(request, response, path);
    if (path === '/') return page(request, response);
    if (path === '/favicon.ico') {
      if (allow(request, response, 'GET', 'HEAD')) response.writeHead(204).end();
      return undefined;
    }
    return fail(request, response, 404, 'try /, /bytes/1000000 or a POST to /sum');
  };
}

function socketOf(request: IncomingMessage): ServiceSocket {
  return request.socket;
}

/** A multiple of 251 bytes, so that the block repeats without a seam. */
const BLOCK = Buffer.from(Uint8Array.from({ length: 251 * 1044 }, (_, i) => i % 251).buffer);

function bytes(request: IncomingMessage, response: ServerResponse, text: string): void {
  if (!allow(request, response, 'GET', 'HEAD')) return;
  if (!/^\d{1,16}$/.test(text) || BigInt(text) > 2n ** 53n) {
    fail(request, response, 400, 'the number of bytes is 0 to 2^53');
    return;
  }
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(BigInt(text)),
    'Cache-Control': 'no-store',
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  let left = Number(text);
  const fill = () => {
    for (let i = 0; left > 0 && i < 16; i++) {
      if (response.destroyed) return;
      const block = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= block.length;
      if (!response.write(block)) break;
    }
    if (left === 0) response.end();
    else if (!response.writableNeedDrain) setImmediate(fill);
  };
  response.on('drain', fill);
  fill();
}

function sum(request: IncomingMessage, response: ServerResponse): void {
  if (!allow(request, response, 'POST')) return;
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('error', () => response.destroy());
  request.on('end', () => {
    const body = `${JSON.stringify({ bytes: length, sha256: hash.digest('hex') })}\n`;
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  });
}
