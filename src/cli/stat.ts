import { systemRuntime } from '../runtime/system.js';
import { lookInterval, parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { ControlClient } from './control/client.js';
import { connectToStack } from './control/stacks.js';
import { Ending } from './ending.js';
import { written } from './follow.js';
import type { Io } from './io.js';
import { growth, type Look, RATE_HEADING, rateRow } from './stat-rows.js';
import { statisticsLines } from './statistics.js';
import { endLive, liveOutput } from './terminal-output.js';

const HELP = `Usage: tuntcp stat [OPTIONS]

Prints what a running tuntcp serve has counted since it started, in the manner of netstat -s. Drops
are the packets that went no further, by reason.

  -i, --interval SECONDS        print a line of rates every 0.1 to 60 seconds, as vmstat does
      --device NAME             the stack to ask, when several run
      --json                    print one JSON object, zeros included; with --interval one object a
                                line, {"at", "seconds", "counters"}: how much was added in that time
  -h, --help                    print this and exit

Rates of packets and bytes are those of IPv4. Ctrl-C ends it.
Exit status: 0 done, 1 no such stack or it has ended, 2 wrong usage.
`;

export const stat: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    interval: { type: 'string', short: 'i' },
    device: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const interval = values.interval === undefined ? null : lookInterval(values.interval);
  const client = await connectToStack(io.env, values.device);
  try {
    if (interval !== null) {
      await watch(client, io, interval, values.json);
      return 0;
    }
    const counters = await client.ask('counters');
    const lines = values.json ? [JSON.stringify(counters)] : statisticsLines(counters);
    io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } finally {
    client.close();
  }
}

/** Rows between two headings. */
const PAGE = 20;

async function watch(
  client: ControlClient,
  io: Io,
  interval: number,
  json: boolean,
): Promise<void> {
  const look = async (): Promise<Look> => ({
    at: Date.now(),
    time: systemRuntime().now(),
    counters: await client.ask('counters'),
  });
  const output = liveOutput(io.stdout);
  const ending = new Ending(io, false);
  let rows = 0;
  try {
    let before: Look | undefined;
    await ending.unless(
      look().then((first) => {
        before = first;
      }),
    );
    await ending.every(interval, async () => {
      const after = await look();
      const lines = json ? [growthLine(before!, after)] : [rateRow(before!, after)];
      if (!json && rows++ % PAGE === 0) lines.unshift(...RATE_HEADING);
      await ending.unless(written(output, `${lines.join('\n')}\n`));
      before = after;
    });
  } finally {
    ending.release();
    await endLive(output);
  }
}

function growthLine(before: Look, after: Look): string {
  const counters = growth(before.counters, after.counters);
  return JSON.stringify({ at: after.at, seconds: (after.time - before.time) / 1000, counters });
}
