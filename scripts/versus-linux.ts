import { parseArgs } from 'node:util';
import { jsonObject, runCommand, usage } from './lib/command.js';
import { machine } from './lib/machine.js';
import { isInOwnNamespace, runInOwnNamespace } from './lib/own-namespace.js';
import { chosenCells, grid, quickGrid } from './versus/cells.js';
import { measureFairness, printFairness } from './versus/fairness.js';
import { figuresOf, type GridFigures, measureGrid } from './versus/goodput.js';
import { printGrid, printMarkdown } from './versus/grid-report.js';
import { compilePeer } from './versus/peer.js';
import { progress } from './versus/progress.js';
import { Bench } from './versus/trial.js';
import { TrialLog } from './versus/trial-log.js';

const HELP = `Usage: scripts/versus-linux [--quick] [--cells LIST] [--rate LIST] [--seconds N] [--runs N]
                            [--parallel N] [--out FILE] [--for N] [--report] [--markdown]
                            [--linux NAME] [--ours NAME] [--tcp JSON] [--fairness] [--anyway] [--json]

Compares our TCP with Linux's over bad networks. Two kernels, each in a network namespace with a TUN
device, and stacks of ours meet in this process at one and the same link with faults: Linux sends to
Linux, we send to Linux, Linux sends to us, in turn, each time for so many seconds from the end of
the handshake on and with the same losses. Prints for each cell the goodput of ours divided by
Linux's, for sending and for receiving: the median of the runs, the lowest and highest, and a
verdict, by the interval in which the true ratio lies with a confidence of 90 %; 0.99 passes as 1.

Cells are named as 50ms-1%-burst-reorder: the round trip, the loss in both directions (at random or in
bursts of 4), and whether 1 % of the packets come late (by an eighth of the round trip, 10 ms at
most). In front of the path is a drop-tail queue of rate x round trip + 48 kB. Linux may use buffers
of 64 MiB, ours have 16 MiB.

      --quick        9 cells, 3 runs of 3 s
      --cells LIST   only cells with these parts: 10ms-1%,burst,200ms-0%
      --rate LIST    in Mbit/s, default 100; a rate with which this process cannot keep up is left out
      --seconds N    of each transfer, default 5; with --fairness 15, after 5 s that do not count
      --runs N       default 4
      --parallel N   so many runs at once, each between kernels of its own; default 1
      --out FILE     keep what is measured in FILE, and measure only what it lacks
      --for N        begin no run that would end after N seconds
      --report       measure nothing, print what FILE has
      --markdown     print tables of Markdown
      --linux NAME   congestion control of Linux, default cubic
      --ours NAME    and of ours, default the same
      --tcp JSON     further settings of ours, as docs/configuration.md has them
      --fairness     instead lets two flows share 100 Mbit/s, a queue of one product of rate and
                     round trip (20 and 50 ms): ours and Linux's, two of ours, two of Linux's; prints
                     Jain's index, which is 1 when both get the same
      --anyway       measure also where this process does not keep up, and count runs in which it was late
      --json         print one JSON object instead
  -h, --help         print this and exit

Needs root, or user namespaces, and a C compiler. Exit status: 0 measured, 1 some or all of it
failed, 2 wrong usage.`;

/** Names that Linux has for what we have under another. */
const OUR_NAME: Readonly<Record<string, string>> = { reno: 'newreno' };
const BUFFER_BYTES = 16 * 1024 * 1024;
const QUICK = { seconds: 3, runs: 3 };
const USUAL = { seconds: 5, runs: 4 };
const FAIRNESS = { seconds: 15, runs: 4 };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      cells: { type: 'string' },
      rate: { type: 'string', default: '100' },
      seconds: { type: 'string' },
      runs: { type: 'string' },
      linux: { type: 'string', default: 'cubic' },
      ours: { type: 'string' },
      tcp: { type: 'string', default: '{}' },
      parallel: { type: 'string', default: '1' },
      out: { type: 'string' },
      for: { type: 'string', default: '1e6' },
      report: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      fairness: { type: 'boolean', default: false },
      anyway: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const usual = values.quick ? QUICK : values.fairness ? FAIRNESS : USUAL;
  const seconds = positive('--seconds', values.seconds ?? String(usual.seconds));
  const runs = Math.ceil(positive('--runs', values.runs ?? String(usual.runs)));
  const rates = values.rate.split(',').map((rate) => positive('--rate', rate) * 1e6);
  const whole = values.quick ? quickGrid() : grid();
  const cells = values.cells === undefined ? whole : chosenCells(values.cells);
  const { linux, anyway, ours = OUR_NAME[linux] ?? linux } = values;
  const tcp = { congestionControl: ours, ...buffers(), ...jsonObject('--tcp', values.tcp) };
  const limit = positive('--for', values.for);
  const setup = { ...machine(), linux, ours: tcp.congestionControl, seconds };
  const show = (figures: GridFigures): number => {
    progress('');
    if (values.json) console.log(JSON.stringify({ ...setup, runs, ...figures }));
    else if (values.markdown) printMarkdown(figures);
    else printGrid(figures);
    return figures.failures.length === 0 ? 0 : 1;
  };
  const plan = { cells, rates, seconds, runs, anyway, limit };
  if (values.report) {
    if (values.out === undefined) throw usage('--report needs --out FILE');
    const log = new TrialLog(values.out, setup);
    return show({ checks: [], cells: figuresOf(plan, log), failures: [], left: 0 });
  }
  if (!isInOwnNamespace()) return runInOwnNamespace(__filename, process.argv.slice(2));

  const log = new TrialLog(values.out ?? null, setup);
  const benches: Bench[] = [];
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  try {
    const program = compilePeer();
    const parallel = values.fairness ? 1 : Math.ceil(positive('--parallel', values.parallel));
    while (benches.length < parallel) benches.push(await Bench.start({ program, linux, tcp }));
    const [bench] = benches;
    await bench!.checkLinux();
    if (!values.json) {
      console.log(`${setup.cpu}, Linux ${setup.kernel} with ${linux}, Node ${setup.node}`);
      console.log(`ours with ${setup.ours}, ${runs} runs of ${seconds} s\n`);
    }
    if (!values.fairness) return show(await measureGrid(benches, plan, log));
    const figures = await measureFairness(bench!, { seconds, runs });
    progress('');
    if (values.json) console.log(JSON.stringify({ ...setup, runs, ...figures }));
    else printFairness(figures);
    return figures.failures.length === 0 ? 0 : 1;
  } finally {
    for (const bench of benches) bench.close();
  }
}

function buffers(): { sendBuffer: number; receiveBuffer: number } {
  return { sendBuffer: BUFFER_BYTES, receiveBuffer: BUFFER_BYTES };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw usage(`${name} takes a number above 0, not '${text}'`);
}

void runCommand('scripts/versus-linux', () => main().finally(() => progress('')));
