import { parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import { connectToStack } from './control/stacks.js';
import type { Io } from './io.js';
import { statisticsLines } from './statistics.js';

const HELP = `Usage: tuntcp stat [OPTIONS]

Prints what a running tuntcp serve has counted since it started, in the manner of netstat -s. Drops
are the packets that went no further, by reason.

      --device NAME             the stack to ask, when several run
      --json                    print one JSON object, zeros included
  -h, --help                    print this and exit

Exit status: 0 done, 1 no such stack, 2 wrong usage.
`;

export const stat: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    device: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const client = await connectToStack(io.env, values.device);
  try {
    const counters = await client.ask('counters');
    const lines = values.json ? [JSON.stringify(counters)] : statisticsLines(counters);
    io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } finally {
    client.close();
  }
}
