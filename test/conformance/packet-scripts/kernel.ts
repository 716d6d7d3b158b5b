import { type RxBatch, TxBatch } from '../../../src/base/batch.js';
import { spawnInNamespace } from '../../../src/link/namespace.js';
import type { TunLink } from '../../../src/link/tun.js';
import { formatAddress, parseAddress } from '../../../src/wire/ipv4.js';
import { Lag } from './lag.js';
import { linuxFor, mtuOf } from './parameters.js';
import type { Script } from './script.js';
import { SyscallAgent } from './syscall-agent.js';

export const KERNEL_ADDRESS = '10.0.0.2';
/** Each script has a peer and a port of its own: 10.1.0.1, 10.1.0.2, ... */
const FIRST_PEER = parseAddress('10.1.0.1')!;
const FIRST_PORT = 10_000;
const OFFSET_OF_DESTINATION = 16;

/** A kernel in a network namespace of its own, for scripts that need the same settings. */
export class Kernel {
  readonly agent: SyscallAgent;
  readonly lag = new Lag(() => performance.now());
  readonly #link: TunLink;
  readonly #batch = new TxBatch();
  readonly #receivers = new Map<number, (bytes: Uint8Array) => void>();
  #next = 0;

  private constructor(agent: SyscallAgent, link: TunLink) {
    this.agent = agent;
    this.#link = link;
  }

  /** @throws Error when no namespace or device can be had, with what to do */
  static async start(program: string, script: Script): Promise<Kernel> {
    let kernel: Kernel | undefined;
    const { link, child } = await spawnInNamespace({
      command: program,
      args: settingsOf(script),
      stdio: ['pipe', 'pipe', 'pipe'],
      hostAddress: `${KERNEL_ADDRESS}/8`,
      routes: [],
      mtu: mtuOf(script),
      offload: false,
      forwardSignals: false,
      prepare: (link) => {
        const receive = (batch: RxBatch): void => kernel?.receive(batch);
        link.open({ receive, writable: () => {}, closed: () => {} });
      },
    });
    kernel = new Kernel(new SyscallAgent(child), link);
    try {
      await kernel.agent.ready;
    } catch (error) {
      kernel.close();
      throw error;
    }
    link.ref();
    return kernel;
  }

  /** A peer that no script has had, whose packets go to `receive`. */
  attach(receive: (bytes: Uint8Array) => void): { peer: string; port: number; detach(): void } {
    const index = this.#next++;
    const peer = FIRST_PEER + index;
    this.#receivers.set(peer, receive);
    const detach = () => void this.#receivers.delete(peer);
    return { peer: formatAddress(peer), port: FIRST_PORT + index, detach };
  }

  send(bytes: Uint8Array): void {
    const at = this.#batch.begin(bytes.length);
    this.#batch.bytes.set(bytes, at);
    this.#link.send(this.#batch);
    this.#batch.reset();
  }

  receive(batch: RxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offset[i]!;
      const to = batch.view.getInt32(from + OFFSET_OF_DESTINATION);
      this.#receivers.get(to)?.(batch.bytes.subarray(from, from + batch.length[i]!));
    }
  }

  close(): void {
    this.lag.close();
    this.#link.close();
    this.agent.close();
  }
}

/** Scripts with the same settings can run in the same kernel. */
export function settingsOf(script: Script): string[] {
  const settings = Object.entries(linuxFor(script)).map(([name, value]) => `ipv4/${name}=${value}`);
  return [...settings, '?ipv6/conf/all/disable_ipv6=1'];
}
