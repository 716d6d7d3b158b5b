import { diff } from '../../../src/base/seq.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import type { HostConnection } from '../../../src/stack/host-connection.js';
import { stateName } from '../../../src/tcp/state.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { formatAddress, Ipv4Header, PROTOCOL_TCP, parseIpv4 } from '../../../src/wire/ipv4.js';
import { Segment } from '../../../src/wire/segment.js';
import { parseTcp } from '../../../src/wire/tcp.js';
import { User } from '../../support/user.js';
import { Answer, noteAnswer } from './answers.js';
import { Flow } from './flow.js';
import { FuzzLink } from './fuzz-link.js';
import { Generator } from './generate.js';
import { PacketBuilder } from './packet-builder.js';
import { written } from './pattern.js';
import { PeerEnd } from './peer.js';
import type { CallStep, Step, TcpStep } from './step.js';

/** After each step both TCPs have so long to answer: more than an ACK is delayed, less than an RTO. ms. */
export const SETTLE = 80;
const MTU = 1_500;
const MOST_TEXT = MTU - 100;
/** 10.9.0.0/16 */
const FIRST_PEER = 0x0a090001;
const PEERS = 60_000;
const FIRST_PORT = 20_000;
const PORTS = 12_000;
/** Changes that a device carries as they are. */
const CHANGES = ['cut', 'pad', 'badsum', 'badip', 'doff', 'alter', 'twice', 'ipopt', 'byte'];
/** From here on a changed byte makes the packet no other connection's. */
const FIRST_CHANGED = 24;
const CALLS = ['write', 'shutdown', 'close', 'abort'];

/** A step as this TCP took it. */
export interface Taken {
  step: Step;
  /** State of our connection before the step. */
  state: string;
  /** First number and the one behind the last, from RCV.NXT on, and the window; null: not known. */
  place: Place | null;
  ours: Answer;
}

export interface Place {
  first: number;
  end: number;
  window: number;
}

/** A conversation with a peer of its own, to be held with this TCP and with another. */
export class Conversation {
  readonly address: number;
  /** From which the TCP under test connects. */
  readonly localPort: number;

  constructor(readonly seed: number) {
    // No other of the same hour has these, so that nothing comes from an earlier one.
    this.address = FIRST_PEER + (seed % PEERS);
    this.localPort = FIRST_PORT + (seed % PORTS);
  }

  newPeer(): PeerEnd {
    return new PeerEnd(0, this.seed % 1_000, new Flow(), this.address);
  }

  /** Draws the steps and takes them on virtual time. */
  playHere(): Taken[] {
    const generator = new Generator(this.seed);
    const play = new HerePlay(this);
    const taken: Taken[] = [];
    let answer = new Answer();
    let hasShut = false;
    let hasLeft = false;
    for (let tries = 0; tries < 200 && taken.length < 20; tries++) {
      const step = suitable(generator.next(play));
      if (step === null || (step.op === 'open' && play.hasBegun)) continue;
      if (step.op === 'call') {
        // Node.js resets a socket that connects when it has connected.
        if (step.verb === 'abort' && play.state === 'SYN_SENT') continue;
        // It destroys one that is written to after its end.
        if (hasLeft || (hasShut && step.verb === 'write')) continue;
        if (play.hasUser) hasShut ||= step.verb === 'shutdown';
        if (play.hasUser) hasLeft = step.verb === 'close' || step.verb === 'abort';
      }
      const state = play.state;
      const place = play.placeOf(step);
      answer = answer.follow();
      play.take(step, answer);
      taken.push({ step, state, place, ours: answer });
    }
    return taken;
  }
}

/** What two TCPs can be compared by; null: nothing of it. */
function suitable(step: Step): Step | null {
  if (step.op === 'open') return step;
  if (step.op === 'call') return CALLS.includes(step.verb) ? { ...step, slot: 0 } : null;
  if (step.op !== 'tcp') return null;
  step.slot = 0;
  step.join = false;
  step.len = Math.min(step.len, MOST_TEXT);
  step.changes = step.changes.filter(
    ([name, at = 0]) => CHANGES.includes(name) && (name !== 'byte' || at >= FIRST_CHANGED),
  );
  return step;
}

/** This TCP's side of a conversation. */
class HerePlay {
  readonly peers: PeerEnd[];
  readonly link: FuzzLink;
  readonly #runtime = new VirtualRuntime(1);
  readonly #host: Host;
  readonly #builder = new PacketBuilder();
  readonly #user = new User();
  readonly #header = new Ipv4Header();
  readonly #segment = new Segment();
  readonly #localPort: number;
  #written = 0;
  #answer = new Answer();

  constructor(conversation: Conversation) {
    const peer = conversation.newPeer();
    this.peers = [peer, peer, peer, peer];
    this.#localPort = conversation.localPort;
    this.link = new FuzzLink(MTU, false, (bytes, view, start, length) => {
      if (parseIpv4(bytes, view, start, length, this.#header) !== Drop.NONE) return;
      if (this.#header.protocol !== PROTOCOL_TCP) return;
      if (parseTcp(bytes, view, start + 20, length - 20, this.#segment) !== Drop.NONE) return;
      noteAnswer(this.#answer, peer, this.#segment);
    });
    this.#host = new Host({
      runtime: this.#runtime,
      link: this.link,
      address: '10.0.0.2/8',
      tcp: { challengeAckLimit: 1_000_000 },
    });
    this.#host.listen({ port: 80 }, (connection) => {
      this.#user.connection = connection;
      return this.#user;
    });
  }

  get state(): string {
    for (const tcb of this.#host.tcbs()) return stateName(tcb.state);
    return this.#host.timeWaitCount > 0 ? 'TIME_WAIT' : 'CLOSED';
  }

  get hasBegun(): boolean {
    const { synSent, flow } = this.peers[0]!;
    return synSent || flow.hostSyn;
  }

  get hasUser(): boolean {
    return this.#user.connection !== undefined;
  }

  placeOf(step: Step): Place | null {
    if (step.op !== 'tcp') return null;
    for (const tcb of this.#host.tcbs()) {
      const start = this.peers[0]!.seqOf(step.seqBase, step.seq);
      const first = diff(start, tcb.rcvNxt);
      const length = step.len + (step.flags & 1) + ((step.flags >> 1) & 1);
      return { first, end: first + length, window: diff(tcb.rcvAdv, tcb.rcvNxt) };
    }
    return null;
  }

  take(step: Step, answer: Answer): void {
    this.#answer = answer;
    const peer = this.peers[0]!;
    if (step.op === 'open') this.#open(peer);
    else if (step.op === 'call') this.#call(step);
    else this.#send(step as TcpStep, peer);
    this.#runtime.run(this.#runtime.now() + SETTLE);
  }

  #open(peer: PeerEnd): void {
    if (peer.hostPort === this.#localPort) return;
    this.#user.connection = this.#host.connect(
      {
        remoteAddress: formatAddress(peer.addr),
        remotePort: peer.port,
        localPort: this.#localPort,
      },
      this.#user,
    );
    peer.hostPort = this.#localPort;
  }

  #call({ verb, n }: CallStep): void {
    const connection = this.#user.connection as HostConnection | undefined;
    if (connection === undefined) return;
    if (verb === 'write') this.#written += connection.write(written(this.#written, n));
    else if (verb === 'shutdown') connection.shutdown();
    else if (verb === 'close') connection.close();
    else connection.abort();
  }

  #send(step: TcpStep, peer: PeerEnd): void {
    const { built, bytes } = this.#builder;
    this.#builder.tcp(step, peer, this.#runtime.now());
    for (let copy = built.twice ? 2 : 1; copy > 0; copy--) {
      this.link.put(bytes, 0, built.length, 0, 0);
    }
    this.link.deliver();
  }
}
