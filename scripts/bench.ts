import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { isInOwnNamespace, runInOwnNamespace } from './lib/own-namespace.js';

const HELP = `Usage: scripts/bench [--pairs N] [--gigabytes N] [--congestion NAME] [--also KIND,...] [--json]

Bulk transfer through the public API of one and the same JavaScript server, on our TCP over a TUN
device with offload and on node:net over the kernel's loopback, in turn, against one kernel client
in C. A first transfer of each server is not counted. Prints the median of each, in Gbit/s, and the ratio.

      --pairs N      measurements of each kind, default 5
      --gigabytes N  data per measurement in units of 10^9 bytes, default 4
      --congestion NAME  the kernel's congestion control, for both kinds: reno (default), or
                     whatever else /proc/sys/net/ipv4/tcp_allowed_congestion_control lists
      --also KIND,...  also ours plain: without offload, on a quarter of the data; traced: with the
                     recorder of ladders that serve has; captured: with a capture to a file
      --json         print one JSON object instead
  -h, --help         print this and exit`;

const ROOT = path.join(__dirname, '..');
const TIMEOUT = 120_000;
const CONGESTION_SETTING = '/proc/sys/net/ipv4/tcp_congestion_control';

type Kind = 'ours' | 'node' | Variant;
type Direction = 'up' | 'down';

interface Figures {
  kind: Kind;
  direction: Direction;
  /** Gbit/s, in order of measurement. */
  runs: number[];
}

const VARIANTS = ['ours-plain', 'ours-traced', 'ours-captured'] as const;
type Variant = (typeof VARIANTS)[number];

const LABEL: Record<Kind, string> = {
  ours: 'tuntcp over TUN, offload',
  node: 'node:net over lo',
  'ours-plain': 'tuntcp over TUN, no offload',
  'ours-traced': 'the same with a recorder',
  'ours-captured': 'the same with a capture',
};
const DIRECTIONS = ['up', 'down'] as const;
const DIRECTION: Record<Direction, string> = { up: 'client sends', down: 'server sends' };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '5' },
      gigabytes: { type: 'string', default: '4' },
      congestion: { type: 'string', default: 'reno' },
      also: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (!isInOwnNamespace()) return runInOwnNamespace(__filename, process.argv.slice(2));
  const pairs = positive('--pairs', values.pairs);
  const bytes = positive('--gigabytes', values.gigabytes) * 1e9;
  const kinds: Kind[] = ['ours', 'node', ...variants(values.also)];
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  fs.writeFileSync(CONGESTION_SETTING, values.congestion);
  const figures = await measure(kinds, pairs, bytes, compilePeer());
  if (values.json) console.log(JSON.stringify({ ...machine(), pairs, bytes, figures }));
  else printTable(figures);
  return 0;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw Object.assign(new Error(`${name} takes a number above 0, not '${text}'`), {
    code: 'ERR_PARSE_ARGS_VALUE',
  });
}

function variants(list: string): Variant[] {
  return list.split(',').flatMap((name) => {
    const variant = VARIANTS.find((each) => each === `ours-${name}`);
    if (variant !== undefined) return [variant];
    if (name === '') return [];
    throw Object.assign(new Error(`--also takes plain, traced and captured, not '${name}'`), {
      code: 'ERR_PARSE_ARGS_VALUE',
    });
  });
}

function compilePeer(): string {
  const peer = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-bench-')), 'bulk-peer');
  execFileSync('cc', ['-O2', '-o', peer, path.join(ROOT, 'test/bench/bulk-peer.c')]);
  process.on('exit', () => fs.rmSync(path.dirname(peer), { recursive: true }));
  return peer;
}

/** In turn, so that whatever else the machine does at the time meets all kinds alike. */
async function measure(
  kinds: Kind[],
  pairs: number,
  bytes: number,
  peer: string,
): Promise<Figures[]> {
  const figures = kinds.flatMap((kind) =>
    DIRECTIONS.map((direction): Figures => ({ kind, direction, runs: [] })),
  );
  for (let pair = 1; pair <= pairs; pair++) {
    for (const kind of kinds) {
      const amount = kind === 'ours-plain' ? Math.ceil(bytes / 4) : bytes;
      const server = await startServer(kind, amount);
      // Not counted: lets V8 compile both directions of either server.
      for (const direction of DIRECTIONS) transfer(peer, kind, direction, amount);
      for (const figure of figures.filter((f) => f.kind === kind)) {
        figure.runs.push(transfer(peer, kind, figure.direction, amount));
        progress(`pair ${pair} of ${pairs}: ${LABEL[kind]}, ${DIRECTION[figure.direction]}`);
      }
      await stopServer(server);
    }
  }
  progress('');
  return figures;
}

function addressOf(kind: Kind): string {
  return kind === 'node' ? '127.0.0.1' : '10.7.0.2';
}

function startServer(kind: Kind, bytes: number): Promise<ChildProcess> {
  const script = path.join(ROOT, 'test/bench/bulk-server.mjs');
  const server = spawn(process.execPath, [script, kind, addressOf(kind), String(bytes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    server.stdout!.once('data', () => resolve(server));
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

function stopServer(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    server.removeAllListeners('exit');
    server.once('exit', () => resolve());
    server.stdin!.end();
  });
}

function transfer(peer: string, kind: Kind, direction: Direction, bytes: number): number {
  const port = direction === 'up' ? '9' : '19';
  const run = spawnSync(peer, [addressOf(kind), port, direction, String(bytes)], {
    encoding: 'utf8',
    timeout: TIMEOUT,
  });
  if (run.status !== 0) throw new Error(`${LABEL[kind]}, ${direction}: ${run.stderr || run.error}`);
  return (bytes * 8) / Number(run.stdout) / 1e9;
}

function printTable(figures: Figures[]): void {
  const { cpu, kernel, node } = machine();
  const congestion = fs.readFileSync(CONGESTION_SETTING, 'utf8').trim();
  console.log(`${cpu}, Linux ${kernel} with ${congestion}, Node ${node}`);
  console.log('Gbit/s, median (lowest to highest)\n');
  for (const direction of DIRECTIONS) {
    console.log(DIRECTION[direction]);
    const base = median(runsOf(figures, 'node', direction));
    for (const { kind, runs } of figures.filter((f) => f.direction === direction)) {
      const ratio = median(runs) / base;
      const spread = `(${Math.min(...runs).toFixed(1)} to ${Math.max(...runs).toFixed(1)})`;
      console.log(
        `  ${LABEL[kind].padEnd(28)}${median(runs).toFixed(1).padStart(6)}  ${spread.padEnd(16)}` +
          `  ${ratio.toFixed(2)} x node:net`,
      );
    }
  }
}

function runsOf(figures: Figures[], kind: Kind, direction: Direction): number[] {
  return figures.find((f) => f.kind === kind && f.direction === direction)!.runs;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function machine(): { cpu: string; cores: number; kernel: string; node: string } {
  const cpus = os.cpus();
  return {
    cpu: `${cpus.length} x ${cpus[0]?.model ?? 'unknown'}`,
    cores: cpus.length,
    kernel: os.release(),
    node: process.version,
  };
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(`scripts/bench: ${error?.message ?? error}`);
    process.exitCode = String(error?.code).startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  },
);
