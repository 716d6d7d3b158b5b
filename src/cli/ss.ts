import type { SocketInfo } from '../stack/connection.js';
import { lookInterval, parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { ControlClient } from './control/client.js';
import { connectToStack } from './control/stacks.js';
import { Ending } from './ending.js';
import { written } from './follow.js';
import type { Io } from './io.js';
import { detailLine, socketTable } from './socket-table.js';
import { endLive, liveOutput } from './terminal-output.js';

const HELP = `Usage: tuntcp ss [OPTIONS]

Lists the sockets of a running tuntcp serve as ss -tn of Linux does: connections, without listeners
and without TIME-WAIT. For a listener Recv-Q is how many connections wait, Send-Q how many may.

  -a, --all                     listeners and TIME-WAIT too
  -l, --listening               listeners alone
  -i, --info                    a second line for each, as ss -ti has it, with the timers that run
  -w, --watch                   list them again and again until Ctrl-C, with an empty line between
      --interval SECONDS        the time between two lists, 0.1 to 60 (1); implies --watch
      --device NAME             the stack to ask, when several run
      --json                    print one JSON object per line, with everything that is known; with
                                --watch one object per list, {"at", "sockets", "omitted"}
  -h, --help                    print this and exit

Times are in ms, cwnd and ssthresh in segments, everything else in bytes.
Exit status: 0 done, 1 no such stack or it has ended, 2 wrong usage.
`;

export const ss: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    all: { type: 'boolean', short: 'a', default: false },
    listening: { type: 'boolean', short: 'l', default: false },
    info: { type: 'boolean', short: 'i', default: false },
    watch: { type: 'boolean', short: 'w', default: false },
    interval: { type: 'string' },
    device: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const interval = lookInterval(values.interval ?? '1');
  const client = await connectToStack(io.env, values.device);
  try {
    if (values.watch || values.interval !== undefined) await watch(client, io, interval, values);
    else io.stdout.write(await list(client, io, values));
    return 0;
  } finally {
    client.close();
  }
}

interface Choice {
  all: boolean;
  listening: boolean;
  info: boolean;
  json: boolean;
}

/** The sockets that are wanted, in order. */
async function look(client: ControlClient, choice: Choice) {
  const { sockets, omitted } = await client.ask('sockets');
  return { sockets: sockets.filter((socket) => isShown(socket, choice)).sort(bySocket), omitted };
}

async function list(client: ControlClient, io: Io, choice: Choice): Promise<string> {
  const { sockets, omitted } = await look(client, choice);
  const lines = choice.json
    ? sockets.map((socket) => JSON.stringify(socket))
    : tableLines(sockets, choice.info);
  if (omitted > 0) io.stderr.write(`tuntcp ss: ${omitted} more are not listed\n`);
  return lines.map((line) => `${line}\n`).join('');
}

async function listAsObject(client: ControlClient, choice: Choice): Promise<string> {
  return `${JSON.stringify({ at: Date.now(), ...(await look(client, choice)) })}\n`;
}

async function watch(
  client: ControlClient,
  io: Io,
  interval: number,
  choice: Choice,
): Promise<void> {
  const output = liveOutput(io.stdout);
  const ending = new Ending(io, false);
  let between = '';
  const listAgain = async () => {
    const text = choice.json ? await listAsObject(client, choice) : await list(client, io, choice);
    await ending.unless(written(output, between + text));
    between = choice.json ? '' : '\n';
  };
  try {
    await ending.unless(listAgain());
    await ending.every(interval, listAgain);
  } finally {
    ending.release();
    await endLive(output);
  }
}

function isShown({ kind }: SocketInfo, { all, listening }: { all: boolean; listening: boolean }) {
  if (all) return true;
  return kind === (listening ? 'listener' : 'connection');
}

/** Listeners first, then by port. */
function bySocket(a: SocketInfo, b: SocketInfo): number {
  const order = Number(b.kind === 'listener') - Number(a.kind === 'listener');
  if (order !== 0 || a.kind === 'listener' || b.kind === 'listener') {
    return order || a.localPort - b.localPort;
  }
  return a.localPort - b.localPort || a.remotePort - b.remotePort;
}

function tableLines(sockets: SocketInfo[], info: boolean): string[] {
  const lines = socketTable(sockets).map((line) => line.trimEnd());
  if (!info) return lines;
  return lines.flatMap((line, i) => {
    const detail = i === 0 ? '' : detailLine(sockets[i - 1]!);
    return detail === '' ? [line] : [line, `\t ${detail}`];
  });
}
