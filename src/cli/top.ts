import { systemRuntime } from '../runtime/system.js';
import { wantsColour } from '../stack/ladder.js';
import { lookInterval, parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { ControlClient } from './control/client.js';
import type { Identity } from './control/protocol.js';
import { connectToStack } from './control/stacks.js';
import { Ending } from './ending.js';
import { written } from './follow.js';
import type { Io } from './io.js';
import { type Rates, ratesBetween, type Sample } from './rates.js';
import { endLive, liveOutput } from './terminal-output.js';
import { topLines } from './top-screen.js';

const HELP = `Usage: tuntcp top [OPTIONS]

Shows a running tuntcp serve live: throughput with its history, what is retransmitted and dropped,
and the connections, the busiest first. q or Ctrl-C ends it. Without a terminal it prints once.
Packets and bytes of the stack are those of IPv4, as large as they cross the device; In and Out of a
connection are payload.

      --device NAME             the stack to ask, when several run
      --interval SECONDS        time between two looks, 0.1 to 60 (1)
      --json                    print one JSON object per look, without end
  -h, --help                    print this and exit

NO_COLOR is honoured. Exit status: 0 done, 1 no such stack or it has ended, 2 wrong usage.
`;

export const top: Command = { help: HELP, run };

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const REVERSE = '\x1b[7m';
const RESET = '\x1b[0m';
/** More looks than a terminal is wide are not kept. */
const HISTORY = 1000;

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    device: { type: 'string' },
    interval: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const interval = lookInterval(values.interval);
  const client = await connectToStack(io.env, values.device);
  try {
    if (values.json) await asJson(client, io, interval);
    else if (io.stdout.isTTY) await onScreen(client, io, interval);
    else await once(client, io, interval);
    return 0;
  } finally {
    client.close();
  }
}

async function take(client: ControlClient): Promise<Sample> {
  const counters = await client.ask('counters');
  const { sockets } = await client.ask('sockets');
  return { at: Date.now(), time: systemRuntime().now(), counters, sockets };
}

/** Two looks make one screen. */
async function once(client: ControlClient, io: Io, interval: number): Promise<void> {
  const identity = await client.ask('identity');
  const before = await take(client);
  const ended = new Ending(io, false);
  await ended.wait(interval);
  ended.release();
  const after = await take(client);
  const size = { columns: io.stdout.columns ?? 100, rows: Infinity };
  const lines = topLines(identity, [ratesBetween(before, after)], after.sockets, size);
  io.stdout.write(`${lines.join('\n')}\n`);
}

async function onScreen(client: ControlClient, io: Io, interval: number): Promise<void> {
  const identity = await client.ask('identity');
  const history: Rates[] = [];
  const screen = liveOutput(io.stdout);
  screen.write(ENTER);
  try {
    await watch(client, io, interval, (rates, sample) => {
      history.push(rates);
      if (history.length > HISTORY) history.shift();
      // A terminal that does not keep up gets fewer screens, not late ones.
      if (screen.writableLength === 0) screen.write(draw(io, identity, history, sample));
      return undefined;
    });
  } finally {
    screen.write(LEAVE);
    await endLive(screen);
  }
}

function draw(io: Io, identity: Identity, history: readonly Rates[], sample: Sample): string {
  const size = { columns: io.stdout.columns ?? 80, rows: io.stdout.rows ?? 24 };
  const colour = wantsColour(io.stdout, io.env);
  const lines = topLines(identity, history, sample.sockets, size).slice(0, size.rows - 1);
  const styled = lines.map((line, i) =>
    colour && i === 0 ? `${REVERSE}${line.padEnd(size.columns)}${RESET}` : line,
  );
  return `${HOME}${styled.map((line) => `${line}${CLEAR_LINE}\r\n`).join('')}${CLEAR_BELOW}`;
}

async function asJson(client: ControlClient, io: Io, interval: number): Promise<void> {
  const output = liveOutput(io.stdout);
  try {
    await watch(client, io, interval, (rates, sample) =>
      written(output, `${JSON.stringify(lookObject(rates, sample))}\n`),
    );
  } finally {
    await endLive(output);
  }
}

function lookObject(rates: Rates, { at, sockets }: Sample): object {
  const states: Record<string, number> = {};
  for (const { state } of sockets) {
    states[state] = (states[state] ?? 0) + 1;
  }
  const connections = rates.connections.map(({ info, ...rate }) => {
    const { state, localAddress, localPort, remoteAddress, remotePort } = info;
    return { state, localAddress, localPort, remoteAddress, remotePort, ...rate };
  });
  return { at, ...rates, states, connections };
}

/** Looks until it is asked to end. Rejects when the stack ends. */
async function watch(
  client: ControlClient,
  io: Io,
  interval: number,
  look: (rates: Rates, sample: Sample) => Promise<void> | undefined,
): Promise<void> {
  const ending = new Ending(io, true);
  try {
    let before: Sample | undefined;
    await ending.unless(
      take(client).then((first) => {
        before = first;
      }),
    );
    if (before !== undefined) await ending.unless(look(ratesBetween(before, before), before));
    await ending.every(interval, async () => {
      const after = await take(client);
      await ending.unless(look(ratesBetween(before!, after), after));
      before = after;
    });
  } finally {
    ending.release();
  }
}
