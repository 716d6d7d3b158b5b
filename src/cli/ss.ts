import type { SocketInfo } from '../stack/connection.js';
import { parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import { connectToStack } from './control/stacks.js';
import type { Io } from './io.js';
import { detailLine, socketTable } from './socket-table.js';

const HELP = `Usage: tuntcp ss [OPTIONS]

Lists the sockets of a running tuntcp serve as ss -tn of Linux does: connections, without listeners
and without TIME-WAIT. For a listener Recv-Q is how many connections wait, Send-Q how many may.

  -a, --all                     listeners and TIME-WAIT too
  -l, --listening               listeners alone
  -i, --info                    a second line for each, as ss -ti has it, with the timers that run
      --device NAME             the stack to ask, when several run
      --json                    print one JSON object per line, with everything that is known
  -h, --help                    print this and exit

Times are in ms, cwnd and ssthresh in segments, everything else in bytes.
Exit status: 0 done, 1 no such stack, 2 wrong usage.
`;

export const ss: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    all: { type: 'boolean', short: 'a', default: false },
    listening: { type: 'boolean', short: 'l', default: false },
    info: { type: 'boolean', short: 'i', default: false },
    device: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const client = await connectToStack(io.env, values.device);
  try {
    const { sockets, omitted } = await client.ask('sockets');
    const shown = sockets.filter((socket) => isShown(socket, values)).sort(bySocket);
    const lines = values.json
      ? shown.map((socket) => JSON.stringify(socket))
      : tableLines(shown, values.info);
    io.stdout.write(lines.map((line) => `${line}\n`).join(''));
    if (omitted > 0) io.stderr.write(`tuntcp ss: ${omitted} more are not listed\n`);
    return 0;
  } finally {
    client.close();
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
