import { parsePattern } from './parse-packet.js';
import type { CallLine, Wanted } from './script.js';

/** What is wrong with a call; the caller adds the place. */
export class CallError extends Error {}

/** Calls and assertions, each with how it is written. */
export const CALLS: Readonly<Record<string, string>> = {
  socket: 'socket(..., SOCK_STREAM, IPPROTO_TCP) = FD',
  bind: 'bind(FD, ..., ...) = 0',
  listen: 'listen(FD, BACKLOG) = 0',
  accept: 'accept(FD, ..., ...) = FD',
  connect: 'connect(FD, ..., ...) = -1 EINPROGRESS',
  read: 'read(FD, ..., BYTES) = BYTES',
  write: 'write(FD, ..., BYTES) = BYTES',
  send: 'send(FD, ..., BYTES, FLAGS) = BYTES',
  shutdown: 'shutdown(FD, SHUT_WR) = 0',
  close: 'close(FD) = 0',
  abort: 'abort(FD) = 0',
  setsockopt: 'setsockopt(FD, LEVEL, NAME, [VALUE], 4) = 0',
  error: 'error(FD) = ECONNRESET',
  state: 'state(FD) = ESTABLISHED',
  cwnd: 'cwnd(FD) = SEGMENTS',
  unread: 'unread(FD) = BYTES',
  retransmits: 'retransmits(FD) = SEGMENTS',
};

/** Calls that look and do not touch, so that they may be made again until they are right. */
export const ASSERTIONS: ReadonlySet<string> = new Set(['state', 'cwnd', 'unread', 'retransmits']);

const STATES = new Set(
  `CLOSED LISTEN SYN_SENT SYN_RECEIVED ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK
  TIME_WAIT`.split(/\s+/),
);

export const OPTIONS: readonly string[] = [
  'SO_LINGER',
  'SO_KEEPALIVE',
  'SO_REUSEADDR',
  'TCP_NODELAY',
  'TCP_KEEPIDLE',
  'TCP_USER_TIMEOUT',
  'TCP_CONGESTION',
  'IP_TOS',
];

export function parseCall(text: string): CallLine {
  const match = /^(\w+)(?:\s*\((.*?)\))?\s*(==|=)\s*(.+)$/.exec(text);
  const name = match?.[1] ?? /^\w+/.exec(text)?.[0] ?? '';
  const usage = CALLS[name];
  if (usage === undefined) {
    throw new CallError(
      `cannot read \`${text}\`: a line is a packet (< or >), a call or assertion (${Object.keys(CALLS).join(', ')}), or a \`preamble\``,
    );
  }
  if (match === null) throw new CallError(`cannot read \`${text}\`; write it as ${usage}`);
  const args = splitArguments(match[2] ?? '');
  const least = name === 'state' ? 0 : usage.split(',').length - (name === 'send' ? 1 : 0);
  if (args.length < least || args.length > Math.max(least, 5)) {
    throw new CallError(`${name} takes other arguments; write it as ${usage}`);
  }
  if (name === 'setsockopt' && !OPTIONS.includes(args[2]!)) {
    throw new CallError(`${args[2]} is none of the options known here: ${OPTIONS.join(', ')}`);
  }
  return { name, args, wanted: parseWanted(name, match[4]!.trim(), usage) };
}

function splitArguments(text: string): string[] {
  const args = text.match(/\{[^}]*\}|[^,{]+/g) ?? [];
  return args.map((each) => each.trim()).filter((each) => each !== '');
}

function parseWanted(name: string, text: string, usage: string): Wanted {
  // As packetdrill's users write it, with the error's text in parentheses behind.
  const bare = text.replace(/\s*\(.*\)$/, '');
  if (name === 'state') {
    if (STATES.has(bare)) return { value: null, name: bare };
    throw new CallError(`\`${bare}\` is no state: ${[...STATES].join(', ')}`);
  }
  const failed = /^-1 (E\w+)$/.exec(bare);
  if (failed) return { value: { from: -1, to: -1 }, name: failed[1]! };
  if (name === 'error' && /^(E\w+|0)$/.test(bare)) {
    return { value: null, name: bare === '0' ? null : bare };
  }
  if (/^(\*|\d+(~\d+)?)$/.test(bare)) return { value: parsePattern(bare), name: null };
  throw new CallError(`cannot read the result \`${text}\`; write it as ${usage}, or = -1 EAGAIN`);
}
