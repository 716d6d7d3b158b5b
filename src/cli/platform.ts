import type { ChildProcess } from 'node:child_process';
import type { CountersSnapshot } from '../base/counters.js';
import type { Link } from '../link/link.js';
import type { NetModule, ServiceSocket } from '../services/module.js';
import type { SocketList } from '../stack/socket-list.js';
import type { Trace } from '../tcp/trace.js';
import type { Streams } from './control/protocol.js';
import type { StackView } from './control/questions.js';
import type { StreamSource } from './control/stream.js';
import type { Facts } from './facts.js';
import type { ShardServices } from './serve-shard.js';

/** A socket as the commands use it; `node:net`'s and ours. */
export interface HostSocket extends ServiceSocket {
  setTimeout(ms: number, timeout?: () => void): this;
  /** Ends, and destroys when what was written is gone. */
  destroySoon(): void;
}

export interface HostNet extends NetModule {
  connect(options: { host: string; port: number; allowHalfOpen: boolean }): HostSocket;
}

/** A running host. */
export interface Host {
  readonly net: HostNet;
  readonly view: StackView;
  /** Ends all connections with FIN, waits for them for a while, and closes the link. */
  close(): Promise<void>;
}

export interface DeviceOptions {
  /** The kernel picks one when there is none. */
  name: string | undefined;
  /** With its prefix. */
  hostAddress: string;
  mtu: number | undefined;
  offload: boolean;
}

export interface ShardsSettings extends DeviceOptions {
  workers: number;
  /** Ours, with its prefix. */
  address: string;
  services: ShardServices;
  /** Gets the lines that are printed, each with its line feed. */
  onLine: (line: string) => void;
}

/** The services, in several threads. */
export interface ShardedServices {
  readonly device: string;
  /** Name and port of each service. */
  readonly ports: Readonly<Record<string, number>>;
  /** Rejects when a thread has ended or the device is gone; otherwise never settles. */
  readonly failed: Promise<never>;
  counters(): Promise<CountersSnapshot>;
  /** Of each thread not more than the limit. */
  sockets(limit: number): Promise<SocketList>;
  metrics(): Promise<string>;
  /** What can be watched, with what happens in all threads in it. */
  readonly streams: { [K in keyof Streams]: (options: unknown) => StreamSource };
  /** Ends all connections with FIN, waits for them for a while, and gives the device back. */
  close(): Promise<void>;
  /** Gives the device back, whatever is open. */
  abandon(): void;
}

export interface SpawnOptions {
  command: string;
  args: string[];
  hostAddress: string;
  mtu: number | undefined;
  offload: boolean;
  /** Makes the host; the command starts when it is ready. */
  prepare: (link: Link) => Promise<void>;
}

/** What commands need of the machine. Errors say what to do about them. */
export interface Platform {
  openDevice(options: DeviceOptions): Promise<Link>;
  /** Signals to this process go to the command. The link is the caller's to close. */
  spawn(options: SpawnOptions): Promise<{ link: Link; child: ChildProcess }>;
  /** Packets are taken from the link only after this has returned: listen at once. */
  host(link: Link, address: string, trace: Trace): Promise<Host>;
  shards(settings: ShardsSettings): Promise<ShardedServices>;
  facts(): Promise<Facts>;
}

/** Modules are loaded when they are needed: `--help` needs none. */
export const systemPlatform: Platform = {
  async openDevice(options) {
    const { openTun } = await import('../link/tun.js');
    return openTun(options);
  },
  async spawn(options) {
    const { spawnInNamespace } = await import('../link/namespace.js');
    return spawnInNamespace(options);
  },
  async host(link, address, trace) {
    const { Stack } = await import('../net/stack.js');
    const { finsDelivered, withEnd } = await import('./orderly-close.js');
    const stack = new Stack({ link, address, trace });
    const { net, endAll } = withEnd(stack.net);
    const close = async () => {
      endAll();
      await finsDelivered(stack.host);
      await stack.close();
    };
    return { net, view: stack.host, close };
  },
  async shards(settings) {
    const { startShardedServices } = await import('./sharded-services.js');
    return startShardedServices(settings);
  },
  async facts() {
    const { readFacts } = await import('./facts.js');
    return readFacts();
  },
};
