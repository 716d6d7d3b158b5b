import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';

const SOURCE = path.join(__dirname, '../../test/bench/versus-peer.c');
/** Packets that may wait for the link process: 100 ms of 1 Gbit/s. Root of a user namespace, too, may
 * set it by `ip`, though not as `openTun()` does. */
const DEVICE_PACKETS = 10_000;
/** Most bytes of a socket's buffers, as autotuning goes: the path of 200 ms at 1 Gbit/s takes 25 MB. */
const BUFFER_BYTES = 64 * 1024 * 1024;

/** Like Linux by default but for memory, and for what connections tell those after them. */
const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/tcp_no_metrics_save': '1',
  'net/ipv4/tcp_rmem': `4096 131072 ${BUFFER_BYTES}`,
  'net/ipv4/tcp_wmem': `4096 16384 ${BUFFER_BYTES}`,
  'net/ipv6/conf/all/disable_ipv6': '1',
};

/** What a task of a peer ended with. */
export interface TaskResult {
  bytes: number;
  seconds: number;
}

interface Task {
  ready(): void;
  done(result: TaskResult): void;
  failed(error: Error): void;
}

/** A task of a peer that runs. */
export interface RunningTask {
  id: string;
  /** It listens; rejects when it fails before that. */
  ready: Promise<void>;
  result: Promise<TaskResult>;
}

export function compilePeer(): string {
  const peer = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tuntcp-versus-')), 'versus-peer');
  process.on('exit', () => fs.rmSync(path.dirname(peer), { recursive: true, force: true }));
  execFileSync('cc', ['-O2', '-o', peer, SOURCE]);
  return peer;
}

/** A kernel in a network namespace of its own, with processes in C for its applications. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #tasks = new Map<string, Task>();
  #next = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts `program` in a new namespace, which ends with this process. */
  static async start(program: string): Promise<Peer> {
    const child = spawn('unshare', ['-n', '--', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    const peer = new Peer(child);
    child.stdin!.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      peer.#tasks.set('peer', { ready: resolve, done: () => {}, failed: reject });
      child.once('error', reject);
      child.once('exit', (code) => peer.#ended(new Error(`a peer ended with ${code}`)));
      createInterface({ input: child.stdout! }).on('line', (line) => peer.#heard(line));
    });
    return peer;
  }

  /** Moves the TUN device `name` into the namespace, as its only way out. */
  adopt(name: string, address: string): void {
    const pid = String(this.#child.pid);
    execFileSync('ip', ['link', 'set', name, 'netns', pid]);
    const settings = Object.entries(SETTINGS).map(([key, v]) => `echo '${v}' > /proc/sys/${key}`);
    const commands = [
      ...settings.map((each) => `{ ${each}; } 2>/dev/null || true`),
      `ip address add ${address} dev ${name}`,
      `ip link set ${name} txqueuelen ${DEVICE_PACKETS} up`,
      `ip route add default dev ${name}`,
    ];
    execFileSync('nsenter', ['-t', pid, '-n', 'sh', '-ec', commands.join('\n')]);
  }

  /** Packets that the device `name` could not hand over, because nobody read them. */
  drops(name: string): number {
    const table = fs.readFileSync(`/proc/${this.#child.pid}/net/dev`, 'utf8');
    const row = table.split('\n').find((line) => line.trim().startsWith(`${name}:`)) ?? '';
    // After the name eight columns of what was received; then bytes, packets, errors, drops sent.
    return Number(row.trim().split(/:?\s+/)[12]);
  }

  receive(port: number, warmup: number, seconds: number): RunningTask {
    return this.#start('receive', `${port} ${warmup} ${seconds}`);
  }

  send(address: string, port: number, control: string): RunningTask {
    return this.#start('send', `${address} ${port} ${control}`);
  }

  /** Whether there is this congestion control in the namespace. */
  async has(control: string): Promise<boolean> {
    return this.#start('try', control).result.then(
      () => true,
      () => false,
    );
  }

  stop(id: string): void {
    this.#child.stdin!.write(`stop ${id}\n`);
    this.#tasks.delete(id);
  }

  /** Ends all tasks and the namespace. */
  close(): void {
    this.#child.removeAllListeners('exit');
    this.#child.stdin!.end();
  }

  #start(command: string, rest: string): RunningTask {
    const id = String(this.#next++);
    let ready = (): void => {};
    let refused = (_error: Error): void => {};
    const whenReady = new Promise<void>((resolve, reject) => {
      ready = resolve;
      refused = reject;
    });
    const result = new Promise<TaskResult>((resolve, reject) => {
      const failed = (error: Error): void => {
        refused(error);
        reject(error);
      };
      this.#tasks.set(id, { ready, done: resolve, failed });
    });
    // Not everybody waits for both.
    whenReady.catch(() => {});
    result.catch(() => {});
    this.#child.stdin!.write(`${command} ${id} ${rest}\n`);
    return { id, ready: whenReady, result };
  }

  #heard(line: string): void {
    const [id = '', what, ...rest] = line.split(' ');
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    if (what === 'ready') {
      task.ready();
      return;
    }
    this.#tasks.delete(id);
    if (what === 'done') task.done({ bytes: Number(rest[0]), seconds: Number(rest[1]) });
    else task.failed(new Error(`Linux's end failed: ${rest.join(' ')}`));
  }

  #ended(error: Error): void {
    for (const task of this.#tasks.values()) task.failed(error);
    this.#tasks.clear();
  }
}
