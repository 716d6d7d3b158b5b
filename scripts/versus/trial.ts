import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PathFaults } from '../../src/link/faults-options.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import { Peer, type RunningTask, type TaskResult } from './peer.js';
import { cable, joinLeft, Site, SiteLink } from './site.js';
import { batches, type Stack, type TunLink, tuntcp } from './tuntcp.js';

/** Whose TCP an end of a flow is. */
export type Whose = 'ours' | 'linux';

/** A transfer from the left to the right. */
export interface FlowPlan {
  from: Whose;
  to: Whose;
}

export interface TrialPlan {
  /** Both directions of the path. */
  path: PathFaults;
  seed: number;
  flows: readonly FlowPlan[];
  /** Time of each flow that does not count, and time that does. */
  warmup: number;
  seconds: number;
}

export interface TrialResult {
  /** Mbit/s of each flow, as the receiving application saw it. */
  rates: number[];
  /** ms by which the process was late, so that 99 % of the time it was not later. */
  late: number;
  /** Packets that a kernel could not hand to the link process. */
  drops: number;
  /** Packets lost on the way to the right because the queue was full, and for other reasons. */
  queueLosses: number;
  losses: number;
}

export interface BenchOptions {
  /** The program made of `test/bench/versus-peer.c`. */
  program: string;
  /** Congestion control of Linux. */
  linux: string;
  /** Configuration of ours. */
  tcp: Partial<TcpConfig>;
}

const SIDES = ['left', 'right'] as const;
type SideName = (typeof SIDES)[number];
/** Last byte of the address of each. */
const HOST: Record<Whose, number> = { linux: 1, ours: 2 };
const NETWORK: Record<SideName, string> = { left: '10.9.1', right: '10.9.2' };
const FIRST_PORT = 20_000;
const PORTS = 20_000;
const BLOCK = Buffer.alloc(256 * 1024, 'x');
/** ms for a connection to come about, and for the last data. */
const PATIENCE = 30_000;
/** ms between two turns of the histogram, which counts as no delay. */
const RESOLUTION = 1;

interface Side {
  site: Site;
  tun: TunLink;
  peer: Peer;
}

/**
 * Two kernels in namespaces of their own, stacks of ours in this process, and one path with faults
 * between left and right, by which every packet goes.
 */
export class Bench {
  readonly #sides: Record<SideName, Side>;
  readonly #options: BenchOptions;
  #port = 0;

  private constructor(sides: Record<SideName, Side>, options: BenchOptions) {
    this.#sides = sides;
    this.#options = options;
  }

  static async start(options: BenchOptions): Promise<Bench> {
    const sides: Partial<Record<SideName, Side>> = {};
    for (const name of SIDES) {
      const peer = await Peer.start(options.program);
      try {
        sides[name] = makeSide(name, peer);
      } catch (error) {
        peer.close();
        sides.left?.peer.close();
        sides.left?.tun.close();
        throw error;
      }
    }
    return new Bench(sides as Record<SideName, Side>, options);
  }

  /** @throws Error when Linux does not have its congestion control in a namespace */
  async checkLinux(): Promise<void> {
    const { linux } = this.#options;
    if (await this.#sides.left.peer.has(linux)) return;
    const known = '/proc/sys/net/ipv4/tcp_available_congestion_control';
    throw new Error(
      `this kernel has no '${linux}' in a namespace: --linux takes those of ${known}`,
    );
  }

  /** @throws Error when a flow does not come about, or ends early */
  async run(plan: TrialPlan): Promise<TrialResult> {
    const { left, right } = this.#sides;
    const { TxBatch } = batches();
    const path = tuntcp().faultsLink(new SiteLink(right.site), {
      seed: plan.seed,
      both: plan.path,
      precise: true,
    });
    joinLeft(left.site, path, new TxBatch());
    const stacks = {
      left: plan.flows.some(({ from }) => from === 'ours') ? this.#stack('left') : null,
      right: plan.flows.some(({ to }) => to === 'ours') ? this.#stack('right') : null,
    };
    const before = this.#drops();
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
    delay.enable();
    try {
      const rates = await this.#transfer(plan, stacks);
      const { lost } = path.counters('up');
      const losses = Object.values(lost).reduce((sum, n) => sum + n, 0);
      return {
        rates,
        late: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION),
        drops: this.#drops() - before,
        queueLosses: lost.queue,
        losses: losses - lost.queue,
      };
    } finally {
      delay.disable();
      for (const name of SIDES) {
        if (stacks[name] === null) continue;
        stacks[name].close();
        this.#sides[name].site.detach(HOST.ours);
      }
      path.close();
      left.site.onPackets = null;
    }
  }

  close(): void {
    for (const { peer, tun } of Object.values(this.#sides)) {
      peer.close();
      tun.close();
    }
  }

  #drops(): number {
    const { left, right } = this.#sides;
    return left.peer.drops(left.tun.name) + right.peer.drops(right.tun.name);
  }

  #stack(side: SideName): Stack {
    const [near, far] = cable(tuntcp());
    this.#sides[side].site.attach(far, HOST.ours);
    const address = `${NETWORK[side]}.${HOST.ours}/24`;
    return new (tuntcp().Stack)({ link: near, address, tcp: this.#options.tcp });
  }

  async #transfer(plan: TrialPlan, stacks: Record<SideName, Stack | null>): Promise<number[]> {
    const { left, right } = this.#sides;
    const stops: (() => void)[] = [];
    const receivers = plan.flows.map(({ to }) => {
      const port = FIRST_PORT + (this.#port++ % PORTS);
      const receiver =
        to === 'linux'
          ? right.peer.receive(port, plan.warmup, plan.seconds)
          : receiveByOurs(stacks.right!, port, plan);
      if (to === 'linux') stops.push(() => right.peer.stop(receiver.id));
      return { port, to, ...receiver };
    });
    try {
      await Promise.all(receivers.map(({ ready }) => ready));
      for (const [i, { port, to }] of receivers.entries()) {
        const address = `${NETWORK.right}.${HOST[to]}`;
        if (plan.flows[i]!.from === 'ours') sendByOurs(stacks.left!, address, port);
        else {
          const { id } = left.peer.send(address, port, this.#options.linux);
          stops.push(() => left.peer.stop(id));
        }
      }
      const limit = (plan.warmup + plan.seconds) * 1000 + PATIENCE;
      const results = await inTime(Promise.all(receivers.map(({ result }) => result)), limit);
      return results.map(({ bytes, seconds }) => (bytes * 8) / seconds / 1e6);
    } finally {
      for (const stop of stops) stop();
    }
  }
}

function makeSide(name: SideName, peer: Peer): Side {
  const { TxBatch } = batches();
  // Without offload the kernel hands over segments as they are on a wire.
  const tun = tuntcp().openTun({ name: `versus-${name}`, offload: false, up: false });
  peer.adopt(tun.name, `${NETWORK[name]}.${HOST.linux}/24`);
  const site = new Site(() => new TxBatch());
  site.attach(tun.ref(), HOST.linux);
  return { site, tun, peer };
}

function sendByOurs(stack: Stack, address: string, port: number): void {
  const socket = stack.net.connect(port, address);
  const pump = (): void => {
    while (!socket.destroyed && socket.write(BLOCK));
  };
  socket.on('connect', pump).on('drain', pump);
  // The receiver has had enough; or it has not, and says so.
  socket.on('error', () => socket.destroy());
  socket.resume();
}

function receiveByOurs(stack: Stack, port: number, plan: TrialPlan): RunningTask {
  let listening = (): void => {};
  const ready = new Promise<void>((resolve) => {
    listening = resolve;
  });
  const result = new Promise<TaskResult>((resolve, reject) => {
    const server = stack.net.createServer((socket) => {
      server.close();
      let bytes = 0;
      let from = performance.now();
      socket.on('data', (chunk: Uint8Array) => {
        bytes += chunk.length;
      });
      const done = (): void => {
        resolve({ bytes, seconds: (performance.now() - from) / 1000 });
        socket.resetAndDestroy();
      };
      const warm = (): void => {
        bytes = 0;
        from = performance.now();
        setTimeout(done, plan.seconds * 1000);
      };
      setTimeout(warm, plan.warmup * 1000);
      socket.on('error', reject);
    });
    server.on('error', reject);
    server.listen(port, () => listening());
  });
  result.catch(() => {});
  return { id: '', ready, result };
}

async function inTime<T>(promise: Promise<T>, limit: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`no result after ${Math.round(limit / 1000)} s`);
    timer = setTimeout(reject, limit, error);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
