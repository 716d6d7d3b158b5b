import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import * as path from 'node:path';
import { Children } from './children.js';
import type { Kind } from './kinds.js';
import { addressOf } from './kinds.js';
import type { Peers } from './peers.js';
import { ROOT } from './peers.js';
import type { ServerOptions } from './suite.js';

/** Addresses of the client, from .11 on, so that its ports last. */
export const SOURCES = 8;
const PATIENCE = 60_000;
const MTU = 1500;

export interface Memory {
  rss: number;
  heapUsed: number;
  external: number;
  arrayBuffers: number;
}

interface Answers {
  cpu: { user: number; system: number };
  memory: Memory;
  /** Connections that it holds idle. */
  idle: number;
  closeIdle: null;
  startDelay: null;
  stopDelay: { p50: number; p99: number };
  /** Packets that one worker has handed over to another, and all that arrived. */
  handedOver: { packets: number; all: number };
}

/** `test/bench/server.mjs`, running on one of the stacks, or `test/bench/bare-tun.c`. */
export class BenchServer {
  readonly kind: Kind;
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #next = 0;
  #failed: (error: Error) => void = () => {};
  readonly #failure: Promise<never>;

  private constructor(kind: Kind, child: ChildProcess) {
    this.kind = kind;
    this.address = addressOf(kind);
    this.#child = child;
    this.#failure = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.#failure.catch(() => {});
    child.once('error', (error) => this.#failed(error));
    child.once('exit', (code) => this.#failed(new Error(`the server ended with ${code}`)));
    Children.add(child);
  }

  static async start(kind: Kind, peers: Peers, options: ServerOptions = {}): Promise<BenchServer> {
    const { mtu = MTU, files, loopbackOffload = true } = options;
    const limit = files === undefined ? [] : ['prlimit', `--nofile=${files}:${files}`];
    const [command = '', ...args] = [...limit, ...programOf(kind, peers, mtu)];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as ('ignore' | 'inherit' | 'ipc')[];
    const server = new BenchServer(kind, spawn(command, args, { stdio }));
    const { device } = (await server.#within(
      new Promise((resolve) => {
        server.#child.once('message', resolve);
      }),
    )) as { device: string };
    server.#listen();
    if (kind === 'node') {
      ip(['link', 'set', 'lo', 'mtu', String(mtu === MTU ? 65_536 : mtu)]);
      execFileSync(peers.path('set-offload'), ['lo', loopbackOffload ? '1' : '0']);
    } else {
      if (kind === 'bare') prepareBare(device, mtu);
      server.#addSources(device);
    }
    return server;
  }

  async ask<Q extends keyof Answers>(ask: Q): Promise<Answers[Q]> {
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve) => this.#waiting.set(id, resolve));
    this.#child.send({ id, ask });
    return (await this.#within(answer)) as Answers[Q];
  }

  /** Seconds of CPU so far. */
  async cpu(): Promise<number> {
    const { user, system } = await this.ask('cpu');
    return (user + system) / 1e6;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    child.removeAllListeners('exit');
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  }

  #listen(): void {
    this.#child.on('message', (message) => {
      const { id, answer } = message as { id: number; answer: unknown };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  #addSources(device: string): void {
    for (let i = 0; i < SOURCES; i++) ip(['addr', 'add', `10.7.0.${11 + i}/24`, 'dev', device]);
  }

  async #within<T>(task: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the server does not answer')), PATIENCE);
    });
    try {
      return await Promise.race([task, late, this.#failure]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function programOf(kind: Kind, peers: Peers, mtu: number): string[] {
  if (kind === 'bare') return [peers.path('bare-tun'), String(mtu)];
  const script = path.join(ROOT, 'test/bench/server.mjs');
  return [process.execPath, '--expose-gc', script, kind, addressOf(kind), String(mtu)];
}

/** What `openTun` does for ours. */
function prepareBare(device: string, mtu: number): void {
  ip(['link', 'set', device, 'mtu', String(mtu), 'txqueuelen', '2000']);
  ip(['addr', 'add', '10.7.0.1/24', 'dev', device]);
  ip(['link', 'set', device, 'up']);
}

function ip(args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
