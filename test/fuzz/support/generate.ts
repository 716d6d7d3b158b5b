import { Random } from '../../../src/base/random.js';
import { diff } from '../../../src/base/seq.js';
import type { TcpConfig } from '../../../src/tcp/config.js';
import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../../../src/wire/segment.js';
import { mutate } from './mutate.js';
import { type PeerEnd, SLOTS } from './peer.js';
import {
  type CallStep,
  type Change,
  type IcmpStep,
  type Option,
  type Setup,
  type Step,
  type TcpStep,
  tcpStep,
  VERBS,
  type Verb,
} from './step.js';

const WAITS = [0, 1, 5, 20, 41, 100, 200, 500, 1_000, 3_000, 12_000, 61_000, 125_000, 600_000];
const CALLS: readonly Verb[] = [
  'write',
  'write',
  'write',
  'write',
  'resume',
  'pause',
  'shutdown',
  ...VERBS,
];

/** What the next step of a case depends on. */
export interface Scene {
  readonly peers: readonly PeerEnd[];
  readonly link: { readonly blocked: boolean };
}

/** Draws the steps of a case, each by what has come of those before. */
export class Generator {
  readonly random: Random;
  readonly setup: Setup;
  /** Of 100 packets so many are changed. */
  readonly #wildness: number;
  readonly #slots: number;
  readonly #calls: number;

  constructor(seed: number) {
    const random = new Random(seed);
    this.random = random;
    this.setup = setupOf(random);
    this.#wildness = pick(random, [0, 5, 15, 15, 30, 60]);
    this.#slots = 1 + random.int(SLOTS);
    this.#calls = pick(random, [4, 10, 10, 25]);
  }

  next(play: Scene): Step {
    const { random } = this;
    const roll = random.int(100);
    const slot = random.int(this.#slots);
    if (roll < 5) return { op: 'wait', ms: pick(random, WAITS) };
    if (roll < 5 + this.#calls) return this.#call(slot);
    if (roll === 99) return this.#rare(slot, play);
    if (random.int(100) < this.#wildness) {
      const kind = random.int(12);
      if (kind === 0) return this.#noise();
      if (kind < 3) return this.#again(slot);
      if (kind < 5) return this.#icmp(slot, play.peers[slot]!);
      const step = this.#valid(slot, play);
      return step.op === 'tcp' ? mutate(random, step) : step;
    }
    return this.#valid(slot, play);
  }

  #rare(slot: number, play: Scene): Step {
    switch (this.random.int(6)) {
      case 0:
        return { op: 'listen', on: this.random.int(3) > 0 };
      case 1:
      case 2:
        return { op: 'link', on: play.link.blocked };
      case 3:
        return { op: 'open', slot };
      default:
        return { op: 'fresh', slot };
    }
  }

  #call(slot: number): CallStep {
    const { random } = this;
    const verb = pick(random, CALLS);
    const step: CallStep = { op: 'call', slot, verb, n: random.int(4) };
    if (verb === 'write' || verb === 'urgent') {
      step.n = pick(random, [1, 100, 1_000, 1_460, 5_000, 20_000, 60_000]);
    }
    if (verb === 'timeout') step.n = pick(random, [0, 500, 5_000, 60_000]);
    if (verb === 'keepalive') step.n = pick(random, [0, 1_000, 30_000]);
    if (verb === 'tos') step.n = random.int(256);
    return step;
  }

  #noise(): Step {
    const bytes = this.random.bytes(this.random.int(80));
    if (bytes.length > 0 && this.random.int(2) === 0) bytes[0] = 0x45;
    return { op: 'raw', bytes, changes: [], join: false };
  }

  #again(slot: number): Step {
    const { random } = this;
    const changes: Change[] = [];
    if (random.int(3) === 0) changes.push(['sport', 5_000 + slot * 1_000]);
    if (random.int(6) === 0) changes.push(['byte', random.int(60), random.int(256)]);
    return { op: 'again', back: random.int(8), changes, join: random.int(6) === 0 };
  }

  #icmp(slot: number, peer: PeerEnd): IcmpStep {
    const { random } = this;
    const outstanding = Math.max(1, diff(peer.flow.hostEnd, peer.acked));
    const mtu = pick(random, [0, 68, 100, 296, 552, 576, 1_000, 1_492, 9_000]);
    return {
      op: 'icmp',
      slot,
      type: pick(random, [3, 3, 3, 3, 4, 5, 8, 11, 12, 0, random.int(256)]),
      code: pick(random, [0, 1, 2, 3, 4, 4, 4, 4, 13, random.int(16)]),
      rest: pick(random, [mtu, mtu, random.next() | 0]),
      seq: pick(random, [0, 0, random.int(Math.max(1, outstanding)), random.next() | 0]),
      quote: pick(random, [28, 28, 28, 48, random.int(60)]),
      total: pick(random, [40, 576, 1_500, 9_000, 65_535]),
      changes: [],
      join: false,
    };
  }

  /** What a peer might send now that keeps to the rules. */
  #valid(slot: number, play: Scene): Step {
    const { random } = this;
    const peer = play.peers[slot]!;
    const { flow } = peer;
    const isOver = flow.hostReset || (peer.finSent && flow.hostFin);
    if (!peer.synSent && !flow.hostSyn) {
      return random.int(3) === 0 ? { op: 'open', slot } : this.#syn(peer);
    }
    if (!peer.synSent) return this.#answerSyn(peer);
    if (!flow.hostSyn) return random.int(3) === 0 ? this.#syn(peer) : { op: 'wait', ms: 1 };
    if (isOver && random.int(4) === 0) {
      if (random.int(3) === 0) return this.#syn(peer, 1 + random.int(100_000));
      return { op: 'fresh', slot };
    }
    return this.#synchronized(peer);
  }

  #syn(peer: PeerEnd, ahead = 0): TcpStep {
    const { random } = this;
    const step = tcpStep(peer.slot, SYN | (random.int(8) === 0 ? ECE | CWR : 0));
    step.seqBase = ahead > 0 ? 'n' : 'i';
    step.seq = ahead;
    step.win = pick(random, [65_535, 65_535, 64_240, 1_000, 0]);
    step.options = this.#synOptions();
    if (random.int(20) === 0) step.len = random.int(500);
    if (ahead > 0) step.seqBase = 'n';
    return step;
  }

  #answerSyn(peer: PeerEnd): TcpStep {
    const roll = this.random.int(20);
    if (roll === 0) {
      const reset = tcpStep(peer.slot, RST | ACK);
      reset.seqBase = '0';
      return reset;
    }
    const step = this.#syn(peer);
    if (roll > 4) step.flags |= ACK;
    return step;
  }

  #synOptions(): Option[] {
    const { random } = this;
    const options: Option[] = [];
    if (random.int(8) > 0) options.push(['mss', pick(random, [1_460, 1_460, 536, 8_960, 100])]);
    if (random.int(3) > 0) options.push(['sok']);
    if (random.int(2) > 0) options.push(['ts', 0, 0]);
    if (random.int(3) > 0) options.push(['ws', pick(random, [0, 2, 7, 14])]);
    return options;
  }

  #synchronized(peer: PeerEnd): TcpStep {
    const { random } = this;
    const { flow } = peer;
    const step = tcpStep(peer.slot, ACK);
    step.win = pick(random, [65_535, 65_535, 65_535, 10_000, 1_460, 500, 0]);
    const stamps = peer.timestamps && flow.hostTimestamps;
    if (stamps) step.options.push(['ts', 0, 0]);
    const outstanding = diff(flow.hostEnd, peer.acked);
    switch (random.int(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        step.len = this.#textLength(step);
        step.flags |= random.int(2) === 0 ? PSH : 0;
        break;
      case 5:
      case 6:
        // A gap, and what fills it.
        step.len = this.#textLength(step);
        step.seq = pick(random, [100, 1_460, 2_920, -100, -1_460]);
        if (random.int(2) === 0) step.seqBase = 'r';
        break;
      case 7:
        step.seqBase = 'r';
        step.len = this.#textLength(step);
        break;
      case 8:
      case 9:
        if (outstanding > 1) {
          step.ackBase = 'u';
          step.ack = random.int(outstanding);
        }
        break;
      case 10:
        step.ackBase = 'u';
        break;
      case 11:
      case 12:
        step.ackBase = 'u';
        if (flow.hostSack && outstanding > 2) step.options.push(this.#sack(outstanding));
        break;
      case 13:
        if (random.int(3) === 0) step.flags |= FIN;
        break;
      case 14:
        step.flags |= pick(random, [URG, ECE, CWR, ECE | CWR, PSH]);
        step.urg = random.int(2_000);
        step.len = random.int(300);
        step.tos = random.int(4);
        break;
      case 15:
        step.seq = -1;
        if (random.int(2) === 0) step.len = 1;
        break;
      case 16:
        if (random.int(6) === 0) {
          step.flags = RST | (random.int(2) === 0 ? ACK : 0);
          step.seqBase = pick(random, ['r', 'n', 'e']);
        }
        break;
      default:
        break;
    }
    step.join = random.int(8) === 0;
    return step;
  }

  #textLength(step: TcpStep): number {
    const { random } = this;
    if (this.setup.offload && random.int(6) === 0) {
      step.changes.push(['vouch'], ['gso', pick(random, [1_448, 1_460, 536])]);
      return 2_000 + random.int(60_000);
    }
    return pick(random, [1, 10, 100, 536, 1_000, 1_448, 1_460]);
  }

  #sack(outstanding: number): Option {
    const { random } = this;
    const edges: number[] = [];
    for (let n = 1 + random.int(3); n > 0; n--) {
      const left = random.int(outstanding);
      edges.push(left, left + 1 + random.int(outstanding - left));
    }
    return ['sack', ...edges];
  }
}

function setupOf(random: Random): Setup {
  const offload = random.int(3) === 0;
  const tcp: Partial<TcpConfig> = {
    maxTimeWait: pick(random, [3, 3, 0, 65_536]),
    retransmitR2: pick(random, [4, 15]),
    synTimeout: pick(random, [5_000, 180_000]),
  };
  if (random.int(2) === 0) tcp.sendBuffer = pick(random, [2_048, 8_192, 65_536]);
  if (random.int(2) === 0) tcp.receiveBuffer = pick(random, [2_048, 8_192, 40_000, 300_000]);
  if (random.int(3) === 0) tcp.congestionControl = pick(random, ['newreno', 'bbr', 'dctcp']);
  if (random.int(3) === 0) tcp.lossDetection = pick(random, ['sack', 'newreno']);
  if (random.int(4) === 0) tcp.ecn = pick(random, ['on', 'off']);
  if (random.int(5) === 0) tcp.pacing = true;
  if (random.int(5) === 0) tcp.timestamps = false;
  if (random.int(5) === 0) tcp.sack = false;
  if (random.int(5) === 0) tcp.windowScale = false;
  if (random.int(5) === 0) tcp.noDelay = true;
  if (random.int(5) === 0) tcp.delayedAck = pick(random, [0, 1, 499]);
  if (random.int(5) === 0) tcp.challengeAckLimit = pick(random, [1, 3]);
  if (random.int(8) === 0) tcp.mss = pick(random, [28, 100, 536]);
  if (random.int(8) === 0) tcp.minPathMtu = 68;
  if (random.int(8) === 0) tcp.keepAliveIdle = 10_000;
  return {
    seed: random.next(),
    mtu: pick(random, [1_500, 1_500, 1_500, 576, 9_000, 68]),
    offload,
    tcp,
  };
}

export function pick<T>(random: Random, of: readonly T[]): T {
  return of[random.int(of.length)]!;
}
