import { add, leq } from '../../../src/base/seq.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import type { Connection, Listener } from '../../../src/stack/connection.js';
import { Host } from '../../../src/stack/host.js';
import type { HostConnection } from '../../../src/stack/host-connection.js';
import { State } from '../../../src/tcp/state.js';
import type { Tcb } from '../../../src/tcp/tcb.js';
import type { Traced } from '../../../src/tcp/trace.js';
import { checksum, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { Ipv4Header, PROTOCOL_ICMP, PROTOCOL_TCP, parseIpv4 } from '../../../src/wire/ipv4.js';
import { RST, Segment, SYN, segmentsOnWire } from '../../../src/wire/segment.js';
import { parseTcp } from '../../../src/wire/tcp.js';
import { Coverage } from './coverage.js';
import { EmittedPackets, type Occasion } from './emitted.js';
import { Flow, Flows } from './flow.js';
import { cutIntoFragments } from './fragmenter.js';
import { FuzzLink } from './fuzz-link.js';
import {
  checkAccounts,
  checkClosedConnection,
  checkLists,
  checkSettledHost,
} from './host-invariants.js';
import { PacketBuilder } from './packet-builder.js';
import { originOf } from './pattern.js';
import { HOST_ADDRESS, LISTEN_PORT, PeerEnd, SLOTS } from './peer.js';
import { type CallStep, isPacket, type PacketStep, type Setup, type Step } from './step.js';
import { FuzzUser, must } from './user.js';

/** Hears and sees what goes over the wire, for whoever shows a failure. */
export interface Witness {
  packet(bytes: Uint8Array, fromHost: boolean, now: number): void;
  begin(host: Host): void;
}

/** Accounts are looked at so often, and lists a little less. */
const AUDIT_EVERY = 16;
/** Longer than anything lasts when nobody answers. ms. */
const AFTERMATH = 40 * 60_000;
const REMEMBERED = 8;

/** A case on its way: a host, its users, and a peer that does what the steps say. */
export class Play {
  readonly runtime: VirtualRuntime;
  readonly host: Host;
  readonly link: FuzzLink;
  readonly coverage: Coverage;
  readonly peers: PeerEnd[] = [];
  /** Packets that the host was given. */
  packets = 0;
  stepsDone = 0;
  readonly #flows = new Flows();
  readonly #users: FuzzUser[] = [];
  readonly #builder = new PacketBuilder();
  readonly #emitted: EmittedPackets;
  readonly #occasion: Occasion = { onlyResets: false, onlyErrors: false };
  readonly #header = new Ipv4Header();
  readonly #segment = new Segment();
  readonly #generations = new Array<number>(SLOTS).fill(0);
  readonly #earlier: Uint8Array[] = [];
  #listener: Listener | null = null;
  #resets = 0;
  #errors = 0;
  #put = 0;

  constructor(
    readonly setup: Setup,
    coverage = new Coverage(),
    private readonly witness: Witness | null = null,
  ) {
    this.runtime = new VirtualRuntime(setup.seed);
    this.coverage = coverage;
    this.link = new FuzzLink(setup.mtu, setup.offload, (bytes, view, start, length) => {
      witness?.packet(bytes.subarray(start, start + length), true, this.runtime.now());
      this.#emitted.verify(bytes, view, start, length);
    });
    this.#emitted = new EmittedPackets(
      HOST_ADDRESS,
      setup.mtu,
      setup.offload,
      (addr, port, hostPort) => this.flow(addr, port, hostPort),
      this.#occasion,
    );
    this.host = new Host({
      runtime: this.runtime,
      link: this.link,
      address: '10.0.0.2/16',
      tcp: setup.tcp,
      trace: coverage,
    });
    coverage.onSent = (segment, connection) => this.#verifySent(segment, connection);
    witness?.begin(this.host);
    for (let slot = 0; slot < SLOTS; slot++) this.peers.push(this.#newPeer(slot));
    this.#listen();
  }

  flow(peerAddr: number, peerPort: number, hostPort: number): Flow {
    return this.#flows.of(peerAddr, peerPort, hostPort);
  }

  #newPeer(slot: number): PeerEnd {
    const peer = new PeerEnd(slot, this.#generations[slot]!++, NO_FLOW);
    peer.flow = this.flow(peer.addr, peer.port, peer.hostPort);
    return peer;
  }

  #listen(): void {
    if (this.#listener !== null) return;
    this.#listener = this.host.listen({ port: LISTEN_PORT, backlog: 3 }, (connection) =>
      this.#accept(connection),
    );
  }

  #accept(connection: Connection): FuzzUser {
    const { tcb } = connection as HostConnection;
    const flow = this.flow(tcb.remoteAddr, tcb.remotePort, tcb.localPort);
    const user = new FuzzUser(flow, originOf(tcb.remotePort));
    user.connection = connection as HostConnection;
    flow.user = user;
    this.#users.push(user);
    return user;
  }

  /** Does a step and verifies what came of it; throws when something is wrong. */
  do(step: Step): void {
    this.stepsDone++;
    if (isPacket(step)) {
      this.#send(step);
      if (step.join) return;
    }
    this.#deliver();
    this.#act(step);
    this.runtime.run(this.runtime.now());
    this.check();
  }

  #act(step: Step): void {
    switch (step.op) {
      case 'wait':
        this.runtime.run(this.runtime.now() + step.ms);
        return;
      case 'call':
        this.#call(step);
        return;
      case 'open':
        this.#open(this.peers[step.slot]!);
        return;
      case 'fresh':
        this.peers[step.slot] = this.#newPeer(step.slot);
        return;
      case 'listen':
        if (step.on) this.#listen();
        else this.#listener?.close();
        if (!step.on) this.#listener = null;
        return;
      case 'link':
        if (step.on) this.link.unblock();
        else this.link.blocked = true;
        return;
    }
  }

  #open(peer: PeerEnd): void {
    const localPort = 40_000 + peer.slot;
    const flow = this.flow(peer.addr, peer.port, localPort);
    const user = new FuzzUser(flow, originOf(peer.port));
    const remoteAddress = peer.slot >= 2 ? '10.0.1.1' : '10.0.0.1';
    try {
      user.connection = this.host.connect(
        { remoteAddress, remotePort: peer.port, localPort },
        user,
      ) as HostConnection;
    } catch (error) {
      must((error as { code?: string }).code === 'EADDRINUSE', `connect throws ${error}`);
      return;
    }
    flow.user = user;
    this.#users.push(user);
    peer.hostPort = localPort;
    peer.flow = flow;
    peer.synSent = false;
    peer.iss = peer.next;
  }

  #call({ slot, verb, n }: CallStep): void {
    const user = this.peers[slot]!.flow.user;
    if (user === null || user.left) return;
    const { connection } = user;
    switch (verb) {
      case 'write':
      case 'urgent':
        user.write(n, verb === 'urgent');
        return;
      case 'pause':
        user.reads = false;
        return;
      case 'resume':
        user.reads = true;
        user.read();
        return;
      case 'shutdown':
        connection.shutdown();
        return;
      case 'close':
      case 'abort':
        user.left = true;
        connection[verb]();
        return;
      case 'nodelay':
        connection.setNoDelay(n !== 0);
        return;
      case 'tos':
        connection.setTypeOfService(n & 0xff);
        return;
      case 'timeout':
        connection.setUserTimeout(n);
        return;
      case 'keepalive':
        connection.setKeepAlive(n !== 0, n);
        return;
      case 'congestion':
        connection.setCongestionControl(CONTROLS[n % CONTROLS.length]!);
        return;
      case 'info':
        connection.info();
        this.host.metrics();
        return;
    }
  }

  #send(step: PacketStep): void {
    const builder = this.#builder;
    switch (step.op) {
      case 'tcp':
        builder.tcp(step, this.peers[step.slot]!, this.runtime.now());
        break;
      case 'icmp':
        builder.icmp(step, this.peers[step.slot]!);
        break;
      case 'raw':
        builder.raw(step.bytes, step.changes);
        break;
      case 'again': {
        const packet = this.#earlier[this.#earlier.length - 1 - step.back];
        if (packet === undefined) return;
        builder.raw(packet, step.changes);
        break;
      }
    }
    this.#place(step.op === 'again' && step.changes.length === 0);
  }

  /** Puts the packet that was built into the link's batch, whole or in fragments. */
  #place(again: boolean): void {
    const { bytes, built } = this.#builder;
    const { length, fragment } = built;
    if (length > 65_535) return;
    if (!again) {
      if (this.#earlier.length >= REMEMBERED) this.#earlier.shift();
      this.#earlier.push(bytes.slice(0, Math.min(length, 2_048)));
    }
    if (fragment > 0 && length > 28 && (bytes[0]! & 15) === 5) {
      this.#note(length);
      for (const part of cutIntoFragments(bytes, length, fragment, built.order)) {
        this.#putOne(part, part.length, 0, 0, false);
      }
      return;
    }
    const kind = this.#note(length);
    for (let copy = built.twice ? 2 : 1; copy > 0; copy--) {
      this.#putOne(bytes, length, built.vouched ? 1 : 0, built.segmentSize, kind === RESET);
      if (kind === ERROR) this.#errors++;
    }
  }

  #putOne(bytes: Uint8Array, length: number, flags: number, size: number, reset: boolean): void {
    if (this.#put >= 200) this.#deliver();
    if (!this.link.put(bytes, 0, length, flags, size)) {
      this.#deliver();
      if (!this.link.put(bytes, 0, length, flags, size)) return;
    }
    this.witness?.packet(bytes.subarray(0, length), false, this.runtime.now());
    this.#put++;
    this.packets++;
    if (reset) this.#resets++;
  }

  /** Writes down what the flow of a packet is told by it; returns what kind of packet it is. */
  #note(length: number): number {
    const { bytes, view, built } = this.#builder;
    const header = this.#header;
    if (parseIpv4(bytes, view, 0, length, header) !== Drop.NONE) return OTHER;
    if (header.protocol === PROTOCOL_ICMP) {
      const type = bytes[header.headerLength]!;
      return type !== 0 && type !== 8 ? ERROR : OTHER;
    }
    if (header.protocol !== PROTOCOL_TCP || header.dstAddr !== HOST_ADDRESS) return OTHER;
    const at = header.headerLength;
    const tcpLength = header.totalLength - at;
    const pseudo = pseudoHeaderSum(header.srcAddr, header.dstAddr, PROTOCOL_TCP, tcpLength);
    if (!built.vouched && checksum(bytes, view, at, tcpLength, pseudo) !== 0) return OTHER;
    const segment = this.#segment;
    if (parseTcp(bytes, view, at, tcpLength, segment) !== Drop.NONE) return OTHER;
    const flow = this.flow(header.srcAddr, segment.srcPort, segment.dstPort);
    flow.noteArrival(segment);
    if (segment.length > 0 && built.altered) flow.altered = true;
    return (segment.flags & RST) !== 0 ? RESET : OTHER;
  }

  #deliver(): void {
    if (this.#put === 0) return;
    const occasion = this.#occasion;
    occasion.onlyResets = this.#resets === this.#put;
    occasion.onlyErrors = this.#errors === this.#put;
    this.#put = this.#resets = this.#errors = 0;
    try {
      this.link.deliver();
    } finally {
      occasion.onlyResets = occasion.onlyErrors = false;
    }
  }

  /** As TCP's own variables stand when a segment is sent. */
  #verifySent(segment: Segment, connection: Traced | null): void {
    if (connection === null) return;
    if ((segment.flags & SYN) !== 0) {
      const flow = this.flow(segment.dstAddr, segment.dstPort, segment.srcPort);
      if (flow.connectionId !== connection.id) flow.isAnother = true;
      flow.connectionId = connection.id;
    }
    if (connection.state < State.ESTABLISHED) return;
    if (connection.state === State.TIME_WAIT || segment.dataLength === 0) return;
    const tcb = connection as Tcb;
    const end = add(segment.seq, segment.dataLength);
    const right = add(tcb.sndUna, tcb.sndWnd);
    if (leq(end, right)) return;
    // What was sent before the window shrank may go out again; a probe has one octet (§3.8.6.1).
    const again = leq(end, tcb.sent.length > 0 ? tcb.sndNxt : right);
    must(
      again || (segment.dataLength === 1 && tcb.sndWnd === 0),
      `${segment.dataLength} octets are sent beyond a window of ${tcb.sndWnd}`,
    );
    must(segmentsOnWire(segment) >= 1, 'a segment is one at least');
  }

  check(): void {
    checkSettledHost(this.host, this.link.blocked);
    for (const user of this.#users) {
      if (user.isClosed) checkClosedConnection(user.connection);
    }
    if (this.stepsDone % AUDIT_EVERY === 0) this.#audit();
  }

  #audit(): void {
    checkAccounts(this.host, this.packets, this.#emitted);
    checkLists(this.host);
    for (const user of this.#users) {
      const { state } = user.connection.tcb;
      if (user.isClosed || user.left || state === State.TIME_WAIT) continue;
      must(state !== State.CLOSED, 'a user is told when the connection is over');
      if (user.isEstablished && !user.hasEnded && user.reads) {
        must(user.unread === 0, `${user.unread} bytes have arrived and were not told of`);
      }
    }
  }

  /** Lets everybody leave, and everything come to its end. */
  finish(): void {
    this.#deliver();
    this.link.unblock();
    this.#listener?.close();
    for (const user of this.#users) {
      if (user.left || user.isClosed) continue;
      user.left = true;
      user.connection.close();
    }
    this.runtime.run(this.runtime.now());
    this.check();
    this.runtime.run(this.runtime.now() + AFTERMATH);
    this.check();
    this.#audit();
    must(this.host.connectionCount === 0, `${this.host.connectionCount} connections remain`);
    must(!this.runtime.step(), 'a timer is left when everything is over');
    must(this.runtime.held === 0, 'nothing holds the process when everything is over');
    this.coverage.counters(this.host.counters.snapshot());
    this.link.recycle();
  }
}

const CONTROLS = ['cubic', 'newreno', 'bbr', 'dctcp'];
const OTHER = 0;
const RESET = 1;
const ERROR = 2;
const NO_FLOW = new Flow();
