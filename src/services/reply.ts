import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';

/** Answers in plain text; the body is left out for HEAD. */
export function fail(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  hint = '',
  headers: OutgoingHttpHeaders = {},
): void {
  const text = `${status} ${STATUS_CODES[status]}${hint === '' ? '' : `: ${hint}`}\n`;
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** True when the method is one of these; otherwise 405 has been answered. */
export function allow(
  request: IncomingMessage,
  response: ServerResponse,
  ...methods: string[]
): boolean {
  if (methods.includes(request.method ?? '')) return true;
  fail(request, response, 405, '', { Allow: methods.join(', ') });
  return false;
}
