import { test } from 'vitest';
import { type RxBatch, TxBatch } from '../../src/base/batch.js';
import { add, diff, type Seq, seq } from '../../src/base/seq.js';
import { captureLink } from '../../src/link/capture.js';
import { CaptureRing } from '../../src/link/capture-ring.js';
import { type MemoryLink, memoryPair } from '../../src/link/memory.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { VirtualRuntime } from '../../src/runtime/virtual.js';
import { Host } from '../../src/stack/host.js';
import type { Recorder } from '../../src/stack/recorder.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import { stateName } from '../../src/tcp/state.js';
import type { Tcb } from '../../src/tcp/tcb.js';
import { AimedRuntime } from './aimed-runtime.js';
import { ADDRESS_A, ADDRESS_B, recorded } from './conversation.js';
import { checkHost, WindowWatch } from './invariants.js';
import { laddersOf, recorderOf } from './ladders.js';
import { describe, type Packet, readTcp, writeSegment } from './packet.js';
import { type Exhibit, showOnFailure } from './show-failure.js';
import { StateTrace } from './state-trace.js';
import { User } from './user.js';

export const HOST_PORT = 80;
export const PEER_PORT = 5_000;

/** Of the latest packets so many bytes are kept. */
const RING_BYTES = 256 * 1024;

export interface PeerOptions {
  tcp?: Partial<TcpConfig>;
  mtu?: number;
  /** The peer's initial sequence number. */
  isn?: number;
  /** The host's. */
  hostIsn?: number;
  /** Ports; for hosts that open the connection the host's is 40000. */
  peerPort?: number;
  hostPort?: number;
}

/** What the peer sends, or is expected to receive. Numbers are relative to the initial ones. */
export interface Fields {
  seq?: number;
  ack?: number;
  win?: number;
  urg?: number;
  /** The type-of-service octet, with the two ECN bits. */
  tos?: number;
  data?: string | Uint8Array;
  /** Expected only: bytes of text. */
  len?: number;
  mss?: number | null;
  wscale?: number | null;
  sackOk?: boolean;
  /** As sent: TSval, and TSecr if it is not the host's latest. As expected: TSval is not compared. */
  ts?: number | readonly [number, number] | null;
  /** Expected only: TSecr. */
  tsEcr?: number;
  sack?: readonly (readonly [number, number])[];
  push?: boolean;
  rawOptions?: readonly number[];
}

/** ms by which the ACK of a FIN may wait for our own FIN: the default of `delayedAck`. */
export const DELAYED_ACK = 40;

/**
 * One host (10.0.0.2) on virtual time, and a peer (10.0.0.1) that the test plays by itself, a line
 * per packet. Sequence number 0 is the SYN, so that the first octet of text is 1.
 */
export class Peer implements Exhibit {
  readonly title = 'one host (10.0.0.2) and a scripted peer (10.0.0.1)';
  readonly runtime = new VirtualRuntime(1);
  readonly host: Host;
  readonly lines: string[] = [];
  readonly states: string[] = [];
  /** TCP packets from the host that no `expect` has taken yet. */
  readonly inbox: Packet[] = [];
  /** Other packets from the host. */
  readonly others: Buffer[] = [];
  readonly user = new User();
  /** The next number that the peer sends, and the next that it expects, relative. */
  seq = 0;
  ack = 0;
  win = 65_535;
  /** Put a timestamp on every segment: TSval, and the latest TSval of the host as TSecr. */
  ts: number | null = null;
  lastTsVal = 0;
  iss: Seq;
  hostIss: Seq = seq(0);
  peerPort: number;
  hostPort: number;
  accepted = 0;
  /** The users of accepted connections; {@link user} is the first. */
  readonly users: User[] = [];
  readonly #link: MemoryLink;
  readonly #batch = new TxBatch();
  readonly #recorder: Recorder;
  readonly #ring = new CaptureRing(RING_BYTES);
  #together = false;
  /** The windows of each connection, by the peer's address and port and the host's port. */
  readonly #watches = new Map<string, { host: WindowWatch; peer: WindowWatch }>();

  constructor(options: PeerOptions = {}) {
    this.iss = seq(options.isn ?? 1_000_000);
    this.peerPort = options.peerPort ?? PEER_PORT;
    this.hostPort = options.hostPort ?? HOST_PORT;
    const [hostLink, peerLink] = memoryPair({
      runtime: this.runtime,
      ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
    });
    this.#link = peerLink;
    this.host = new Host({
      runtime: this.#runtimeFor(options.hostIsn),
      link: captureLink(hostLink, this.#ring, { runtime: this.runtime, epoch: 0 }),
      address: '10.0.0.2/24',
      tcp: { ...options.tcp },
      trace: new StateTrace((from, to, cause) => {
        this.states.push(to);
        this.#line(`${from} -> ${to} (${cause})`);
      }),
    });
    peerLink.open({
      receive: (batch) => this.#receive(batch),
      writable: () => {},
      closed: () => {},
    });
    this.#recorder = recorderOf(this.host);
    showOnFailure(this);
  }

  /** The host listens, on the port that the peer sends to. */
  listen(backlog?: number): void {
    const options = backlog === undefined ? {} : { backlog };
    this.host.listen({ port: this.hostPort, ...options }, (connection) => {
      this.accepted++;
      const user = this.accepted === 1 ? this.user : new User();
      user.connection = connection;
      this.users.push(user);
      return user;
    });
  }

  /** The host opens. */
  connect(): void {
    this.user.connection = this.host.connect(
      { remoteAddress: '10.0.0.1', remotePort: this.peerPort, localPort: this.hostPort },
      this.user,
    );
  }

  /** The whole handshake from the peer's side; `syn` are the options of its SYN. */
  accept(syn: Fields = {}): void {
    this.listen();
    this.send('S', syn);
    const answer = this.expect('S.', { seq: 0, ack: 1 });
    if (syn.ts != null && answer.ts !== null) this.ts = Array.isArray(syn.ts) ? syn.ts[0] : syn.ts;
    this.send('.', syn.win === undefined ? {} : { win: syn.win });
    this.expectNothing(0);
  }

  /** The one connection that the host has. */
  get tcb(): Tcb {
    for (const tcb of this.host.tcbs()) return tcb;
    throw new Error('the host has no connection');
  }

  get state(): string {
    for (const tcb of this.host.tcbs()) return stateName(tcb.state);
    return this.host.timeWaitCount > 0 ? 'TIME_WAIT' : 'CLOSED';
  }

  /** Sends a segment; by default the next in order, acknowledging all that `expect` has seen. */
  send(flags: string, fields: Fields = {}): void {
    const data = typeof fields.data === 'string' ? Buffer.from(fields.data) : fields.data;
    const relativeSeq = fields.seq ?? this.seq;
    if (fields.win !== undefined) this.win = fields.win;
    const bytes = writeSegment({
      srcAddr: ADDRESS_A,
      dstAddr: ADDRESS_B,
      srcPort: this.peerPort,
      dstPort: this.hostPort,
      flags,
      seq: add(this.iss, relativeSeq),
      ack: flags.includes('.') ? add(this.hostIss, fields.ack ?? this.ack) : 0,
      win: this.win,
      ...(fields.urg === undefined ? {} : { urg: fields.urg }),
      ...(fields.tos === undefined ? {} : { tos: fields.tos }),
      ...(data === undefined ? {} : { data }),
      mss: fields.mss ?? null,
      wscale: fields.wscale ?? null,
      sackOk: fields.sackOk ?? false,
      ts: this.#timestamps(fields, flags),
      sack: (fields.sack ?? []).map(([l, r]) => [add(this.hostIss, l), add(this.hostIss, r)]),
      ...(fields.rawOptions === undefined ? {} : { rawOptions: fields.rawOptions }),
    });
    const consumed =
      (data?.length ?? 0) + (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0);
    if (fields.seq === undefined) this.seq += consumed;
    const packet = readTcp(bytes, this.runtime.now());
    if (packet !== null) {
      this.#peerWatchSyn(packet);
      this.#line(`peer > ${describe(packet, this.iss, this.hostIss)}`);
    }
    this.sendRaw(bytes);
  }

  /** Sends any bytes as one packet. */
  sendRaw(bytes: Uint8Array): void {
    const at = this.#batch.begin(bytes.length);
    this.#batch.bytes.set(bytes, at);
    this.#link.send(this.#batch);
    this.#batch.reset();
    if (!this.#together) this.runtime.run(this.runtime.now());
  }

  /** What `body` sends arrives in one batch. */
  together(body: () => void): void {
    this.#together = true;
    body();
    this.#together = false;
    this.runtime.run(this.runtime.now());
  }

  /**
   * The next segment from the host, which must come within `within` ms (default: at once) and have
   * these control bits (`P` left out) and fields; other fields may be anything.
   */
  expect(flags: string, fields: Fields = {}, within = 0): Packet {
    this.runtime.runUntil(() => this.inbox.length > 0, this.runtime.now() + within);
    const packet = this.inbox.shift();
    if (packet === undefined) {
      throw new Error(
        `expected ${flags} ${JSON.stringify(fields)} within ${within} ms, got nothing`,
      );
    }
    if (flags.includes('S')) this.hostIss = packet.rawSeq;
    this.#compare(packet, flags, fields);
    const length =
      packet.data.length + (flags.includes('F') ? 1 : 0) + (flags.includes('S') ? 1 : 0);
    if (!flags.includes('R')) {
      this.ack = Math.max(this.ack, diff(packet.rawSeq, this.hostIss) + length);
    }
    checkHost(this.host);
    return packet;
  }

  /** `ms` pass, and the host sends nothing. */
  expectNothing(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
    checkHost(this.host);
    const packet = this.inbox[0];
    if (packet !== undefined) {
      throw new Error(`expected nothing, got ${describe(packet, this.hostIss, this.iss)}`);
    }
  }

  /** `ms` pass; what the host sends is left in the inbox. */
  run(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
    checkHost(this.host);
  }

  /** The host must be in this state. */
  expectState(state: string): void {
    if (this.state !== state) throw new Error(`expected state ${state}, got ${this.state}`);
  }

  ladders(): string[] {
    return laddersOf('the host', this.#recorder);
  }

  capture(): Uint8Array {
    return this.#ring.file();
  }

  #runtimeFor(isn: number | undefined): Runtime {
    if (isn === undefined) return this.runtime;
    const tuple = {
      localAddr: ADDRESS_B,
      localPort: this.hostPort,
      remoteAddr: ADDRESS_A,
      remotePort: this.peerPort,
    };
    return new AimedRuntime(this.runtime, tuple, isn, 0);
  }

  #timestamps(fields: Fields, flags: string): readonly [number, number] | null {
    if (fields.ts === null) return null;
    const value = fields.ts ?? this.ts;
    if (value === null) return null;
    if (typeof value !== 'number') return value;
    return [value, flags.includes('.') ? this.lastTsVal : 0];
  }

  #receive(batch: RxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offset[i]!;
      const bytes = batch.bytes.subarray(from, from + batch.length[i]!);
      const packet = readTcp(bytes, this.runtime.now());
      if (packet === null) {
        this.others.push(Buffer.from(bytes));
        this.#line(`host > protocol ${bytes[9]}, ${bytes.length} bytes`);
        continue;
      }
      if (packet.ts !== null) this.lastTsVal = packet.ts[0];
      this.inbox.push(packet);
      const base = packet.flags.includes('S') ? packet.rawSeq : this.hostIss;
      this.#line(`host > ${describe(packet, base, this.iss)}`);
      this.#watch(packet.dstAddr, packet.dstPort, packet.srcPort).host.sent(packet);
    }
    checkHost(this.host);
  }

  #watch(
    addr: number,
    peerPort: number,
    hostPort: number,
  ): { host: WindowWatch; peer: WindowWatch } {
    const key = `${addr} ${peerPort} ${hostPort}`;
    let watch = this.#watches.get(key);
    if (watch === undefined) {
      watch = { host: new WindowWatch(), peer: new WindowWatch() };
      watch.host.peer = watch.peer;
      this.#watches.set(key, watch);
    }
    return watch;
  }

  #peerWatchSyn(packet: Packet): void {
    if (packet.flags === 'S' || packet.flags === 'S.') {
      // The peer may do as it likes with its window; only its SYN matters to the watch.
      this.#watch(packet.srcAddr, packet.srcPort, packet.dstPort).peer.sent({
        ...packet,
        flags: 'S',
      });
    }
  }

  #compare(packet: Packet, flags: string, fields: Fields): void {
    const seen: Record<string, unknown> = {
      seq: diff(packet.rawSeq, this.hostIss),
      ack: diff(packet.rawAck, this.iss),
      win: packet.win,
      urg: packet.urg,
      tos: packet.tos,
      data: packet.data.toString('latin1'),
      len: packet.data.length,
      mss: packet.mss,
      wscale: packet.wscale,
      sackOk: packet.sackOk,
      push: packet.push,
      tsEcr: packet.ts?.[1],
      sack: JSON.stringify(packet.sack.map((b) => b.map((edge) => diff(edge, this.iss)))),
    };
    const wrong: string[] = [];
    if (packet.flags !== flags) wrong.push(`flags ${packet.flags || 'none'} instead of ${flags}`);
    for (const [name, value] of Object.entries(fields)) {
      if (name === 'ts') {
        if ((value === null) !== (packet.ts === null)) wrong.push(`ts ${String(packet.ts)}`);
        continue;
      }
      const wanted = name === 'sack' ? JSON.stringify(value) : value;
      if (seen[name] !== wanted) wrong.push(`${name} ${seen[name]} instead of ${wanted}`);
    }
    if (wrong.length === 0) return;
    const got = describe(packet, this.hostIss, this.iss);
    throw new Error(`expected another segment: ${wrong.join(', ')}\ngot ${got}`);
  }

  #line(text: string): void {
    this.lines.push(`${this.runtime.now().toFixed(3).padStart(11)} ${text}`);
  }
}

/** A test of one host against a scripted peer. */
export function scripted(name: string, options: PeerOptions, body: (peer: Peer) => void): void {
  test(name, () => recorded(new Peer(options), body));
}
