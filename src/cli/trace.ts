import { isIPv4 } from 'node:net';
import { describeEvent, type TraceEvent } from '../stack/trace-event.js';
import { integer, parse, port } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Heard } from './control/client-stream.js';
import type { TraceRequest } from './control/protocol.js';
import { connectToStack } from './control/stacks.js';
import { follow, written } from './follow.js';
import type { Io, Terminal } from './io.js';
import { endLive, liveOutput } from './terminal-output.js';
import { type Timestamp, timestampFor } from './timestamp.js';

const HELP = `Usage: tuntcp trace [OPTIONS] [EVENT...]

Tells what the TCP of a running tuntcp serve does and why, with the clause of the RFC, each event on
a line, while it happens. Ctrl-C ends it.

EVENT is what is wanted, all if none is given: received, sent, dropped (segments), state, ack (why
one without data goes out), retransmission, timer, rtt, window, congestion, mtu (of the path),
challenge (RFC 5961), overflow (of a queue of a listener), cookie (SYN cookies).

  -p, --port PORT           only connections with this port, at either end
      --host ADDRESS        only connections with this peer
  -c, --count N             end after N events
  -t                        no time in front of a line; -tt: seconds since 1970
  -i, --device NAME         the stack to ask, when several run
      --json                one JSON object per line, with the time in ms since 1970, and
                            {"lost": N} where events are missing
  -h, --help                print this and exit

Example: tuntcp trace -p 80 state retransmission congestion
Exit status: 0 done, 1 no such stack or it has ended, 2 wrong usage.
`;

export const trace: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    port: { type: 'string', short: 'p' },
    host: { type: 'string' },
    count: { type: 'string', short: 'c' },
    time: { type: 'boolean', short: 't', multiple: true, default: [] },
    device: { type: 'string', short: 'i' },
    json: { type: 'boolean', default: false },
  });
  const { host } = values;
  if (host !== undefined && !isIPv4(host)) {
    throw new UsageError(`--host takes an IPv4 address, not '${host}'`);
  }
  const request: TraceRequest = {
    types: positionals.length === 0 ? undefined : positionals.flatMap((word) => word.split(',')),
    port: values.port === undefined ? undefined : port(values.port, '--port'),
    host,
    count: values.count === undefined ? undefined : integer(values.count, '--count', 1, 1e15),
  };
  const client = await connectToStack(io.env, values.device);
  const screen = liveOutput(io.stdout);
  const printer = new EventPrinter(io, screen, timestampFor(values.time.length), values.json);
  const stream = client.stream('trace', request);
  try {
    const asked = await follow(io, stream, (heard) => printer.hear(heard));
    if (!asked && stream.ended?.done.events !== request.count) {
      throw new Error('the stack has ended');
    }
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === 'ERR_INVALID_ARG_VALUE' ? new UsageError(message) : error;
  } finally {
    client.close();
    printer.report();
    await endLive(screen);
  }
}

class EventPrinter {
  readonly #io: Io;
  readonly #to: Terminal;
  readonly #timestamp: Timestamp;
  readonly #json: boolean;
  /** ms since 1970 at 0 of the stack's time; null until the stack has said it. */
  #epoch: number | null = null;
  #events = 0;
  #lost = 0;

  constructor(io: Io, to: Terminal, timestamp: Timestamp, json: boolean) {
    this.#io = io;
    this.#to = to;
    this.#timestamp = timestamp;
    this.#json = json;
  }

  hear(heard: Heard<'trace'>): Promise<void> | undefined {
    if ('lost' in heard) {
      const { lost } = heard;
      this.#lost += lost;
      this.#to.write(this.#json ? `${JSON.stringify({ lost })}\n` : `[${lost} events lost]\n`);
      return undefined;
    }
    const { item } = heard;
    if (Array.isArray(item)) {
      this.#events += item.length;
      return written(this.#to, item.map((event) => `${this.#line(event)}\n`).join(''));
    }
    this.#epoch = item.epoch;
    this.#io.stderr.write(`tracing ${item.device}\n`);
    return undefined;
  }

  report(): void {
    if (this.#epoch === null) return;
    this.#io.stderr.write(`${this.#events} events, ${this.#lost} lost\n`);
  }

  #line(event: TraceEvent): string {
    const time = this.#epoch! + event.time;
    if (this.#json) return JSON.stringify({ ...event, time });
    const stamp = this.#timestamp(BigInt(Math.floor(time * 1000)) * 1000n);
    return `${stamp}${ends(event)}${describeEvent(event)}`;
  }
}

/** `10.7.0.2:80 10.7.0.1:51938 ESTABLISHED: `; nothing for what belongs to no connection. */
function ends({ connection }: TraceEvent): string {
  if (connection === null) return '';
  const { localAddress, localPort, remoteAddress, remotePort, state } = connection;
  return `${localAddress}:${localPort} ${remoteAddress}:${remotePort} ${state}: `;
}
