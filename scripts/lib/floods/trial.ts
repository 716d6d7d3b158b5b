import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Flood } from './kinds.js';
import type { Curl, Outcome } from './report.js';

const BENCH = path.join(__dirname, '../../../test/bench');
const TARGET = '10.7.0.2';
/** How long curl may take for one page, s: SYNs of its own may be lost in the device's full queue. */
const PATIENCE = 30;
const run = promisify(execFile);

export interface Conditions {
  seconds: number;
  connections: number;
  /** Packets per second; 0: as many as the device carries. */
  rate: number;
  tcp: object;
}

interface Answer {
  counters: { drops: Record<string, number> } & Record<string, number>;
  connections: number;
  memory: number;
}

export function compileFlooder(): string {
  const program = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-floods-')), 'flood-peer');
  process.on('exit', () => fs.rmSync(path.dirname(program), { recursive: true, force: true }));
  execFileSync('cc', ['-O2', '-o', program, path.join(BENCH, 'flood-peer.c')]);
  return program;
}

/** One flood against a fresh server, in the namespace of this process. */
export async function flood(program: string, kind: Flood, at: Conditions): Promise<Outcome> {
  const server = fork(path.join(BENCH, 'flood-server.mjs'), [JSON.stringify(at.tcp)], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const [{ device }] = (await once(server, 'message')) as [{ device: string }];
    for (let i = 0; i < 20; i++) await page();
    const before = await ask(server);
    const watch = new MemoryWatch(server.pid!);
    const curl = new Visitor();
    const rate = at.rate === 0 ? [] : [String(at.rate)];
    const connections = kind.connects ? at.connections : 0;
    const numbers = [kind.port, at.seconds, connections].map(String);
    const { stdout } = await run(program, [kind.kind, device, TARGET, ...numbers, ...rate]);
    const after = await ask(server);
    await curl.leave();
    watch.stop();
    const left = await ask(server, 'collect');
    const [sent = 0, seconds = 1, opened = 0] = stdout.split(' ').map(Number);
    return {
      kind: kind.kind,
      limit: kind.limit,
      sentPerSecond: Math.round(sent / seconds),
      arrivedPerSecond: Math.round(grown(before, after, 'ipInReceives') / seconds),
      opened,
      connections: after.connections,
      counted: whatGrew(before, after),
      buffers: Math.max(after.memory, left.memory),
      rss: { before: watch.first, peak: watch.peak, after: rss(server.pid!) },
      curl: curl.seen,
    };
  } finally {
    const ended = once(server, 'exit');
    server.disconnect();
    await ended;
  }
}

async function ask(server: ChildProcess, question = 'tell'): Promise<Answer> {
  const answer = once(server, 'message');
  server.send(question);
  const [said] = (await answer) as [Answer];
  return said;
}

function grown(before: Answer, after: Answer, name: string): number {
  return (after.counters[name] ?? 0) - (before.counters[name] ?? 0);
}

/** Counters that say what became of the packets. */
const TELLING = [
  'tcpSyncookiesSent',
  'tcpSyncookiesFailed',
  'tcpListenOverflows',
  'tcpOutRsts',
  'tcpOfoDrop',
  'tcpRcvQDrop',
  'tcpZeroWindowProbes',
  'tcpAbortOnMemory',
  'ipReasmFails',
];

function whatGrew(before: Answer, after: Answer): Record<string, number> {
  const all = TELLING.map((name) => [name, grown(before, after, name)] as const);
  for (const [name, count] of Object.entries(after.counters.drops)) {
    all.push([name, count - (before.counters.drops[name] ?? 0)]);
  }
  return Object.fromEntries(all.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]));
}

async function page(): Promise<void> {
  const args = ['-sS', '--max-time', String(PATIENCE), `http://${TARGET}/`];
  const { stdout } = await run('curl', args, { env: { ...process.env, no_proxy: '*' } });
  if (stdout !== 'ok\n') throw new Error(`curl got '${stdout}'`);
}

/** Asks for the page again and again. */
class Visitor {
  readonly seen: Curl = { answered: 0, failed: 0, slowest: 0 };
  #leaving = false;
  readonly #visits = this.#visit();

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#visits;
  }

  async #visit(): Promise<void> {
    while (!this.#leaving) {
      const start = performance.now();
      await page().then(
        () => this.seen.answered++,
        () => this.seen.failed++,
      );
      this.seen.slowest = Math.max(this.seen.slowest, performance.now() - start);
      await delay(20);
    }
  }
}

/** RSS of a process in MB, as often as it takes not to miss a peak. */
class MemoryWatch {
  readonly first: number;
  peak: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.first = this.peak = rss(pid);
    this.#timer = setInterval(() => {
      this.peak = Math.max(this.peak, rss(pid));
    }, 100);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function rss(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Math.round(Number(kilobytes) / 1024);
}
