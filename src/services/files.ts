import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { escapeHtml, formatBytes } from '../stack/ladder.js';
import { allow, fail } from './reply.js';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.htm': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.xml': 'application/xml',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.pdf': 'application/pdf',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mp3': 'audio/mpeg',
  '.gz': 'application/gzip',
  '.zip': 'application/zip',
};

type FileHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => Promise<void>;

/** An answer other than the file. */
class Refusal extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, hint = '') {
    super(`${status}`);
    this.status = status;
    this.hint = hint;
  }
}

/**
 * Serves what is below `dir`: files with ranges (RFC 9110 §14, one range), `index.html` or else a
 * listing for directories. Nothing outside of it, whether by `..`, by symlink or by encoding.
 */
export function fileHandler(dir: string): FileHandler {
  return async (request, response, path) => {
    if (!allow(request, response, 'GET', 'HEAD')) return;
    try {
      await serve(request, response, dir, segmentsOf(path), path.endsWith('/'));
    } catch (error) {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const { status, hint } = error instanceof Refusal ? error : refusalFor(error);
      if (status === 404 && path === '/favicon.ico') response.writeHead(204).end();
      else fail(request, response, status, hint);
    }
  };
}

function refusalFor(error: unknown): Refusal {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return new Refusal(404);
    case 'EACCES':
    case 'EPERM':
    case 'ELOOP':
      return new Refusal(403);
    default:
      return new Refusal(500);
  }
}

/** The names between the slashes, decoded; a slash may itself be encoded. */
function segmentsOf(path: string): string[] {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new Refusal(400, 'the path is not well encoded');
  }
  if (!decoded.startsWith('/') || decoded.includes('\0')) throw new Refusal(400);
  const segments = decoded.split('/').filter((name) => name !== '' && name !== '.');
  if (segments.includes('..')) throw new Refusal(403, 'no way out of the directory');
  return segments;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  dir: string,
  segments: string[],
  slash: boolean,
): Promise<void> {
  const root = await realpath(dir);
  const place = await inside(root, join(root, ...segments));
  const info = await stat(place);
  if (!info.isDirectory()) {
    if (slash) throw new Refusal(404);
    return sendFile(request, response, place);
  }
  if (!slash) {
    const location = `/${segments.map(encodeURIComponent).join('/')}/`;
    response.writeHead(301, { Location: location, 'Content-Length': 0 }).end();
    return undefined;
  }
  const index = await inside(root, join(place, 'index.html')).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (index !== null) return sendFile(request, response, index);
  return sendListing(request, response, place, segments);
}

/** The real path; refused when it leads out of `root`. */
async function inside(root: string, path: string): Promise<string> {
  const real = await realpath(path);
  const prefix = root.endsWith(sep) ? root : root + sep;
  if (real !== root && !real.startsWith(prefix)) {
    throw new Refusal(403, 'a link that leads out of the directory');
  }
  return real;
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  // Without O_NONBLOCK, opening a FIFO would wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Refusal(403, 'not a file');
    const headers = {
      'Content-Type': TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
      'Last-Modified': info.mtime.toUTCString(),
      'Accept-Ranges': 'bytes',
      'X-Content-Type-Options': 'nosniff',
    };
    if (isUnchanged(request, info)) {
      response.writeHead(304, headers).end();
      return;
    }
    const range = rangeOf(request, info);
    if (range === 'unsatisfiable') {
      fail(request, response, 416, '', { 'Content-Range': `bytes */${info.size}` });
      return;
    }
    const { start, end } = range ?? { start: 0, end: info.size - 1 };
    response.writeHead(range === null ? 200 : 206, {
      ...headers,
      'Content-Length': end - start + 1,
      ...(range === null ? {} : { 'Content-Range': `bytes ${start}-${end}/${info.size}` }),
    });
    if (request.method === 'HEAD' || end < start) response.end();
    else await stream(file, response, start, end);
  } finally {
    await file.close().catch(() => {});
  }
}

function stream(
  file: FileHandle,
  response: ServerResponse,
  start: number,
  end: number,
): Promise<void> {
  const chunks = file.createReadStream({ start, end, highWaterMark: 256 * 1024, autoClose: false });
  return new Promise((resolve) => {
    // A client that goes away in the middle is its own business.
    pipeline(chunks, response, () => resolve());
  });
}

function isUnchanged(request: IncomingMessage, info: Stats): boolean {
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return Math.floor(info.mtimeMs / 1000) * 1000 <= since;
}

/** RFC 9110 §14.2: what is not understood is ignored, and so is more than one range. */
function rangeOf(
  request: IncomingMessage,
  info: Stats,
): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range?.trim() ?? '');
  if (match === null || request.method !== 'GET') return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const condition = request.headers['if-range'];
  if (condition !== undefined && condition !== info.mtime.toUTCString()) return null;
  if (first === '') {
    const length = Math.min(Number(last), info.size);
    return length === 0 ? 'unsatisfiable' : { start: info.size - length, end: info.size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? info.size - 1 : Math.min(Number(last), info.size - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= info.size ? 'unsatisfiable' : { start, end };
}

async function sendListing(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  segments: string[],
): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true });
  entries.sort((a, b) => Number(b.isDirectory()) - Number(a.isDirectory()) || compare(a, b));
  const rows = await Promise.all(
    entries.map(async (entry) => {
      const name = entry.isDirectory() ? `${entry.name}/` : entry.name;
      const info = entry.isFile() ? await stat(join(path, entry.name)).catch(() => null) : null;
      const size = info === null ? '' : formatBytes(info.size);
      const link = `./${encodeURIComponent(entry.name)}${entry.isDirectory() ? '/' : ''}`;
      return `<tr><td><a href="${link}">${escapeHtml(name)}</a></td><td>${size}</td></tr>`;
    }),
  );
  const title = escapeHtml(`/${segments.map((name) => `${name}/`).join('')}`);
  const up = segments.length === 0 ? '' : '<tr><td><a href="../">../</a></td><td></td></tr>\n';
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1.5rem 1rem; }
td { padding-right: 2rem; overflow-wrap: anywhere; } td + td { text-align: right; white-space: nowrap; }
</style>
</head>
<body>
<h1>${title}</h1>
<table>
${up}${rows.join('\n')}
</table>
</body>
</html>
`;
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function compare(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
