import { parseArgs } from 'node:util';
import { jsonObject, runCommand, usage } from './lib/command.js';
import { FLOODS, type Flood } from './lib/floods/kinds.js';
import { type Outcome, printOutcomes } from './lib/floods/report.js';
import { compileFlooder, flood } from './lib/floods/trial.js';
import { machine } from './lib/machine.js';
import { isInOwnNamespace, runInOwnNamespace } from './lib/own-namespace.js';
import { progress } from './versus/progress.js';

const HELP = `Usage: scripts/floods [--kinds LIST] [--seconds N] [--connections N] [--rate N] [--tcp JSON] [--json]

Sends hostile traffic to a server on our TCP, for a bounded time and from peers with made-up addresses,
while curl asks the same server for a page again and again. Prints for each kind of flood how many packets
a second were sent and arrived, what became of them, what the server's memory (RSS) was before, at its
peak and after, and how many of curl's requests were answered. All of it is in a network namespace of its
own. docs/hardening.md tells what bounds each.

${FLOODS.map(({ kind, what }) => `  ${kind.padEnd(12)} ${what}`).join('\n')}

      --kinds LIST     only these: syn,ack; default all
      --seconds N      of each, 1 to 60, default 10
      --connections N  for the kinds that open some, 1 to 60000, default 4000
      --rate N         packets per second at most; default what the device carries
      --tcp JSON       settings of ours, as docs/configuration.md has them
      --json           print one JSON object instead
  -h, --help           print this and exit

Needs root, or user namespaces, a C compiler and curl. Exit status: 0 all requests were answered, 1 not
all, or it failed, 2 wrong usage.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kinds: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      connections: { type: 'string', default: '4000' },
      rate: { type: 'string', default: '0' },
      tcp: { type: 'string', default: '{}' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const kinds = values.kinds === undefined ? FLOODS : values.kinds.split(',').map(named);
  const seconds = whole('--seconds', values.seconds, 1, 60);
  const connections = whole('--connections', values.connections, 1, 60_000);
  const rate = whole('--rate', values.rate, 0, 10_000_000);
  const tcp = jsonObject('--tcp', values.tcp);
  if (!isInOwnNamespace()) return runInOwnNamespace(__filename, process.argv.slice(2));

  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  const program = compileFlooder();
  const outcomes: Outcome[] = [];
  for (const each of kinds) {
    progress(`${each.kind}: ${each.what}, ${seconds} s`);
    outcomes.push(await flood(program, each, { seconds, connections, rate, tcp }));
  }
  progress('');
  if (values.json) console.log(JSON.stringify({ ...machine(), seconds, connections, outcomes }));
  else printOutcomes(machine(), outcomes);
  return outcomes.every(({ curl }) => curl.failed === 0 && curl.answered > 0) ? 0 : 1;
}

function named(name: string): Flood {
  const found = FLOODS.find(({ kind }) => kind === name);
  if (found !== undefined) return found;
  throw usage(`--kinds takes some of ${FLOODS.map(({ kind }) => kind).join(', ')}, not '${name}'`);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw usage(`${name} takes a whole number from ${least} to ${most}, not '${text}'`);
}

void runCommand('scripts/floods', () => main().finally(() => progress('')));
