import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { showOnFailure } from '../../support/show-failure.js';
import { BULK_FILTER, CapturedProgram, Commands } from './exhibits.js';
import type { Ended } from './running.js';
import { Running } from './running.js';
import { Serving } from './serving.js';

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const CLI = `${PROJECT}dist/cli/main.js`;
const PEERS = fileURLToPath(new URL('./peers/', import.meta.url));

export interface ServeOptions {
  /** The test moves so much that a capture of all of it would slow it down. */
  bulk?: boolean;
}

export interface ExecOptions {
  /** What the command reads from its stdin; without it, stdin is at its end. */
  input?: string | Uint8Array | Readable;
  /** ms until the command is killed and the call rejects. Default 15,000. */
  timeout?: number;
  /** Hash stdout with SHA-256 and count its bytes instead of keeping it. */
  digest?: boolean;
}

const NO_CAPTURE = {
  story:
    "No capture of so many bytes; TUNTCP_TEST_PCAP_FILTER='syn or fin or rst' keeps these packets.",
};
const DEFAULT_TIMEOUT = 15_000;
const isRoot = process.getuid?.() === 0;

/**
 * A network namespace with only a loopback that is up, kept open by a process of its own. That
 * process ends with this one, since it reads from a pipe that we hold.
 */
export class Namespace {
  readonly #holder: ChildProcess;
  readonly #running = new Set<Running>();
  /** Control sockets of the stacks in here, which would meet those of other namespaces. */
  readonly #runtimeDirectory = mkdtempSync(join(tmpdir(), 'tuntcp-test-'));

  readonly #commands = new Commands();
  readonly #captured: CapturedProgram[] = [];

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
    showOnFailure(this.#commands);
  }

  static async create(): Promise<Namespace> {
    const flags = isRoot ? ['-n'] : ['-U', '-r', '-n'];
    const script = 'PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && echo up && exec cat';
    const holder = spawn('unshare', [...flags, '--', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let complaint = '';
    holder.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk;
    });
    const [chunk] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'close')]);
    if (String(chunk).trim() !== 'up') throw new Error(`no namespace: ${complaint.trim()}`);
    return new Namespace(holder);
  }

  /** Starts a command in the namespace; it is killed when the namespace closes. */
  spawn(
    command: string,
    args: readonly string[],
    options: { digest?: boolean; env?: NodeJS.ProcessEnv } = {},
  ): Running {
    const enter = ['-t', String(this.#holder.pid), '-n'];
    if (!isRoot) enter.push('-U', '--preserve-credentials');
    const child = spawn('nsenter', [...enter, '--', command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: PROJECT,
      env: {
        ...process.env,
        PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
        LC_ALL: 'C',
        XDG_RUNTIME_DIR: this.#runtimeDirectory,
        no_proxy: '*',
        ...options.env,
      },
    });
    const running = new Running(child, [command, ...args].join(' '), options.digest ?? false);
    this.#running.add(running);
    this.#commands.add(running);
    running.ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  /** Runs a command in the namespace to its end, whatever its exit status. */
  async exec(
    command: string,
    args: readonly string[],
    { input, timeout = DEFAULT_TIMEOUT, digest = false }: ExecOptions = {},
  ): Promise<Ended> {
    const running = this.spawn(command, args, { digest });
    if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) {
      running.stdin.end(input);
    } else {
      // A command that ends before it has read all of its input shows in its exit status.
      pipeline(input, running.stdin).catch(() => {});
    }
    return running.end(timeout);
  }

  /** Runs a program of `support/peers/` on the kernel's TCP; it prints a JSON value, which this returns. */
  async peer<T>(name: string, args: readonly (string | number)[], timeout?: number): Promise<T> {
    const options = timeout === undefined ? {} : { timeout };
    const ended = await this.exec(process.execPath, peerArguments(name, args), options);
    if (ended.code !== 0) throw new Error(`${name} failed: ${ended.stderr}`);
    return JSON.parse(ended.text) as T;
  }

  /** Starts a program of `support/peers/`. */
  startPeer(name: string, args: readonly (string | number)[]): Running {
    return this.spawn(process.execPath, peerArguments(name, args));
  }

  /** The same for a program on our own stack, which writes its packets to `TUNTCP_TEST_PCAP`. */
  startStackPeer(name: string, args: readonly (string | number)[]): Running {
    const captured = new CapturedProgram(`${name} ${args.join(' ')}`);
    const env = { TUNTCP_TEST_PCAP: captured.path };
    return this.#show(captured, this.spawn(process.execPath, peerArguments(name, args), { env }));
  }

  /** Starts `tuntcp` with these arguments. */
  tuntcp(args: readonly string[], options: { digest?: boolean } = {}): Running {
    return this.spawn(process.execPath, [CLI, ...args], options);
  }

  /** Starts `tuntcp serve` and waits until it answers. Its packets are kept for a test that fails. */
  async startServe(
    args: readonly string[] = [],
    { bulk = false }: ServeOptions = {},
  ): Promise<Serving> {
    if (bulk && BULK_FILTER === undefined) this.#commands.add(NO_CAPTURE);
    if (args.includes('--pcap') || (bulk && BULK_FILTER === undefined)) {
      return Serving.start(this.tuntcp(['serve', ...args]));
    }
    const captured = new CapturedProgram(['tuntcp serve', ...args].join(' '));
    const pcap = ['--pcap', captured.path];
    if (bulk) pcap.push('--pcap-filter', BULK_FILTER ?? '');
    return Serving.start(this.#show(captured, this.tuntcp(['serve', ...args, ...pcap])));
  }

  /** Lets what writes a capture end by itself, for {@link close} kills. */
  async settle(): Promise<void> {
    await Promise.all(this.#captured.map((captured) => captured.settle()));
  }

  #show(captured: CapturedProgram, running: Running): Running {
    captured.process = running;
    this.#captured.push(captured);
    showOnFailure(captured);
    return running;
  }

  /** Names of the interfaces in the namespace. */
  async interfaces(): Promise<string[]> {
    const { text } = await this.exec('ip', ['-o', 'link', 'show']);
    return text
      .trim()
      .split('\n')
      .map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? line);
  }

  /** Ends what still runs in the namespace, and with it the namespace. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.kill()));
    const gone = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await gone;
    rmSync(this.#runtimeDirectory, { recursive: true, force: true });
  }
}

function peerArguments(name: string, args: readonly (string | number)[]): string[] {
  return [`${PEERS}${name}.mjs`, ...args.map(String)];
}

/** Runs `body` with a namespace of its own, and closes that in any case. */
export async function withNamespace<T>(body: (namespace: Namespace) => Promise<T>): Promise<T> {
  const namespace = await Namespace.create();
  try {
    return await body(namespace);
  } catch (error) {
    await namespace.settle();
    throw error;
  } finally {
    await namespace.close();
  }
}

/** Runs `body` with `tuntcp serve` in a namespace of its own. */
export async function withServe<T>(
  args: readonly string[],
  body: (namespace: Namespace, serving: Serving) => Promise<T>,
  options: ServeOptions = {},
): Promise<T> {
  return withNamespace(async (namespace) =>
    body(namespace, await namespace.startServe(args, options)),
  );
}
