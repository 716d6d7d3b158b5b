import { test } from 'vitest';
import { diff, type Seq, seq } from '../../src/base/seq.js';
import { memoryPair } from '../../src/link/memory.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { VirtualRuntime } from '../../src/runtime/virtual.js';
import { Host } from '../../src/stack/host.js';
import type { Recorder } from '../../src/stack/recorder.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import { stateName } from '../../src/tcp/state.js';
import type { Trace } from '../../src/tcp/trace.js';
import { parseAddress } from '../../src/wire/ipv4.js';
import { AimedRuntime } from './aimed-runtime.js';
import { checkHost, WindowWatch } from './invariants.js';
import { laddersBetween, recorderOf } from './ladders.js';
import { describe as describePacket, type Packet, readTcp } from './packet.js';
import { attempt, type Exhibit, showOnFailure } from './show-failure.js';
import { StateTrace } from './state-trace.js';
import { User } from './user.js';
import { type Fate, WireTap } from './wire-tap.js';

export type Side = 'a' | 'b';

/** Loses a packet; what a rule leaves out matches everything. */
export interface Drop {
  from?: Side;
  /** Exact control bits in tcpdump's letters, `P` left out. */
  flags?: string;
  /** Only packets with (or without) text. */
  data?: boolean;
  /** Which of the matching packets, from 1 on; default the first. */
  nth?: number;
}

export interface ConversationOptions {
  seed?: number;
  /** One way, ms. */
  delay?: number;
  mtu?: number;
  offload?: boolean;
  /** Bytes on the way from which on the link is blocked. */
  queueBytes?: number;
  tcp?: Partial<TcpConfig>;
  tcpA?: Partial<TcpConfig>;
  tcpB?: Partial<TcpConfig>;
  drop?: readonly Drop[];
  /** Initial sequence numbers. */
  isnA?: number;
  isnB?: number;
  /** The network changes packets so that no one can tell: what is announced is not what is heard. */
  forged?: boolean;
  /** The fate of packets that no rule drops; see MemoryPairOptions. */
  onPacket?: (packet: Uint8Array, from: Side) => Fate;
}

export const ADDRESS_A = parseAddress('10.0.0.1')!;
export const ADDRESS_B = parseAddress('10.0.0.2')!;
export const PORT_A = 40_000;
export const PORT_B = 80;

/**
 * Two hosts, A (10.0.0.1, port 40000) and B (10.0.0.2, port 80), on a cable in virtual time. Every
 * packet is checked and written down, and so is every change of state; a test that fails shows it.
 */
export class Conversation implements Exhibit {
  readonly title: string;
  readonly runtime: VirtualRuntime;
  readonly a: Host;
  readonly b: Host;
  /** What happened so far, a line each. */
  readonly lines: string[] = [];
  /** Packets as they were sent, lost ones included. */
  readonly packets: (Packet & { from: Side; lost: boolean })[] = [];
  /** States that each side has been in, in order, as `ESTABLISHED`. */
  readonly states: Record<Side, string[]> = { a: [], b: [] };
  readonly userA = new User();
  readonly userB = new User();
  /** Connections that B has accepted, this conversation's first. */
  accepted = 0;
  readonly #recorders: Record<Side, Recorder>;
  readonly #tap: WireTap;
  readonly #iss: Record<Side, Seq | null> = { a: null, b: null };
  readonly #watch = { a: new WindowWatch(), b: new WindowWatch() };
  readonly #drops: (Drop & { seen: number })[];
  readonly #options: ConversationOptions;

  constructor(options: ConversationOptions = {}) {
    this.#options = options;
    const { seed = 1, offload = false } = options;
    const runtime = new VirtualRuntime(seed);
    this.runtime = runtime;
    this.title = `two hosts, the runtime's seed ${seed}`;
    this.#tap = new WireTap(runtime, ['a', 'b'], offload);
    this.#drops = (options.drop ?? []).map((rule) => ({ ...rule, seen: 0 }));
    this.#watch.a.peer = this.#watch.b;
    this.#watch.b.peer = this.#watch.a;
    const delay = options.delay ?? 5;
    const [linkA, linkB] = memoryPair({
      runtime,
      delay,
      ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
      offload,
      ...(options.queueBytes === undefined ? {} : { queueBytes: options.queueBytes }),
      onPacket: (packet, from) =>
        this.#tap.pass(packet, from === 'a' ? 0 : 1, () => this.#onPacket(packet, from)),
    });
    this.a = new Host({
      runtime: this.#runtimeFor('a', 0),
      link: linkA,
      address: '10.0.0.1/24',
      tcp: { ...options.tcp, ...options.tcpA },
      trace: this.#trace('a'),
    });
    this.b = new Host({
      runtime: this.#runtimeFor('b', delay),
      link: linkB,
      address: '10.0.0.2/24',
      tcp: { ...options.tcp, ...options.tcpB },
      trace: this.#trace('b'),
    });
    this.#recorders = { a: recorderOf(this.a), b: recorderOf(this.b) };
    showOnFailure(this);
  }

  /** B listens; the first connection is {@link userB}'s. */
  listen(): void {
    this.b.listen({ port: PORT_B }, (connection) => {
      this.accepted++;
      const user = this.accepted === 1 ? this.userB : new User();
      user.connection = connection;
      return user;
    });
  }

  /** A opens. */
  connect(): void {
    this.userA.connection = this.a.connect(
      { remoteAddress: '10.0.0.2', remotePort: PORT_B, localPort: PORT_A },
      this.userA,
    );
  }

  /** Both open at once (RFC 9293 §3.5). */
  connectBoth(): void {
    this.connect();
    this.userB.connection = this.b.connect(
      { remoteAddress: '10.0.0.1', remotePort: PORT_A, localPort: PORT_B },
      this.userB,
    );
  }

  /** The handshake, without loss. */
  establish(): void {
    this.listen();
    this.connect();
    this.run(100);
    if (this.userB.events[0] !== 'established') throw new Error('no connection after 100 ms');
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
    this.check();
  }

  /** Runs until `predicate` holds, at most `ms`. */
  until(predicate: () => boolean, ms: number): boolean {
    const met = this.runtime.runUntil(predicate, this.runtime.now() + ms);
    this.check();
    return met;
  }

  /** Runs until nobody has anything left to do, TIME_WAIT included; everything must be gone then. */
  finish(ms = 700_000): void {
    this.until(() => this.a.connectionCount + this.b.connectionCount === 0, ms);
    for (const side of ['a', 'b'] as const) {
      if (this[side].connectionCount > 0) {
        const left = [...this[side].tcbs()].map((tcb) => stateName(tcb.state));
        throw new Error(
          `${side} still has ${this[side].connectionCount} connections after ${ms} ms: ${left}`,
        );
      }
    }
  }

  check(): void {
    checkHost(this.a);
    checkHost(this.b);
  }

  /** Packets from one side, as `flags` or with text as `flags+length`, in order. */
  sent(from: Side): string[] {
    return this.packets
      .filter((packet) => packet.from === from)
      .map((p) => (p.data.length > 0 ? `${p.flags}+${p.data.length}` : p.flags));
  }

  /** Adds the rule for packets from now on. */
  drop(rule: Drop): void {
    this.#drops.push({ ...rule, seen: 0 });
  }

  toString(): string {
    return this.lines.join('\n');
  }

  ladders(): string[] {
    return laddersBetween(this.#recorders.a, this.#recorders.b);
  }

  capture(): Uint8Array {
    return this.#tap.file();
  }

  #runtimeFor(side: Side, opensIn: number): Runtime {
    const isn = side === 'a' ? this.#options.isnA : this.#options.isnB;
    if (isn === undefined) return this.runtime;
    const own = { localAddr: ADDRESS_A, localPort: PORT_A };
    const tuple =
      side === 'a'
        ? { ...own, remoteAddr: ADDRESS_B, remotePort: PORT_B }
        : {
            localAddr: ADDRESS_B,
            localPort: PORT_B,
            remoteAddr: ADDRESS_A,
            remotePort: PORT_A,
          };
    return new AimedRuntime(this.runtime, tuple, isn, opensIn);
  }

  #trace(side: Side): Trace {
    return new StateTrace((from, to, cause) => {
      this.states[side].push(to);
      this.#line(`${side}: ${from} -> ${to} (${cause})`);
    });
  }

  #onPacket(bytes: Uint8Array, from: Side): Fate {
    const packet = readTcp(bytes, this.runtime.now(), this.#options.offload !== true);
    if (packet === null) return this.#options.onPacket?.(bytes, from) ?? 0;
    const lost = this.#drops.filter((rule) => matches(rule, packet, from)).length > 0;
    this.packets.push({ ...packet, from, lost });
    const to = from === 'a' ? 'b' : 'a';
    if (packet.flags.includes('S')) this.#iss[from] = packet.rawSeq;
    const line = describePacket(packet, this.#iss[from] ?? seq(0), this.#iss[to] ?? seq(0));
    this.#line(`${from} ${from === 'a' ? '>' : '<'} ${line}${lost ? '  LOST' : ''}`);
    if (!this.#options.forged) this.#watch[from].sent(packet);
    this.check();
    if (lost) return [];
    return this.#options.onPacket?.(bytes, from) ?? 0;
  }

  #line(text: string): void {
    this.lines.push(`${this.runtime.now().toFixed(3).padStart(11)} ${text}`);
  }
}

function matches(rule: Drop & { seen: number }, packet: Packet, from: Side): boolean {
  if (rule.from !== undefined && rule.from !== from) return false;
  if (rule.flags !== undefined && rule.flags !== packet.flags) return false;
  if (rule.data !== undefined && rule.data !== packet.data.length > 0) return false;
  rule.seen++;
  return rule.seen === (rule.nth ?? 1);
}

/** Numbers of a packet relative to the initial ones. */
export function relative(packet: Packet, seqBase: Seq, ackBase: Seq): { seq: number; ack: number } {
  return { seq: diff(packet.rawSeq, seqBase), ack: diff(packet.rawAck, ackBase) };
}

/** Runs `body`; when it throws, the failure of the test shows this conversation and no other. */
export function recorded<T extends Exhibit>(conversation: T, body: (c: T) => void): void {
  attempt(conversation, () => body(conversation));
}

/** A test of one conversation between two hosts. */
export function conversation(
  name: string,
  options: ConversationOptions,
  body: (c: Conversation) => void,
): void {
  test(name, () => recorded(new Conversation(options), body));
}
