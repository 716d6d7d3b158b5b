import { EventEmitter, once } from 'node:events';
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads';
import type { CountersSnapshot } from '../base/counters.js';
import { openTunDevice, type TunDevice, type TunOptions } from '../link/tun.js';
import { systemEpoch, systemRuntime } from '../runtime/system.js';
import type { SocketInfo } from '../stack/connection.js';
import { MAX_SHARDS } from '../stack/shard.js';
import type { TcpConfig } from '../tcp/config.js';
import { Board } from './board.js';
import type { Boot, Order, Report, ShardAnswers } from './boot.js';
import { sumCounters, sumMetrics } from './sums.js';

const MAIN = new URL('./shard-main.js', import.meta.url);
/** Ms that a thread has to reset its connections before it is terminated. */
const PATIENCE = 2_000;

/** The device that the shards share, and what each of them and its thread are to be. */
export interface ShardsOptions extends Omit<TunOptions, 'fd' | 'queue' | 'up'> {
  /** Threads, 1 to 31; default: as many as the process may use cores. */
  workers?: number;
  /** The address or addresses of the one host that all of them are, as `10.7.0.2/24`. */
  address: string | readonly string[];
  /** As in `HostOptions`. */
  acceptAny?: boolean;
  tcp?: Partial<TcpConfig>;
  /** Called with each thread when it is made, before it says anything; also by {@link Shards.restart}. */
  onWorker?: (worker: Worker, index: number) => void;
  /** What each `Worker` gets besides: `workerData`, `env`, `execArgv`, `resourceLimits`... */
  worker?: WorkerOptions;
}

/** One shard and its thread, while it runs. */
interface Member {
  readonly worker: Worker;
  readonly control: MessagePort;
  readonly waiting: Map<number, (answer: unknown) => void>;
}

/** A socket of one of the shards. */
export type ShardSocketInfo = SocketInfo & {
  /** The index of the shard. */
  shard: number;
};

export interface ShardsEvents {
  /** The thread of a shard has ended, and its connections with it. */
  exit: [index: number, code: number];
  /** Somebody has deleted the device. */
  lost: [error: Error];
}

/**
 * Runs `module` in several threads, each with a stack that has a share of the connections of one host on
 * one device. There `tuntcp/net` is on that stack: a server that listens in every thread is one server,
 * whose connections are spread over the threads by a hash of their addresses and ports.
 *
 * Settles when every thread has loaded the module. If it exports a function `start`, that is called with
 * the {@link CurrentShard} and waited for. A thread that fails afterwards emits 'error' on its
 * `Worker`, which is an uncaught exception unless somebody listens, and 'exit' here.
 *
 * @throws TypeError or RangeError with `code` for options that make no sense, and as `openTun`
 */
export async function startShards(module: string | URL, options: ShardsOptions): Promise<Shards> {
  const shards = new Shards(module, options);
  try {
    await shards.begin();
    return shards;
  } catch (error) {
    await shards.close();
    throw error;
  }
}

/** The threads that {@link startShards} has started, and what they do together. */
export class Shards extends EventEmitter<ShardsEvents> {
  /** The name of the device. */
  readonly device: string;
  /** How many there are, whether or not all run. */
  readonly count: number;
  readonly #device: TunDevice;
  readonly #memory: SharedArrayBuffer;
  readonly #board: Board;
  readonly #members: (Member | null)[];
  readonly #boot: Omit<Boot, 'index' | 'control' | 'peers'>;
  readonly #options: WorkerOptions;
  readonly #onWorker: (worker: Worker, index: number) => void;
  #questions = 0;
  #lost = false;
  #closed: Promise<void> | null = null;

  /** @internal Use {@link startShards}. */
  constructor(module: string | URL, options: ShardsOptions) {
    super();
    const { workers, address, acceptAny, tcp, onWorker, worker, ...device } = options;
    this.count = workersOf(workers);
    this.#options = worker ?? {};
    this.#onWorker = onWorker ?? (() => {});
    this.#memory = Board.memory(this.count);
    this.#board = new Board(this.#memory, this.count);
    this.#members = new Array<Member | null>(this.count).fill(null);
    this.#device = openTunDevice(device);
    this.device = this.#device.name;
    const { offload, txQueueLength } = device;
    this.#boot = {
      count: this.count,
      module: String(module),
      device: {
        name: this.device,
        ...(offload === undefined ? {} : { offload }),
        ...(txQueueLength === undefined ? {} : { txQueueLength }),
      },
      address,
      acceptAny,
      tcp,
      secret: systemRuntime().random(32),
      epoch: systemEpoch(),
      board: this.#memory,
    };
  }

  /** @internal */
  async begin(): Promise<void> {
    const all = Array.from(this.#members.keys());
    // Every queue is there before the first packet is let in, for each one more changes the hash.
    await Promise.all(all.map((index) => this.#spawn(index)));
    await Promise.all(all.map((index) => this.#start(index)));
  }

  /** The thread of each shard; null for one that has ended. */
  get workers(): readonly (Worker | null)[] {
    return this.#members.map((member) => member?.worker ?? null);
  }

  /**
   * Starts the thread of a shard that has ended. Settles when it has loaded the module.
   * @throws Error when it runs
   */
  async restart(index: number): Promise<void> {
    if (this.#members[index] !== null || this.#closed !== null) {
      throw new Error(`there is no shard ${index} that has ended`);
    }
    await this.#spawn(index);
    await this.#start(index);
  }

  /**
   * Every socket of every shard, in snapshots of the same moment or nearly so.
   * @param limit most sockets of each shard
   */
  async connections(limit = Infinity): Promise<ShardSocketInfo[]> {
    return (await this.sockets(limit)).sockets;
  }

  /** The same, and how many connections were left out. */
  async sockets(limit = Infinity): Promise<{ sockets: ShardSocketInfo[]; omitted: number }> {
    const lists = await this.#askAll('sockets', limit);
    const sockets = lists.flatMap(({ index, answer }) =>
      answer.sockets.map((socket) => ({ ...socket, shard: index })),
    );
    return { sockets, omitted: lists.reduce((sum, { answer }) => sum + answer.omitted, 0) };
  }

  /**
   * What the shards that run have counted, together.
   * @throws Error when none runs
   */
  async counters(): Promise<CountersSnapshot> {
    return sumCounters((await this.#askAll('counters')).map(({ answer }) => answer));
  }

  /** What each shard has counted; null for one that has ended. */
  async countersOfEach(): Promise<(CountersSnapshot | null)[]> {
    const each = new Array<CountersSnapshot | null>(this.count).fill(null);
    for (const { index, answer } of await this.#askAll('counters')) each[index] = answer;
    return each;
  }

  /**
   * Counters and gauges of all shards that run, together, in Prometheus' text format.
   * @throws Error when none runs
   */
  async metrics(): Promise<string> {
    return sumMetrics((await this.#askAll('metrics')).map(({ answer }) => answer));
  }

  /** Resets what is open, ends the threads, and gives the device back. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await within(PATIENCE, this.#askEach('close'));
    await Promise.all(this.#members.map((member) => member?.worker.terminate()));
    this.#device.close();
  }

  /** Settles when the thread has its queue. */
  async #spawn(index: number): Promise<void> {
    const { port1: control, port2 } = new MessageChannel();
    const peers = this.#introduce(index);
    const boot: Boot = { ...this.#boot, index, control: port2, peers };
    const { workerData, transferList = [], ...options } = this.#options;
    const worker = new Worker(MAIN, {
      name: `shard ${index}`,
      ...options,
      workerData: { boot, data: workerData },
      transferList: [port2, ...peers.map(({ port }) => port), ...transferList],
    });
    const member: Member = { worker, control, waiting: new Map() };
    this.#members[index] = member;
    this.#onWorker(worker, index);
    worker.once('exit', (code) => this.#ended(index, member, code));
    await report(member, 'attached');
    control.on('message', (message: Report) => {
      if (message.kind === 'lost') this.#lose(message.error);
      if (message.kind !== 'answer') return;
      member.waiting.get(message.id)?.(message.answer);
      member.waiting.delete(message.id);
    });
    // The worker keeps the process running, this does not.
    control.unref();
  }

  /** Settles when the thread has loaded the module. */
  async #start(index: number): Promise<void> {
    const member = this.#members[index];
    if (!member) throw new Error(`shard ${index} has ended before it began`);
    const ready = report(member, 'ready');
    tell(member, { kind: 'start' });
    await ready;
  }

  /** Ways between a shard that is to run and those that do; their ends for the new one. */
  #introduce(index: number): { index: number; port: MessagePort }[] {
    const peers: { index: number; port: MessagePort }[] = [];
    for (const [other, member] of this.#members.entries()) {
      if (member === null || other === index) continue;
      const { port1, port2 } = new MessageChannel();
      tell(member, { kind: 'peer', index, port: port1 }, [port1]);
      peers.push({ index: other, port: port2 });
    }
    return peers;
  }

  #ended(index: number, member: Member, code: number): void {
    this.#members[index] = null;
    this.#board.leave(index);
    member.control.close();
    for (const answer of member.waiting.values()) answer(undefined);
    this.emit('exit', index, code);
  }

  /** Each shard tells of it. */
  #lose(error: Error): void {
    if (this.#lost) return;
    this.#lost = true;
    this.emit('lost', error);
  }

  #askEach<Q extends keyof ShardAnswers>(question: Q, limit = Infinity) {
    const answers: Promise<{ index: number; answer: ShardAnswers[Q] | undefined }>[] = [];
    for (const [index, member] of this.#members.entries()) {
      if (member === null) continue;
      const id = this.#questions++;
      answers.push(
        new Promise((resolve) => {
          member.waiting.set(id, (answer) => {
            resolve({ index, answer: answer as ShardAnswers[Q] | undefined });
          });
          tell(member, { kind: 'ask', id, question, limit });
        }),
      );
    }
    return Promise.all(answers);
  }

  /** The answers of those that run, which do not end meanwhile. */
  async #askAll<Q extends keyof ShardAnswers>(question: Q, limit = Infinity) {
    const answers = await this.#askEach(question, limit);
    const found = answers.filter(
      (each): each is { index: number; answer: ShardAnswers[Q] } => each.answer !== undefined,
    );
    if (found.length === 0) throw new Error('no shard runs any more');
    return found;
  }
}

function workersOf(value: number | undefined): number {
  if (value === undefined) return Math.min(availableParallelism(), MAX_SHARDS);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_SHARDS) return value;
  throw Object.assign(
    new RangeError(
      `The value of "options.workers" is out of range. It must be an integer >= 1 && <= ${MAX_SHARDS}. ` +
        `Received ${value}`,
    ),
    { code: 'ERR_OUT_OF_RANGE' },
  );
}

/** Settles when the thread reports this; rejects when it ends instead. */
async function report({ worker, control }: Member, kind: Report['kind']): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const reported = (async () => {
    for (;;) {
      const [message] = (await once(control, 'message', { signal })) as [Report];
      if (message.kind === kind) return;
    }
  })();
  const ended = once(worker, 'exit', { signal }).then(([code]) => {
    throw new Error(`the thread of a shard has ended with ${code} before it had begun`);
  });
  try {
    // Rejects with an 'error' too.
    await Promise.race([reported, ended]);
  } finally {
    stop.abort();
    for (const each of [reported, ended]) each.catch(() => {});
  }
}

function tell({ control }: Member, order: Order, transfer: MessagePort[] = []): void {
  control.postMessage(order, transfer);
}

/** Settles with `task`, or after `ms` without it. */
async function within(ms: number, task: Promise<unknown>): Promise<void> {
  const runtime = systemRuntime();
  await new Promise<void>((resolve) => {
    const alarm = runtime.alarm(resolve);
    alarm.set(runtime.now() + ms);
    task.finally(() => {
      alarm.clear();
      resolve();
    });
  });
}
