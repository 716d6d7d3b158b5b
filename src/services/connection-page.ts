import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectionInfo } from '../stack/connection.js';
import type { Conversation } from '../stack/conversation.js';
import { escapeHtml, formatBytes, renderLadder, renderLadderHtml } from '../stack/ladder.js';
import type { Recorder } from '../stack/recorder.js';
import type { ServiceSocket } from './module.js';

const WIDTH = 112;
const TITLE = 'Your connection to a TCP written in TypeScript';

/** Shows the client its own connection: as text, HTML or JSON, whichever it prefers. */
export function connectionPage(
  request: IncomingMessage,
  response: ServerResponse,
  socket: ServiceSocket,
  recorder: Recorder | null,
): void {
  const info = socket.info?.() ?? null;
  const conversation =
    recorder?.find(socket.remoteAddress ?? '', socket.remotePort ?? 0, socket.localPort ?? 0) ??
    null;
  const type = preferred(request.headers.accept);
  const body = render(type, socket, info, conversation);
  response.writeHead(200, {
    'Content-Type': type === 'application/json' ? type : `${type}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    Vary: 'Accept',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const TYPES = ['text/plain', 'text/html', 'application/json'] as const;
type MediaType = (typeof TYPES)[number];

/** The type with the highest quality; among equals, the one that is named first; else plain text. */
export function preferred(accept = '*/*'): MediaType {
  let best: MediaType = 'text/plain';
  let bestQuality = 0;
  for (const item of accept.split(',')) {
    const [range = '', ...parameters] = item.split(';').map((word) => word.trim().toLowerCase());
    const type = TYPES.find((one) => one === range || range === '*/*' || range === majorOf(one));
    const q = parameters.find((word) => word.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type !== undefined && quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  return best;
}

function majorOf(type: string): string {
  return type.replace(/\/.*/, '/*');
}

function render(
  type: MediaType,
  socket: ServiceSocket,
  info: ConnectionInfo | null,
  conversation: Conversation | null,
): string {
  switch (type) {
    case 'application/json': {
      const segments = conversation?.lines() ?? [];
      const connection = info ?? endsOf(socket);
      return `${JSON.stringify({ connection, segments }, null, 2)}\n`;
    }
    case 'text/html':
      return htmlPage(rows(socket, info), conversation);
    case 'text/plain':
      return textPage(rows(socket, info), conversation);
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: ServiceSocket) {
  return { remoteAddress, remotePort, localAddress, localPort };
}

type Row = [name: string, value: string];

function rows(socket: ServiceSocket, info: ConnectionInfo | null): Row[] {
  const ends: Row[] = [
    ['you', `${socket.remoteAddress}:${socket.remotePort}`],
    ['here', `${socket.localAddress}:${socket.localPort}`],
  ];
  if (info === null) return [...ends, ['state', 'known to the kernel alone']];
  const ms = (value: number) => `${value.toFixed(3)} ms`;
  const rtt = info.srtt === null ? 'no sample yet' : `${ms(info.srtt)} ± ${ms(info.rttvar ?? 0)}`;
  return [
    ...ends,
    ['state', info.state],
    ['options agreed', optionsOf(info)],
    ['what we sent', sequence(info.iss, info.sndUna, info.sndNxt)],
    ['what you sent', `initial ${info.irs}, next expected ${offset(info.rcvNxt, info.irs)}`],
    ['round trip', `${rtt}, timeout after ${Math.round(info.rto)} ms`],
    ['your window', `${grouped(info.sndWnd)} bytes`],
    ['our window', `${grouped(info.rcvWnd)} bytes`],
    ['congestion', congestion(info)],
    ['sent', traffic(info.segmentsSent, info.bytesSent, info.retransmits)],
    ['received', traffic(info.segmentsReceived, info.bytesReceived, 0)],
  ];
}

function optionsOf(info: ConnectionInfo): string {
  const agreed = [`segments of up to ${info.sndMss} bytes`];
  if (info.sndWindowScale !== 0 || info.rcvWindowScale !== 0) {
    agreed.push(`window scale ${info.sndWindowScale} (yours) and ${info.rcvWindowScale} (ours)`);
  }
  if (info.timestamps) agreed.push('timestamps');
  if (info.sack) agreed.push('selective acknowledgement');
  return agreed.join(', ');
}

function sequence(initial: number, una: number, nxt: number): string {
  return `initial ${initial}, unacknowledged ${offset(una, initial)}, next ${offset(nxt, initial)}`;
}

function offset(value: number, base: number): string {
  return `+${(value - base) >>> 0}`;
}

function congestion(info: ConnectionInfo): string {
  const start = info.cwnd < info.ssthresh ? 'slow start' : `threshold ${grouped(info.ssthresh)}`;
  return `${info.congestionControl}, window ${grouped(info.cwnd)} bytes, ${start}`;
}

/** 2,097,152 is read at a glance. */
function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function traffic(segments: number, bytes: number, again: number): string {
  const count = `${grouped(segments)} segment${segments === 1 ? '' : 's'}`;
  return `${count}, ${formatBytes(bytes)}${again > 0 ? `, ${again} retransmitted` : ''}`;
}

function textPage(table: Row[], conversation: Conversation | null): string {
  const width = Math.max(...table.map(([name]) => name.length));
  const lines = table.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  const ladder = conversation === null ? '' : `\n${renderLadder(conversation, { width: WIDTH })}`;
  return `${TITLE}\n\n${lines.join('\n')}\n${ladder}`;
}

const STYLE = `
:root { color-scheme: light dark; --quiet: #6b7280; --in: #15803d; --out: #0369a1; --reset: #b91c1c;
  --state: #a16207; --line: #d4d4d8; }
@media (prefers-color-scheme: dark) { :root { --quiet: #9ca3af; --in: #4ade80; --out: #38bdf8;
  --reset: #f87171; --state: #facc15; --line: #3f3f46; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1.25rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 32rem) { dl { display: block; } dd { margin-bottom: .5rem; } }
pre { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-x: auto; padding: .75rem;
  border: 1px solid var(--line); border-radius: 6px; }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; }
.quiet { color: var(--quiet); } .in { color: var(--in); } .out { color: var(--out); }
.reset { color: var(--reset); } .state { color: var(--state); font-weight: 600; }
`;

function htmlPage(table: Row[], conversation: Conversation | null): string {
  const list = table
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
    .join('\n');
  const ladder =
    conversation === null
      ? ''
      : `<h2>Its segments so far</h2>
<pre tabindex="0" role="region" aria-label="Segments of this connection">${renderLadderHtml(conversation, WIDTH)}</pre>
`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${TITLE}</h1>
<dl>
${list}
</dl>
${ladder}<p class="quiet">Reload, and more segments have passed. <code>curl</code> gets this page as plain text;
with <code>Accept: application/json</code> it is data.</p>
</main>
</body>
</html>
`;
}
