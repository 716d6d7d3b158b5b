import { checkedMtu } from './mtu.js';

/** Bursty loss: a chain of a good and a bad state that moves with each packet (Gilbert, Elliott). */
export interface GilbertElliott {
  /** Probability that a packet finds the state changed from good to bad. */
  toBad: number;
  /** And from bad to good; its inverse is the mean length of a burst in packets. */
  toGood: number;
  /** Probability of loss in the bad state. Default 1. */
  lossBad?: number;
  /** And in the good state. Default 0. */
  lossGood?: number;
}

/** Lets a part of the packets come late, so that those behind them arrive first. */
export interface Reordering {
  /** Share of the packets that come late. */
  probability: number;
  /** By how many ms. */
  delay: number;
}

/** The queue before a path with a `rate`. */
export interface BottleneckQueue {
  /** Packets that fit; one that comes on top is dropped (drop-tail). Default 1000. */
  packets?: number;
  /** Bytes that fit. Default: no limit. */
  bytes?: number;
  /** Keeps the delay in the queue short by CoDel (RFC 8289): ms, defaults 5 and 100. Default: off. */
  codel?: boolean | { target?: number; interval?: number };
  /** CoDel marks packets of senders that speak ECN with CE and drops the others (RFC 3168). */
  ecn?: boolean;
  /** Marks ECN-capable packets that find more than so many bytes waiting. Default: none. */
  markAbove?: number;
}

/** What happens to packets in one direction. All off by default; probabilities are 0 to 1. */
export interface PathFaults {
  /** Time to the other end, ms. */
  delay?: number;
  /** Up to so many ms more, evenly distributed. */
  jitter?: number;
  /** No packet arrives before an earlier one, whatever jitter or a shorter delay say. */
  keepOrder?: boolean;
  /** Bit/s, of IPv4 packets. Default: Infinity, without a queue. */
  rate?: number;
  queue?: BottleneckQueue;
  /** Probability that a packet is lost, each by itself. */
  loss?: number;
  /** Losses that come in bursts; null: none. */
  burstLoss?: GilbertElliott | null;
  /** Null: none. */
  reorder?: Reordering | null;
  /** Probability that a packet arrives twice. */
  duplicate?: number;
  /** Probability that one bit of a packet is inverted, anywhere; every checksum sees that. */
  corrupt?: number;
  /** Longer packets get no further: 68 to 65,535 bytes. Default: what the link takes. */
  mtu?: number;
  /** Whether their sender is told so by ICMP (RFC 1191). Default true. */
  icmp?: boolean;
  /** Nothing gets through. */
  dead?: boolean;
}

/** The numbers of one direction as they stand now. */
export interface PathSettings {
  delay: number;
  jitter: number;
  keepOrder: boolean;
  rate: number;
  queuePackets: number;
  queueBytes: number;
  /** CoDel's TARGET in ms; 0: no CoDel. */
  target: number;
  interval: number;
  ecn: boolean;
  markAbove: number;
  loss: number;
  toBad: number;
  toGood: number;
  lossBad: number;
  lossGood: number;
  reorder: number;
  reorderDelay: number;
  duplicate: number;
  corrupt: number;
  mtu: number;
  icmp: boolean;
  dead: boolean;
}

const CODEL_TARGET = 5;
const CODEL_INTERVAL = 100;
const MAX_DELAY = 3_600_000;

export function clearPath(): PathSettings {
  return {
    delay: 0,
    jitter: 0,
    keepOrder: false,
    rate: Infinity,
    queuePackets: 1000,
    queueBytes: Infinity,
    target: 0,
    interval: CODEL_INTERVAL,
    ecn: false,
    markAbove: Infinity,
    loss: 0,
    toBad: 0,
    toGood: 1,
    lossBad: 1,
    lossGood: 0,
    reorder: 0,
    reorderDelay: 0,
    duplicate: 0,
    corrupt: 0,
    mtu: 65_535,
    icmp: true,
    dead: false,
  };
}

/**
 * Lays `changes` over `settings`; what they leave out stays. Nothing is changed when one is wrong.
 * @throws RangeError (ERR_OUT_OF_RANGE) that names the field
 */
export function changePath(settings: PathSettings, changes: PathFaults, name: string): void {
  const next = { ...settings };
  next.delay = inRange(`${name}.delay`, changes.delay ?? next.delay, 0, MAX_DELAY);
  next.jitter = inRange(`${name}.jitter`, changes.jitter ?? next.jitter, 0, MAX_DELAY);
  next.keepOrder = changes.keepOrder ?? next.keepOrder;
  next.rate = inRange(`${name}.rate`, changes.rate ?? next.rate, 1, Infinity);
  next.loss = inRange(`${name}.loss`, changes.loss ?? next.loss, 0, 1);
  next.duplicate = inRange(`${name}.duplicate`, changes.duplicate ?? next.duplicate, 0, 1);
  next.corrupt = inRange(`${name}.corrupt`, changes.corrupt ?? next.corrupt, 0, 1);
  next.mtu = checkedMtu(changes.mtu ?? next.mtu);
  next.icmp = changes.icmp ?? next.icmp;
  next.dead = changes.dead ?? next.dead;
  if (changes.queue !== undefined) changeQueue(next, changes.queue, `${name}.queue`);
  if (changes.burstLoss !== undefined) changeBursts(next, changes.burstLoss, `${name}.burstLoss`);
  if (changes.reorder !== undefined) changeReordering(next, changes.reorder, `${name}.reorder`);
  Object.assign(settings, next);
}

function changeQueue(next: PathSettings, queue: BottleneckQueue, name: string): void {
  const { codel } = queue;
  next.queuePackets = inRange(`${name}.packets`, queue.packets ?? next.queuePackets, 1, Infinity);
  next.queueBytes = inRange(`${name}.bytes`, queue.bytes ?? next.queueBytes, 1, Infinity);
  next.ecn = queue.ecn ?? next.ecn;
  next.markAbove = inRange(`${name}.markAbove`, queue.markAbove ?? next.markAbove, 0, Infinity);
  if (codel === undefined) return;
  const { target = CODEL_TARGET, interval = CODEL_INTERVAL } = codel === true ? {} : codel || {};
  next.target = codel === false ? 0 : inRange(`${name}.codel.target`, target, 1e-3, MAX_DELAY);
  next.interval = inRange(`${name}.codel.interval`, interval, 1e-3, MAX_DELAY);
}

function changeBursts(next: PathSettings, bursts: GilbertElliott | null, name: string): void {
  const { toBad, toGood, lossBad = 1, lossGood = 0 } = bursts ?? { toBad: 0, toGood: 1 };
  next.toBad = inRange(`${name}.toBad`, toBad, 0, 1);
  next.toGood = inRange(`${name}.toGood`, toGood, 0, 1);
  next.lossBad = inRange(`${name}.lossBad`, lossBad, 0, 1);
  next.lossGood = inRange(`${name}.lossGood`, lossGood, 0, 1);
}

function changeReordering(next: PathSettings, reorder: Reordering | null, name: string): void {
  next.reorder = inRange(`${name}.probability`, reorder?.probability ?? 0, 0, 1);
  next.reorderDelay = inRange(`${name}.delay`, reorder?.delay ?? 0, 0, MAX_DELAY);
}

/** @throws RangeError (ERR_OUT_OF_RANGE) */
export function inRange(name: string, value: number, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  const message = `The value of "${name}" is out of range. It must be >= ${least} && <= ${most}. Received ${value}`;
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
