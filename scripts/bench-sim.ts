import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type { Speed } from '../test/sim/support/speed.js';
import { runCommand, usage } from './lib/command.js';

const HELP = `Usage: scripts/bench-sim [--seconds N] [--runs N] [--json]

One flow of 10 Mbit/s with a round trip of 40 ms between two hosts, on virtual time, in this process.
Prints how many seconds are simulated in one second of CPU time, which other load on the machine
changes little: the median of all runs but the first.

      --seconds N  of simulated time for each run, default 60
      --runs N     default 7
      --json       print one JSON object instead
  -h, --help       print this and exit`;

const SUPPORT = path.join(__dirname, '../dist-sim/test/sim/support/speed.js');

function main(): number {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      runs: { type: 'string', default: '7' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const seconds = integer('--seconds', values.seconds, 1);
  const runs = integer('--runs', values.runs, 2);
  const { measureSpeed } = require(SUPPORT) as typeof import('../test/sim/support/speed.js');
  const all: Speed[] = [];
  for (let i = 0; i < runs; i++) all.push(measureSpeed(seconds * 1000, cpuTime));
  // V8 compiles in the first.
  const factors = all.slice(1).map(({ simulated, real }) => simulated / real);
  factors.sort((a, b) => a - b);
  const median = factors[factors.length >> 1]!;
  const packetNs = (seconds * 1e9) / median / all[0]!.packets;
  const cpu = os.cpus()[0]?.model ?? 'unknown';
  if (values.json) console.log(JSON.stringify({ cpu, seconds, median, factors, packetNs }));
  else {
    const spread = `${factors[0]!.toFixed(0)} to ${factors.at(-1)!.toFixed(0)}`;
    console.log(`${cpu}, Node ${process.version}`);
    console.log(
      `${median.toFixed(0)} times real time (${spread}), ${packetNs.toFixed(0)} ns a packet`,
    );
  }
  return 0;
}

/** ms of CPU time that this process has taken. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw usage(`${name} takes an integer from ${least} on, not '${text}'`);
}

void runCommand('scripts/bench-sim', main);
