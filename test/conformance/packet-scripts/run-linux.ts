import { CaptureRing } from '../../../src/link/capture-ring.js';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { CapturedPacket, DEFAULT_SNAPLEN, INBOUND, OUTBOUND } from '../../../src/wire/pcapng.js';
import { laddersOfCapture } from '../../support/ladders.js';
import { type Packet, readTcp } from '../../support/packet.js';
import type { Ends } from './flow.js';
import { KERNEL_ADDRESS, Kernel, settingsOf } from './kernel.js';
import { KernelSockets } from './kernel-sockets.js';
import { mtuOf } from './parameters.js';
import { play } from './play.js';
import type { Outcome } from './run-virtual.js';
import type { CallLine, Script, System } from './script.js';
import type { Result, Subject } from './subject.js';

const PEER_PORT = 5000;
const RING_BYTES = 256 * 1024;
/** The kernel's timers are at most so early, as jiffies go. */
const EARLY_MS = 10;
/** Of a machine that does other things as well. */
const LATE_MS = 60;
const PATIENCE_MS = 5_000;
const LINGER_MS = 20;

/** Plays scripts to the kernel of this machine, side by side. */
export class LinuxRunner {
  readonly #program: string;
  readonly #kernels = new Map<string, Promise<Kernel>>();

  /** @param program the compiled agent */
  constructor(program: string) {
    this.#program = program;
  }

  /** @param variant the lines that are played: those for Linux, unless we want to see ours fail */
  async run(script: Script, variant: System = 'linux'): Promise<Outcome> {
    const kernel = await this.#kernelFor(script);
    const subject = new KernelSubject(kernel);
    try {
      const failure = await play(script, 'linux', subject, variant);
      return { failure, capture: subject.capture() };
    } finally {
      await subject.close();
    }
  }

  async close(): Promise<void> {
    const started = await Promise.allSettled(this.#kernels.values());
    for (const each of started) if (each.status === 'fulfilled') each.value.close();
  }

  #kernelFor(script: Script): Promise<Kernel> {
    const key = [...settingsOf(script), mtuOf(script)].join('\n');
    let kernel = this.#kernels.get(key);
    if (kernel === undefined) {
      kernel = Kernel.start(this.#program, script);
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }
}

/** The kernel as one script sees it. */
class KernelSubject implements Subject {
  readonly inbox: Packet[] = [];
  readonly early = EARLY_MS;
  readonly patience = PATIENCE_MS;
  readonly linger = LINGER_MS;
  readonly #start = performance.now();
  readonly #kernel: Kernel;
  readonly #place: ReturnType<Kernel['attach']>;
  readonly #sockets: KernelSockets;
  readonly #ring = new CaptureRing(RING_BYTES);
  readonly #packet = new CapturedPacket();
  #arrived: (() => void) | null = null;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#place = kernel.attach((bytes) => this.#receive(bytes));
    this.#ring.addInterface({ name: 'linux', snaplen: DEFAULT_SNAPLEN });
    const { peer, port } = this.#place;
    this.#sockets = new KernelSockets(
      kernel.agent,
      { address: KERNEL_ADDRESS, port },
      { address: peer, port: (flow) => PEER_PORT + flow - 1 },
    );
  }

  now(): number {
    return performance.now() - this.#start;
  }

  inject(bytes: Uint8Array): void {
    this.#keep(bytes, INBOUND);
    this.#kernel.send(bytes);
  }

  async wait(until: number): Promise<void> {
    if (this.inbox.length > 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        // What has arrived while this process was late counts yet.
        setImmediate(finish);
      }, until - this.now());
      const finish = (): void => {
        clearTimeout(timer);
        this.#arrived = null;
        resolve();
      };
      this.#arrived = finish;
    });
  }

  async sleep(until: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, until - this.now()));
  }

  call(call: CallLine): Promise<Result> {
    return this.#sockets.call(call);
  }

  ends(flow: number): Ends {
    const { peer, port } = this.#place;
    return {
      peerAddr: parseAddress(peer)!,
      hostAddr: parseAddress(KERNEL_ADDRESS)!,
      peerPort: PEER_PORT + flow - 1,
      hostPort: port,
    };
  }

  late(since: number): number {
    return LATE_MS + this.#kernel.lag.since(this.#start + since);
  }

  ladders(): string[] {
    return laddersOfCapture(this.capture());
  }

  capture(): Uint8Array {
    return this.#ring.file();
  }

  async close(): Promise<void> {
    this.#place.detach();
    await this.#sockets.close();
  }

  #receive(bytes: Uint8Array): void {
    this.#keep(bytes, OUTBOUND);
    const packet = readTcp(bytes, this.now());
    if (packet === null) return;
    this.inbox.push(packet);
    this.#arrived?.();
  }

  #keep(bytes: Uint8Array, direction: number): void {
    const packet = this.#packet;
    packet.direction = direction;
    packet.bytes = bytes;
    packet.length = packet.originalLength = bytes.length;
    packet.stamp(0, this.now());
    this.#ring.packet(packet);
  }
}
