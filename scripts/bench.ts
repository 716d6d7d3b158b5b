import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { parseArgs } from 'node:util';
import { bulk, link, segments } from './lib/bench/bulk.js';
import { cores } from './lib/bench/cores.js';
import { iperf3 } from './lib/bench/iperf3.js';
import type { Kind } from './lib/bench/kinds.js';
import { KINDS, kindsOf, LABEL, UsageError } from './lib/bench/kinds.js';
import { memory } from './lib/bench/memory.js';
import { Peers } from './lib/bench/peers.js';
import { connections, http, requests } from './lib/bench/requests.js';
import type { Results } from './lib/bench/results.js';
import { Collection, load, machine, store } from './lib/bench/results.js';
import { BenchServer } from './lib/bench/server.js';
import { stolen, ticksNow } from './lib/bench/steal.js';
import type { Bench, Settings, Suite } from './lib/bench/suite.js';
import { changeOf, table } from './lib/bench/table.js';
import { isInOwnNamespace, runInOwnNamespace } from './lib/own-namespace.js';

const SUITES: readonly Suite[] = [
  iperf3,
  requests,
  http,
  connections,
  memory,
  bulk,
  segments,
  link,
  cores,
];

const HELP = `Usage: scripts/bench [OPTIONS]     or npm run bench -- [OPTIONS]

Measures one and the same JavaScript on our TCP over a TUN device, with and without offload, and on
node:net over the kernel's loopback, in turn, in a network namespace of its own. Clients are the
kernel's: iperf3, wrk, and programs in C. Prints medians, spreads and ratios, and stores all of it.

      --only LIST        suites by name or letter:
${SUITES.map(({ letter, name, title }) => `                           ${letter} ${name.padEnd(12)} ${title}`).join('\n')}
      --quick            a look at each, in two minutes
      --pairs N          measurements of each kind, default 5 (quick: 1)
      --seconds N        length of a measurement, default 1 (quick: 0.5)
      --kinds LIST       of ${KINDS.join(', ')};
                         the first three unless given; workers is for cores alone, bare, traced
                         and captured are for bulk alone; bare is a loop in C on a device without
                         offload, and plain is compared with it
      --congestion NAME  the kernel's congestion control: reno (default), or whatever else
                         /proc/sys/net/ipv4/tcp_allowed_congestion_control lists
      --against FILE     print the change against a stored run
      --out FILE         store there instead of in bench/results/
      --json             print one JSON object instead of the table
  -h, --help             print this and exit

Takes some 18 minutes. Exit status: 0 done, 1 failed, 2 wrong usage.`;

const CONGESTION_SETTING = '/proc/sys/net/ipv4/tcp_congestion_control';
/** What many connections need of the kernel that makes them; all are the namespace's own. */
const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/ip_local_port_range': '1024 65535',
  'net/ipv4/tcp_max_syn_backlog': '8192',
  'net/core/somaxconn': '8192',
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      pairs: { type: 'string' },
      seconds: { type: 'string' },
      kinds: { type: 'string', default: 'ours,plain,node' },
      congestion: { type: 'string', default: 'reno' },
      against: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const suites = suitesOf(values.only);
  const kinds = kindsOf(values.kinds);
  const { quick } = values;
  const settings: Settings = {
    pairs: Math.ceil(positive('--pairs', values.pairs ?? (quick ? '1' : '5'))),
    seconds: positive('--seconds', values.seconds ?? (quick ? '0.5' : '1')),
    quick,
  };
  const before = values.against === undefined ? null : load(values.against);
  if (!isInOwnNamespace()) return runInOwnNamespace(__filename, process.argv.slice(2));
  endOnSignals();
  prepare(values.congestion);
  const started = Date.now();
  const { figures, failures } = await measure(suites, kinds, settings);
  const took = Math.round((Date.now() - started) / 1000);
  const results: Results = {
    machine: machine(values.congestion),
    settings,
    figures,
    failures,
    took,
  };
  const file = store(results, values.out);
  if (values.json) console.log(JSON.stringify(withChange(results, before)));
  else console.log(`${table(results, suites, before)}\n\n${took} s; stored in ${file}`);
  return failures.length === 0 ? 0 : 1;
}

function suitesOf(only: string | undefined): readonly Suite[] {
  if (only === undefined) return SUITES;
  const names = only.split(',');
  const unknown = names.find((name) => !SUITES.some((each) => isNamed(each, name)));
  if (unknown !== undefined) throw new UsageError(`--only does not know '${unknown}'`);
  return SUITES.filter((each) => names.some((name) => isNamed(each, name)));
}

function isNamed(suite: Suite, name: string): boolean {
  return suite.name === name || suite.letter === name;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`${name} takes a number above 0, not '${text}'`);
}

/** Ctrl-C leaves nothing behind. */
function endOnSignals(): void {
  process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
}

function prepare(congestion: string): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  fs.writeFileSync(CONGESTION_SETTING, congestion);
  for (const [name, value] of Object.entries(SETTINGS)) {
    fs.writeFileSync(`/proc/sys/${name}`, value);
  }
}

/** Kinds in turn, so that whatever else the machine does at the time meets all of them alike. */
async function measure(
  suites: readonly Suite[],
  kinds: readonly Kind[],
  settings: Settings,
): Promise<Collection> {
  const collection = new Collection();
  const peers = new Peers();
  const bench: Bench = {
    settings,
    peers,
    say: (text) => progress('note', text),
    async withServer(kind, use, options) {
      const server = await BenchServer.start(kind, peers, options);
      try {
        return await use(server);
      } finally {
        await server.stop();
      }
    },
  };
  for (const suite of suites) {
    const pairs = suite.pairs?.(settings) ?? settings.pairs;
    for (let pair = 1; pair <= pairs; pair++) {
      for (const kind of suite.kinds(kinds)) {
        progress(`${suite.title}, ${pair} of ${pairs}`, LABEL[kind]);
        const before = ticksNow();
        const samples = await suite.run(kind, bench).catch((error: Error) => {
          const failure = `${suite.name}, ${LABEL[kind]}: ${error.message}`;
          progress('failed', failure);
          collection.failures.push(failure);
          return [];
        });
        collection.add(suite.name, kind, [...samples, stolen(before, ticksNow())]);
      }
    }
  }
  progress('', '');
  return collection;
}

function withChange(results: Results, before: Results | null): object {
  if (before === null) return results;
  const figures = results.figures.map((each) =>
    each.better === null ? each : { ...each, change: changeOf(each, before) },
  );
  return { ...results, figures, against: before.machine };
}

function progress(what: string, more: string): void {
  const text = what === '' ? '' : `${what}: ${more}`;
  if (process.stderr.isTTY && what !== 'note' && what !== 'failed')
    process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(`scripts/bench: ${error?.message ?? error}`);
    const usage = error instanceof UsageError || String(error?.code).startsWith('ERR_PARSE_ARGS');
    process.exitCode = usage ? 2 : 1;
  },
);
