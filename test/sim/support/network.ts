import { captureLink } from '../../../src/link/capture.js';
import type { CaptureSink } from '../../../src/link/capture-sink.js';
import { type FaultsLink, type FaultsOptions, faultsLink } from '../../../src/link/faults.js';
import type { PathFaults } from '../../../src/link/faults-options.js';
import type { Link } from '../../../src/link/link.js';
import { memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { Recorder } from '../../../src/stack/recorder.js';
import { joinTraces } from '../../../src/stack/traces.js';
import type { TcpConfig } from '../../../src/tcp/config.js';
import type { Trace } from '../../../src/tcp/trace.js';
import { DeliveryWatch } from './delivery-watch.js';
import { Router } from './router.js';

export interface NetworkOptions {
  seed?: number;
  tcp?: Partial<TcpConfig>;
  /** Gets every packet at every host, and those that were lost. */
  capture?: CaptureSink;
  /** Keep the latest segments of each connection for a ladder. */
  record?: boolean;
}

export interface Station {
  readonly host: Host;
  readonly address: string;
  readonly watch: DeliveryWatch;
  readonly recorder: Recorder | null;
}

/** Options of one link's faults that are not the network's. */
export type LinkFaults = Pick<
  FaultsOptions,
  'up' | 'down' | 'both' | 'rules' | 'schedule' | 'onLost'
>;

/** Hosts and routers on cables with faults, on one virtual time and from one seed. */
export class Network {
  readonly runtime: VirtualRuntime;
  readonly stations: Station[] = [];
  readonly #options: NetworkOptions;
  #links = 0;

  constructor(options: NetworkOptions = {}) {
    this.#options = options;
    this.runtime = new VirtualRuntime(options.seed ?? 1);
  }

  /** A cable whose first end has the faults: `up` is from the first end to the second. */
  cable(faults: LinkFaults = {}, mtu = 1500, offload = false): [FaultsLink, Link] {
    const { runtime } = this;
    const n = ++this.#links;
    const names = [`link${n}:a`, `link${n}:b`] as const;
    const [a, b] = memoryPair({ runtime, mtu, offload, names });
    const { seed = 1, capture } = this.#options;
    const own = Math.imul(seed, 0x9e3779b1) + n;
    return [faultsLink(a, { ...faults, runtime, seed: own, ...(capture && { capture }) }), b];
  }

  /** A host with `address` (as `10.0.0.1/24`) at the end of a cable. */
  station(link: Link, address: string, tcp: Partial<TcpConfig> = {}, trace?: Trace): Station {
    const { runtime } = this;
    const { capture, record } = this.#options;
    const recorder = record === true ? new Recorder({ segments: 64 }) : null;
    const watch = new DeliveryWatch(recorder);
    const host = new Host({
      runtime,
      link: capture === undefined ? link : captureLink(link, capture, { runtime, epoch: 0 }),
      address,
      tcp: { ...this.#options.tcp, ...tcp },
      trace: trace === undefined ? watch : joinTraces([watch, trace]),
    });
    const station = { host, address: address.split('/')[0]!, watch, recorder };
    this.stations.push(station);
    return station;
  }
}

export interface Pair {
  a: Station;
  b: Station;
  link: FaultsLink;
}

/** Two hosts on one cable, 10.0.0.1 and 10.0.0.2; `up` is from A to B. */
export function pair(network: Network, faults: LinkFaults, tcp: Partial<TcpConfig>[] = []): Pair {
  const [linkA, linkB] = network.cable(faults);
  return {
    a: network.station(linkA, '10.0.0.1/24', tcp[0]),
    b: network.station(linkB, '10.0.0.2/24', tcp[1]),
    link: linkA,
  };
}

export interface Dumbbell {
  /** Those on the left send to those on the right, each to its own. */
  left: Station[];
  right: Station[];
  /** Between the routers; `up` is from left to right. */
  bottleneck: FaultsLink;
}

/** Hosts left and right of two routers, with one link between these; `access[i]` is that of flow i. */
export function dumbbell(
  network: Network,
  access: readonly PathFaults[],
  bottleneck: LinkFaults,
): Dumbbell {
  const [toRight, toLeft] = network.cable(bottleneck);
  const [routerLeft, routerRight] = [new Router(), new Router()];
  routerLeft.attach(toRight, '10.2.0.0/16');
  routerRight.attach(toLeft, '10.1.0.0/16');
  const left: Station[] = [];
  const right: Station[] = [];
  for (const [i, faults] of access.entries()) {
    const [nearLeft, farLeft] = network.cable({ both: faults });
    left.push(network.station(nearLeft, `10.1.${i}.1/24`));
    routerLeft.attach(farLeft, `10.1.${i}.0/24`);
    const [nearRight, farRight] = network.cable();
    right.push(network.station(nearRight, `10.2.${i}.1/24`));
    routerRight.attach(farRight, `10.2.${i}.0/24`);
  }
  return { left, right, bottleneck: toRight };
}
