import type { Counters } from '../base/counters.js';
import { TimerWheel } from '../base/timer-wheel.js';
import type { Holder } from '../runtime/runtime.js';
import { mayAnswer } from '../tcp/ack-throttle.js';
import { abort, icmpError, initialize, letGo, open } from '../tcp/calls.js';
import type { TcpConfig } from '../tcp/config.js';
import { RateSample } from '../tcp/delivery-rate.js';
import { enterClosed } from '../tcp/end.js';
import { ownPathMtu } from '../tcp/first-text.js';
import { output, sendResetFor } from '../tcp/output.js';
import { pathMtuShrank } from '../tcp/path-mtu.js';
import { segmentArrives } from '../tcp/segment-arrives.js';
import { State } from '../tcp/state.js';
import { Event, type Failure, Tcb, type TcpHost } from '../tcp/tcb.js';
import {
  arrivesInTimeWait,
  issAfter,
  TimeWait,
  Verdict,
  writeTimeWaitAck,
} from '../tcp/time-wait.js';
import { timeout } from '../tcp/timeouts.js';
import { nextDeadline } from '../tcp/timers.js';
import type { Trace } from '../tcp/trace.js';
import { Drop } from '../wire/drop-reason.js';
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES } from '../wire/ipv4.js';
import { ACK, RST, Segment, SYN } from '../wire/segment.js';
import { TCP_HEADER_BYTES, TCP_MAX_OPTION_BYTES } from '../wire/tcp.js';
import { type ConnectionHandler, SILENT_HANDLER } from './connection.js';
import { ConnectionTable } from './connection-table.js';
import { CookieGate } from './cookie-gate.js';
import type { Handover } from './handover.js';
import { type Clock, HostConnection } from './host-connection.js';
import type { QuotedInput } from './icmp-service.js';
import type { Identity } from './identity.js';
import type { Interface, Interfaces } from './interfaces.js';
import type { SegmentInput } from './ip-input.js';
import type { IpOutput } from './ip-output.js';
import { type HostListener, Listeners, PendingQueue } from './listener.js';
import { MemoryAccount } from './memory-account.js';
import { PassiveOpens } from './passive-opens.js';
import { PathMtuCache } from './path-mtu-cache.js';
import { TimeWaits } from './time-waits.js';

/**
 * All connections of a host: finds the one a segment is for, runs their timers, and at the end of
 * each batch looks once at every connection that something happened to.
 */
export class TcpService implements TcpHost, SegmentInput, QuotedInput {
  readonly segmentOut = new Segment();
  readonly rateSample = new RateSample();
  readonly listeners = new Listeners();
  trace: Trace | null = null;
  /** For one of several shards. */
  handover: Handover | null = null;
  readonly #table: ConnectionTable<Tcb | TimeWait>;
  readonly #passiveOpens: PassiveOpens;
  readonly memory: MemoryAccount;
  readonly #pathMtus = new PathMtuCache();
  readonly #timeWaits: TimeWaits;
  readonly #wheel: TimerWheel<Tcb>;
  #dirty: Tcb[] = [];
  #settling: Tcb[] = [];
  readonly #fire = (tcb: Tcb): void => this.#timerFired(tcb);
  #firedAt = 0;

  constructor(
    readonly config: TcpConfig,
    readonly counters: Counters,
    private readonly clock: Clock,
    private readonly interfaces: Interfaces,
    private readonly ipOutput: IpOutput,
    private readonly identity: Identity,
    tableSecret: Int32Array,
    /** 16 unpredictable bytes for SYN cookies, asked for when the first is made. */
    cookieSecret: () => Uint8Array,
    /** Counts who keeps the process running. */
    private readonly holder: Holder,
    /** Called when there is something to settle, so that the host sees to it soon. */
    private readonly onDirty: () => void,
    /** A user's callback has thrown; the other connections go on. */
    private readonly onUserError: (error: unknown) => void,
  ) {
    this.#table = new ConnectionTable(tableSecret);
    this.#timeWaits = new TimeWaits(this, this.#table);
    this.memory = new MemoryAccount(config, counters);
    this.#passiveOpens = new PassiveOpens(this, new CookieGate(this, identity, cookieSecret));
    this.#wheel = new TimerWheel(clock.now());
  }

  wokeAt = -Infinity;

  /** Connections that exist, in TIME_WAIT or not. */
  get size(): number {
    return this.#table.size;
  }

  get timeWaitCount(): number {
    return this.#timeWaits.size;
  }

  /** Connections but those in TIME_WAIT. */
  get openCount(): number {
    return this.#table.size - this.#timeWaits.size;
  }

  get memoryExceeded(): boolean {
    return this.memory.exceeded;
  }

  // What TCP needs from us.

  transmit(segment: Segment, tcb: Tcb | null, now: number): void {
    if (this.trace !== null) this.trace.sent(segment, tcb, now);
    const by =
      tcb === null
        ? this.interfaces.route(segment.dstAddr)
        : this.interfaces.all[tcb.interfaceIndex]!;
    if (by === null) this.counters.countDrop(Drop.TX_NO_ROUTE);
    else this.ipOutput.sendTcp(by, segment);
  }

  maxBurst(tcb: Tcb): number {
    // What the kernel cuts gets identifications in a row, which packets that routers may cut must not have.
    const { link } = this.interfaces.all[tcb.interfaceIndex]!;
    const cutBelow = link.offload || (link.softwareOffload === true && this.trace === null);
    if (!cutBelow || tcb.mayFragment) return tcb.sndMss;
    const largest = link.gsoMaxSize ?? IPV4_MAX_BYTES;
    const most = largest - IPV4_HEADER_BYTES - TCP_HEADER_BYTES - TCP_MAX_OPTION_BYTES;
    return Math.max(tcb.sndMss, most - (most % tcb.sndMss));
  }

  canTransmit(tcb: Tcb): boolean {
    return !this.interfaces.all[tcb.interfaceIndex]!.link.blocked;
  }

  markDirty(tcb: Tcb): void {
    if (tcb.dirty) return;
    tcb.dirty = true;
    if (this.#dirty.push(tcb) === 1) this.onDirty();
  }

  pathMtuFound(tcb: Tcb): void {
    const limited = tcb.mtu.searchAt !== Infinity && !tcb.mayFragment;
    this.#pathMtus.note(tcb.remoteAddr, limited ? tcb.pathMss : 0, tcb.mtu.searchAt);
  }

  // Segments in.

  input(segment: Segment, by: Interface, now: number): Drop {
    const entry = this.#find(segment);
    const { trace, handover } = this;
    if (entry === null && handover !== null) {
      if (handover.isOvertaken(segment, now)) return Drop.SHARD_OVERTAKEN;
      // The ACK of a cookie is known to nobody, and ours.
      const isOurs = this.#passiveOpens.expects(segment, now);
      if (!isOurs && handover.isElsewhere(segment, by)) return Drop.ELSEWHERE;
    }
    if (trace !== null) trace.received(segment, entry, now);
    const drop = this.#arrives(entry, segment, by, now);
    if (trace !== null && drop !== Drop.NONE) trace.dropped(segment, entry, drop, now);
    return drop;
  }

  /** One that ended within this batch is there until its end, but a SYN is for the next one. */
  #find({ dstAddr, dstPort, srcAddr, srcPort, flags }: Segment): Tcb | TimeWait | null {
    const entry = this.#table.find(dstAddr, dstPort, srcAddr, srcPort);
    if ((flags & SYN) === 0 || entry === null || entry.state !== State.CLOSED) return entry;
    this.#table.remove(entry);
    return null;
  }

  #arrives(entry: Tcb | TimeWait | null, segment: Segment, by: Interface, now: number): Drop {
    if (entry === null) return this.#arrivesUnknown(segment, by, now, null);
    if (entry instanceof TimeWait) return this.#arrivesInTimeWait(entry, segment, by, now);
    return segmentArrives(entry, segment, now);
  }

  /** No connection: a listener's business, or else that of CLOSED (RFC 9293 §3.10.7.1). */
  #arrivesUnknown(segment: Segment, by: Interface, now: number, old: TimeWait | null): Drop {
    if (segment.srcPort === 0 || segment.dstPort === 0) return Drop.TCP_BAD_ADDRESS;
    if ((segment.flags & RST) !== 0) return Drop.TCP_NO_CONNECTION;
    const listener = this.listeners.find(segment.dstAddr, segment.dstPort);
    if (listener === null || (segment.flags & ACK) !== 0) {
      const drop = listener && this.#passiveOpens.arrivesAck(listener, segment, by, now);
      if (drop !== null) return drop;
      sendResetFor(segment, this, null, now);
      return Drop.TCP_NO_CONNECTION;
    }
    if ((segment.flags & SYN) === 0) return Drop.TCP_BAD_FLAGS;
    return this.#passiveOpens.arrivesSyn(listener, segment, by, now, old);
  }

  /** A TCB in LISTEN for a segment to a listener; `old` is the incarnation that it replaces. */
  passiveOpen(
    listener: HostListener,
    segment: Segment,
    by: Interface,
    old: TimeWait | null,
    now: number,
  ): Tcb {
    const { dstAddr, dstPort, srcAddr, srcPort } = segment;
    const tcb = this.#create(State.LISTEN, dstAddr, dstPort, srcAddr, srcPort, by, now);
    listener.halfOpen.add(tcb);
    this.counters.tcpPassiveOpens++;
    this.#table.add(tcb);
    if (old !== null) {
      initialize(tcb, issAfter(old, tcb.iss), old.tsOffset, now);
      this.counters.tcpTimeWaitReused++;
    }
    return tcb;
  }

  rcvMss(by: Interface): number {
    const { mss } = this.config;
    return mss === 0 ? by.mss : Math.min(mss, by.mss);
  }

  admit(tcb: Tcb, segment: Segment, now: number): boolean {
    return this.#passiveOpens.admit(tcb, segment, now);
  }

  #arrivesInTimeWait(record: TimeWait, segment: Segment, by: Interface, now: number): Drop {
    const verdict = arrivesInTimeWait(record, segment);
    switch (verdict) {
      case Verdict.REOPEN:
        if (this.#passiveOpens.hasRoomFor(segment)) {
          this.#timeWaits.end(record, 'a new incarnation: RFC 6191', now);
          return this.#arrivesUnknown(segment, by, now, record);
        }
        break;
      case Verdict.ACK_AND_RESTART:
        this.#timeWaits.restart(record, now);
        break;
      case Verdict.ACK:
        break;
      case Verdict.DROP:
        return Drop.TCP_UNACCEPTABLE_SEQ;
    }
    if (verdict !== Verdict.ACK_AND_RESTART) {
      if (!mayAnswer(record, this.config.challengeAckLimit, now)) return Drop.TCP_UNACCEPTABLE_SEQ;
    }
    writeTimeWaitAck(record, this.segmentOut, now);
    this.counters.tcpOutSegs++;
    if (this.trace !== null) this.trace.sent(this.segmentOut, record, now);
    this.ipOutput.sendTcp(this.interfaces.all[record.interfaceIndex]!, this.segmentOut);
    return Drop.TCP_UNACCEPTABLE_SEQ;
  }

  // ICMP errors in.

  icmpError(quoted: Segment, failure: Failure, hard: boolean, now: number): boolean {
    const tcb = this.#findQuoted(quoted);
    return tcb !== null && icmpError(tcb, quoted, failure, hard, now);
  }

  fragmentationNeeded(quoted: Segment, mtu: number, now: number): boolean {
    const tcb = this.#findQuoted(quoted);
    const mss = mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES;
    return tcb !== null && pathMtuShrank(tcb, quoted, mss, now);
  }

  isErrorElsewhere(quoted: Segment, by: Interface): boolean {
    const { handover } = this;
    return (
      handover !== null &&
      this.#findQuoted(quoted) === null &&
      handover.isErrorElsewhere(quoted, by)
    );
  }

  #findQuoted(quoted: Segment): Tcb | null {
    const entry = this.#table.find(quoted.srcAddr, quoted.srcPort, quoted.dstAddr, quoted.dstPort);
    return entry instanceof Tcb ? entry : null;
  }

  // Opening.

  connect(
    localAddr: number,
    localPort: number,
    remoteAddr: number,
    remotePort: number,
    by: Interface,
    handler: ConnectionHandler,
  ): HostConnection {
    const now = this.clock.now();
    const tcb = this.#create(State.CLOSED, localAddr, localPort, remoteAddr, remotePort, by, now);
    const connection = new HostConnection(tcb, this.clock, handler);
    this.#table.add(tcb);
    open(tcb, now);
    return connection;
  }

  /** A TCB with the numbers that it starts from, not in the table yet. */
  #create(
    state: State.CLOSED | State.LISTEN,
    localAddr: number,
    localPort: number,
    remoteAddr: number,
    remotePort: number,
    by: Interface,
    now: number,
  ): Tcb {
    const tcb = new Tcb(this, state, localAddr, localPort, remoteAddr, remotePort, by.mss);
    tcb.interfaceIndex = by.index;
    const known = this.#pathMtus.find(remoteAddr, now);
    if (known !== null && known.mss < tcb.pathMss) {
      const mtu = ownPathMtu(tcb);
      tcb.pathMss = mtu.high = known.mss;
      mtu.searchAt = known.until;
    }
    initialize(tcb, this.identity.isn(tcb, now), this.identity.timestampOffset(tcb), now);
    return tcb;
  }

  /** The interface is gone, and with it every connection by it. */
  loseInterface(by: Interface): void {
    for (const tcb of this.tcbs()) {
      if (tcb.interfaceIndex === by.index && tcb.state !== State.CLOSED) {
        enterClosed(tcb, 'ENETDOWN', 'the link has ended', this.clock.now());
      }
    }
  }

  /** The link takes packets again. */
  resumeInterface(by: Interface): void {
    for (const tcb of this.tcbs()) {
      if (tcb.interfaceIndex === by.index) this.markDirty(tcb);
    }
  }

  /** Whether no connection, even one in TIME_WAIT, has these two sockets. */
  isFree(localAddr: number, localPort: number, remoteAddr: number, remotePort: number): boolean {
    return this.#table.find(localAddr, localPort, remoteAddr, remotePort) === null;
  }

  /** A listener has closed: what it had not handed out is reset. */
  refusePending(listener: HostListener): void {
    const now = this.clock.now();
    for (const tcb of this.tcbs()) {
      if (tcb.user !== listener.halfOpen && tcb.user !== listener.complete) continue;
      letGo(tcb);
      abort(tcb, now);
    }
  }

  // The end of a batch.

  /**
   * Tells users, sends, sets timers: once for each connection that something happened to. All users
   * are told before anything is sent, since what they do to any connection may free the bytes that
   * a batch points to.
   */
  settle(now: number): void {
    while (this.#dirty.length > 0) {
      this.#tellUsers();
      const settling = this.#dirty;
      this.#dirty = this.#settling;
      this.#settling = settling;
      for (let i = 0; i < settling.length; i++) this.#settleOne(settling[i]!, now);
      settling.length = 0;
      this.interfaces.flush();
    }
  }

  /** Until nothing is left to tell: users may cause news for connections that had their turn. */
  #tellUsers(): void {
    const dirty = this.#dirty;
    for (let told = true; told; ) {
      told = false;
      for (let i = 0; i < dirty.length; i++) {
        if (dirty[i]!.events === 0) continue;
        told = true;
        try {
          this.#deliver(dirty[i]!);
        } catch (error) {
          this.onUserError(error);
        }
      }
    }
  }

  #settleOne(tcb: Tcb, now: number): void {
    tcb.dirty = false;
    output(tcb, now);
    this.memory.update(tcb);
    if (tcb.orphan?.counted && this.memory.tooManyOrphans) this.#abortOrphan(tcb, now);
    this.#hold(tcb);
    switch (tcb.state) {
      case State.CLOSED:
        this.#wheel.cancel(tcb.timer);
        this.#table.remove(tcb);
        this.#forgetPending(tcb);
        if (this.handover !== null) this.handover.ended(tcb, now);
        // It is no longer the host's: what its user still does with it has nothing to settle.
        tcb.dirty = true;
        break;
      case State.TIME_WAIT:
        this.#wheel.cancel(tcb.timer);
        tcb.dirty = true;
        this.#timeWaits.start(tcb, now);
        break;
      default:
        this.#schedule(tcb);
    }
  }

  #abortOrphan(tcb: Tcb, now: number): void {
    abort(tcb, now);
    this.memory.update(tcb);
    this.counters.tcpAbortOnMemory++;
  }

  #deliver(tcb: Tcb): void {
    if (tcb.user instanceof HostConnection) {
      tcb.user.deliver();
    } else if ((tcb.events & Event.ESTABLISHED) !== 0 && tcb.state !== State.CLOSED) {
      this.#accept(tcb);
    } else {
      tcb.events = 0;
    }
  }

  #accept(tcb: Tcb): void {
    const { listener } = tcb.user as PendingQueue;
    listener.complete.delete(tcb);
    const connection = new HostConnection(tcb, this.clock, SILENT_HANDLER);
    try {
      connection.handler = listener.accept(connection);
    } catch (error) {
      connection.abort();
      throw error;
    }
    connection.deliver();
  }

  #forgetPending(tcb: Tcb): void {
    if (tcb.user instanceof PendingQueue) tcb.user.delete(tcb);
  }

  /**
   * What the user wrote and then let go of is still delivered, so it keeps the process running, as a
   * kernel would keep the connection; but not for a peer that has stopped answering.
   */
  #hold(tcb: Tcb): void {
    const { orphan } = tcb;
    if (orphan === null) return;
    const wanted =
      (tcb.flight > 0 || tcb.sendBuffer.length > 0) &&
      tcb.state !== State.CLOSED &&
      tcb.retransmits < this.config.retransmitR1;
    if (wanted === orphan.held) return;
    orphan.held = wanted;
    if (wanted) this.holder.hold();
    else this.holder.release();
  }

  /** Lazy: a timer that moved to a later time is found out when the node fires. */
  #schedule(tcb: Tcb): void {
    const deadline = nextDeadline(tcb);
    if (deadline < tcb.timer.at) this.#wheel.schedule(tcb.timer, deadline);
  }

  // Time.

  /** When {@link runTimers} has something to do, in ms. */
  nextTimer(): number {
    return Math.min(this.#wheel.next(), this.#timeWaits.expires);
  }

  runTimers(now: number): void {
    this.#firedAt = now;
    this.#wheel.advance(now, this.#fire);
    this.#timeWaits.expire(now);
  }

  #timerFired(tcb: Tcb): void {
    if (nextDeadline(tcb) <= this.#firedAt) {
      timeout(tcb, this.#firedAt);
      this.markDirty(tcb);
    } else {
      this.#schedule(tcb);
    }
  }

  /** Every connection but those in TIME_WAIT. */
  *tcbs(): Generator<Tcb> {
    for (const entry of this.#table) if (entry instanceof Tcb) yield entry;
  }

  /** What is in TIME_WAIT, the one that ends first in front. */
  timeWaits(): Iterable<TimeWait> {
    return this.#timeWaits;
  }
}
