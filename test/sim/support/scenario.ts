import { createHash } from 'node:crypto';
import type { CaptureSink } from '../../../src/link/capture-sink.js';
import type { FaultsLink } from '../../../src/link/faults.js';
import type { TcpConfig } from '../../../src/tcp/config.js';
import { type CapturedPacket, INBOUND } from '../../../src/wire/pcapng.js';
import { Flow } from './flow.js';
import { dumbbell, type LinkFaults, Network, pair } from './network.js';

/** Kilobytes and megabytes of text. */
const MB = 1_000_000;
/** By then every scenario has long ended, ms. */
const LIMIT = 3_600_000;

export interface Scenario {
  name: string;
  tcp?: Partial<TcpConfig>;
  /** Of the link between the two, or of the bottleneck; `up` is where the text goes. */
  faults: LinkFaults;
  /** Bytes of each flow. */
  bytes: number;
  /** One-way delay in ms of each flow's own link, for several flows through a bottleneck. */
  access?: readonly number[];
  /** When each flow starts, ms. Default 0. */
  starts?: readonly number[];
}

export interface Outcome {
  name: string;
  /** The error that flows ended with, or null. */
  error: string | null;
  /** Mbit/s of all flows together, and each flow's. */
  goodput: number;
  goodputs: number[];
  retransmissions: number;
  /** Segments that brought the receiver nothing new. */
  spurious: number;
  timeouts: number;
  /** ms, mean and longest, of what has left the bottleneck's queue towards the receiver. */
  queueMean: number;
  queueMax: number;
  /** Packets towards the receiver that the link has lost. */
  lost: number;
  /** Of the capture of every packet at every host. */
  digest: string;
}

/** A path of 10 Mbit/s with a round trip of 40 ms and a queue of one product of the two. */
const USUAL = { rate: 10e6, delay: 20, queue: { bytes: 50_000 } };
const BACK = { delay: 20 };
/** A window that the usual path and its queue hold, so that nothing is lost but what is meant to be. */
const NARROW = { receiveBuffer: 90_000 };

export const SCENARIOS: readonly Scenario[] = [
  { name: 'clean, 10 Mbit/s, 40 ms', faults: { up: USUAL, down: BACK }, bytes: 10 * MB },
  {
    name: 'loss 1 %',
    faults: { up: { ...USUAL, loss: 0.01 }, down: BACK },
    bytes: 10 * MB,
  },
  {
    name: 'loss 3 %',
    faults: { up: { ...USUAL, loss: 0.03 }, down: BACK },
    bytes: 5 * MB,
  },
  {
    name: 'loss 3 % of ACKs',
    faults: { up: USUAL, down: { ...BACK, loss: 0.03 } },
    bytes: 10 * MB,
  },
  {
    name: 'loss 1 % in bursts of 5',
    faults: { up: { ...USUAL, burstLoss: { toBad: 0.002, toGood: 0.2 } }, down: BACK },
    bytes: 10 * MB,
  },
  {
    name: 'one data segment lost',
    tcp: NARROW,
    faults: { up: USUAL, down: BACK, rules: [{ direction: 'up', data: true, nth: 1000 }] },
    bytes: 5 * MB,
  },
  {
    name: 'the last data segment lost',
    tcp: NARROW,
    faults: {
      up: USUAL,
      down: BACK,
      rules: [{ direction: 'up', range: [MB - 1, MB] }],
    },
    bytes: MB,
  },
  {
    name: 'a retransmission lost',
    tcp: NARROW,
    faults: { up: USUAL, down: BACK, rules: [{ direction: 'up', range: [MB, MB + 1], count: 2 }] },
    bytes: 5 * MB,
  },
  {
    name: 'long fat pipe, 200 Mbit/s, 200 ms',
    tcp: { sendBuffer: 16 * 1024 * 1024, receiveBuffer: 16 * 1024 * 1024 },
    faults: { up: { rate: 200e6, delay: 100, queue: { bytes: 5 * MB } }, down: { delay: 100 } },
    bytes: 20 * MB,
  },
  {
    name: 'long fat pipe, loss 0.01 %',
    tcp: { sendBuffer: 16 * 1024 * 1024, receiveBuffer: 16 * 1024 * 1024 },
    faults: {
      up: { rate: 200e6, delay: 100, queue: { bytes: 5 * MB }, loss: 0.0001 },
      down: { delay: 100 },
    },
    bytes: 20 * MB,
  },
  {
    name: 'Wi-Fi: jitter 30 ms in order',
    faults: {
      up: { rate: 30e6, delay: 5, jitter: 30, keepOrder: true, loss: 0.001 },
      down: { delay: 5, jitter: 30, keepOrder: true },
    },
    bytes: 20 * MB,
  },
  {
    name: 'jitter 4 ms out of order',
    faults: { up: { ...USUAL, jitter: 4 }, down: BACK },
    bytes: 5 * MB,
  },
  {
    name: '1 % of segments 5 ms late',
    faults: { up: { ...USUAL, reorder: { probability: 0.01, delay: 5 } }, down: BACK },
    bytes: 10 * MB,
  },
  {
    name: 'route change from 60 to 30 ms',
    faults: {
      up: { ...USUAL, delay: 40 },
      down: BACK,
      schedule: [{ at: 3000, up: { delay: 10 } }],
    },
    bytes: 10 * MB,
  },
  {
    name: 'delay grows from 40 to 500 ms',
    faults: {
      up: USUAL,
      down: BACK,
      schedule: [{ at: 3000, up: { delay: 480 } }],
    },
    bytes: 10 * MB,
  },
  {
    name: 'path dead for 30 s',
    faults: {
      up: USUAL,
      down: BACK,
      schedule: [
        { at: 3000, both: { dead: true } },
        { at: 33_000, both: { dead: false } },
      ],
    },
    bytes: 10 * MB,
  },
  {
    name: 'MTU falls to 1000, with ICMP',
    faults: { up: USUAL, down: BACK, schedule: [{ at: 3000, up: { mtu: 1000 } }] },
    bytes: 10 * MB,
  },
  {
    name: 'MTU falls to 1000, without ICMP',
    faults: { up: USUAL, down: BACK, schedule: [{ at: 3000, up: { mtu: 1000, icmp: false } }] },
    bytes: 10 * MB,
  },
  {
    name: 'drop-tail, 10 Mbit/s, 2 MB (bufferbloat)',
    tcp: { sendBuffer: 8 * 1024 * 1024, receiveBuffer: 8 * 1024 * 1024 },
    faults: { up: { ...USUAL, queue: { packets: 1e6, bytes: 2 * MB } }, down: BACK },
    bytes: 10 * MB,
  },
  {
    name: 'the same with CoDel',
    tcp: { sendBuffer: 8 * 1024 * 1024, receiveBuffer: 8 * 1024 * 1024 },
    faults: {
      up: { ...USUAL, queue: { packets: 1e6, bytes: 2 * MB, codel: true } },
      down: BACK,
    },
    bytes: 10 * MB,
  },
  {
    name: 'queue of 10 packets',
    faults: { up: { ...USUAL, queue: { packets: 10 } }, down: BACK },
    bytes: 10 * MB,
  },
  {
    name: 'rate falls from 10 to 1 Mbit/s',
    faults: { up: USUAL, down: BACK, schedule: [{ at: 3000, up: { rate: 1e6 } }] },
    bytes: 5 * MB,
  },
  {
    name: 'dumbbell: 4 flows, 20 Mbit/s',
    faults: { up: { rate: 20e6, delay: 10, queue: { bytes: 100_000 } }, down: { delay: 10 } },
    access: [5, 5, 5, 5],
    bytes: 5 * MB,
  },
  {
    name: 'dumbbell: 4 flows, CoDel',
    faults: {
      up: { rate: 20e6, delay: 10, queue: { bytes: 500_000, codel: true } },
      down: { delay: 10 },
    },
    access: [5, 5, 5, 5],
    bytes: 5 * MB,
  },
  {
    name: 'dumbbell: RTT 30 and 120 ms',
    faults: { up: { rate: 20e6, delay: 10, queue: { bytes: 150_000 } }, down: { delay: 10 } },
    access: [5, 50],
    bytes: 10 * MB,
  },
  {
    name: 'dumbbell: the second 5 s later',
    faults: { up: { rate: 20e6, delay: 10, queue: { bytes: 100_000 } }, down: { delay: 10 } },
    access: [10, 10],
    starts: [0, 5000],
    bytes: 10 * MB,
  },
];

/** A digest of every packet with its time, place and fate. */
class Digest implements CaptureSink {
  readonly open = true;
  readonly #hash = createHash('sha256');
  readonly #head = new Int32Array(4);
  #interfaces = 0;

  addInterface(): number {
    return this.#interfaces++;
  }

  packet(packet: CapturedPacket): void {
    this.#head[0] = packet.timeHigh;
    this.#head[1] = packet.timeLow;
    this.#head[2] = packet.iface * 2 + (packet.direction === INBOUND ? 1 : 0);
    this.#head[3] = packet.originalLength;
    this.#hash.update(this.#head);
    this.#hash.update(packet.bytes.subarray(packet.offset, packet.offset + packet.length));
    if (packet.comment !== null) this.#hash.update(packet.comment);
  }

  end(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }
}

/**
 * Plays a scenario to its end.
 * @throws Error when it does not end, or a byte is wrong
 */
export function play(scenario: Scenario, seed = 1, withDigest = false): Outcome {
  const digest = new Digest();
  const network = new Network({
    seed,
    ...(scenario.tcp && { tcp: scenario.tcp }),
    ...(withDigest && { capture: digest }),
  });
  const { flows, link } = start(network, scenario);
  const wanted = scenario.access?.length ?? 1;
  const isOver = (): boolean => flows.length === wanted && flows.every(hasEnded);
  if (!network.runtime.runUntil(isOver, LIMIT)) {
    const left = flows.map((flow) => `${flow.server.received} bytes, ${flow.client.error}`);
    throw new Error(`${scenario.name}: not over at ${network.runtime.now()} ms: ${left}`);
  }
  for (const { server, client } of flows) {
    const isWhole = server.received === scenario.bytes || client.error != null;
    if (server.wrongAt >= 0 || !isWhole) {
      throw new Error(`${scenario.name}: wrong byte at ${server.wrongAt} of ${server.received}`);
    }
  }
  return outcome(scenario, flows, link, withDigest ? digest.end() : '');
}

function start(network: Network, scenario: Scenario): { flows: Flow[]; link: FaultsLink } {
  const { access, starts, faults, bytes } = scenario;
  const flows: Flow[] = [];
  if (access === undefined) {
    const { a, b, link } = pair(network, faults);
    flows.push(Flow.bulk(a, b, bytes));
    return { flows, link };
  }
  const delays = access.map((delay) => ({ delay }));
  const { left, right, bottleneck } = dumbbell(network, delays, faults);
  for (const [i, station] of left.entries()) {
    network.runtime.schedule(starts?.[i] ?? 0, () =>
      flows.push(Flow.bulk(station, right[i]!, bytes)),
    );
  }
  return { flows, link: bottleneck };
}

function hasEnded(flow: Flow): boolean {
  return flow.isOver || flow.client.error != null;
}

function outcome(scenario: Scenario, flows: Flow[], link: FaultsLink, digest: string): Outcome {
  const counters = link.counters('up');
  const senders = flows.map((flow) => flow.from.host.counters);
  const first = Math.min(...flows.map((flow) => flow.startedAt));
  const last = Math.max(...flows.map((flow) => flow.server.lastReceivedAt));
  const goodputs = flows.map((flow) => flow.goodput);
  return {
    name: scenario.name,
    error: flows.map((flow) => flow.client.error).find((error) => error != null) ?? null,
    goodput: (sum(flows.map((flow) => flow.server.received)) * 8) / 1000 / (last - first),
    goodputs,
    retransmissions: sum(senders.map((c) => c.tcpRetransSegs)),
    spurious: sum(flows.map((flow) => flow.to.watch.needless)),
    timeouts: sum(senders.map((c) => c.tcpTimeouts)),
    queueMean: counters.queueDelayMean,
    queueMax: counters.queueDelayMax,
    lost: counters.lostInAll,
    digest,
  };
}

/** Jain's index: 1 when all have the same, 1 / n when one has it all. */
export function jain(values: readonly number[]): number {
  const squares = sum(values.map((x) => x * x));
  return sum(values) ** 2 / (values.length * squares);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const COLUMNS = [
  'scenario',
  'goodput Mbit/s',
  'lost',
  'retransmitted',
  'spurious',
  'RTO',
  'queue ms mean',
  'max',
  'Jain',
  'end',
];

/** The outcomes as a Markdown table with aligned columns. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((o) => [
    o.name,
    o.goodput.toFixed(2),
    String(o.lost),
    String(o.retransmissions),
    String(o.spurious),
    String(o.timeouts),
    o.queueMean.toFixed(1),
    o.queueMax.toFixed(1),
    o.goodputs.length > 1 ? jain(o.goodputs).toFixed(3) : '',
    o.error ?? 'all',
  ]);
  const widths = COLUMNS.map((name, i) => Math.max(name.length, ...rows.map((r) => r[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return `${[line(COLUMNS), line(rule), ...rows.map(line)].join('\n')}\n`;
}
