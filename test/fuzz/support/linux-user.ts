import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { written } from './pattern.js';

/** A line on standard input: what the user of the connection with a peer does. */
export interface Order {
  /** Dotted quad; with `all` the account of every connection is asked for. */
  peer: string;
  port: number;
  what: 'open' | 'write' | 'shutdown' | 'close' | 'abort' | 'sync' | 'all';
  /** Bytes to write, or the port to connect from. */
  n: number;
}

/** A line on standard output. */
export type Report =
  | { ready: true; denied: string[] }
  | { users: Record<string, Account> }
  | { done: true };

export interface Account {
  received: number;
  ended: boolean;
  error: string | null;
  closed: boolean;
}

interface User extends Account {
  socket: Socket;
  written: number;
}

/** Without limits on answers, memory of earlier peers, and what else would make runs differ. */
const SETTINGS = {
  tcp_invalid_ratelimit: '0',
  tcp_challenge_ack_limit: '2147483647',
  tcp_no_metrics_save: '1',
  tcp_max_syn_backlog: '8192',
  tcp_syncookies: '0',
  tcp_autocorking: '0',
};

const users = new Map<string, User>();

function adopt(peer: string, port: number, socket: Socket): void {
  const user: User = {
    socket,
    received: 0,
    written: 0,
    ended: false,
    error: null,
    closed: false,
  };
  users.set(`${peer}:${port}`, user);
  socket.on('data', (chunk: Buffer) => {
    user.received += chunk.length;
  });
  socket.on('end', () => {
    user.ended = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    user.error = error.code ?? error.message;
  });
  socket.on('close', () => {
    user.closed = true;
  });
}

function obey({ peer, port, what, n }: Order): void {
  if (what === 'all') {
    const all: Record<string, Account> = {};
    for (const [key, { received, ended, error, closed }] of users) {
      all[key] = { received, ended, error, closed };
    }
    say({ users: all });
    for (const { socket } of users.values()) socket.resetAndDestroy();
    users.clear();
    return;
  }
  if (what === 'sync') {
    // What has arrived meanwhile is read first.
    setImmediate(() => setImmediate(() => say({ done: true })));
    return;
  }
  if (what === 'open') {
    const options = { host: peer, port, localPort: n, allowHalfOpen: true };
    adopt(peer, port, connect(options));
    return;
  }
  const user = users.get(`${peer}:${port}`);
  if (user === undefined || user.socket.destroyed) return;
  if (what === 'write') {
    user.socket.write(written(user.written, n));
    user.written += n;
  } else if (what === 'shutdown') user.socket.end();
  else if (what === 'close') user.socket.destroy();
  else user.socket.resetAndDestroy();
}

function say(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Names of the settings that could not be made. */
function set(): string[] {
  return Object.entries(SETTINGS).flatMap(([name, value]) => {
    try {
      writeFileSync(`/proc/sys/net/ipv4/${name}`, value);
      return [];
    } catch {
      return [name];
    }
  });
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  adopt(socket.remoteAddress ?? '', socket.remotePort ?? 0, socket);
});
server.listen({ port: 80, host: '10.0.0.2', backlog: 4_096 }, () =>
  say({ ready: true, denied: set() }),
);
createInterface({ input: process.stdin })
  .on('line', (line) => obey(JSON.parse(line) as Order))
  .on('close', () => process.exit());
