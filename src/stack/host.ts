import type { RxBatch } from '../base/batch.js';
import { Counters } from '../base/counters.js';
import type { Link, LinkReceiver } from '../link/link.js';
import type { Alarm, Holder, Runtime } from '../runtime/runtime.js';
import { abort, release } from '../tcp/calls.js';
import { type TcpConfig, tcpConfig } from '../tcp/config.js';
import type { Tcb } from '../tcp/tcb.js';
import type { Trace } from '../tcp/trace.js';
import { DROP_REASONS } from '../wire/drop-reason.js';
import { isLoopback, parseAddress, parseCidr } from '../wire/ipv4.js';
import type {
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Listener,
  ListenOptions,
  SocketInfo,
  Transport,
} from './connection.js';
import { checkPort, transportError } from './errors.js';
import { type FragmentLimits, Fragments, fragmentLimits } from './fragments.js';
import { Handover } from './handover.js';
import { IcmpService } from './icmp-service.js';
import { Identity } from './identity.js';
import { type Interface, Interfaces, isGroup } from './interfaces.js';
import { IpInput } from './ip-input.js';
import { IpOutput } from './ip-output.js';
import { type Accept, type Backlog, HostListener } from './listener.js';
import { formatMetrics } from './metrics.js';
import { PacketIds } from './packet-ids.js';
import { randomWords } from './random-words.js';
import type { Shard } from './shard.js';
import { connectionInfo, listenerInfo, timeWaitInfo } from './socket-info.js';
import { TcpService } from './tcp-service.js';
import { joinTraces } from './traces.js';

export interface HostOptions {
  runtime: Runtime;
  /** Carries 127.0.0.0/8 and what the host sends to its own addresses; none: neither works. */
  loopback?: Link;
  /** The link to others; more with {@link Host.addLink}. */
  link?: Link;
  /** Our address or addresses on {@link link}, as `10.7.0.2/24`. */
  address?: string | readonly string[];
  /** Take every datagram that arrives, whatever its destination, as addressed to us. */
  acceptAny?: boolean;
  tcp?: Partial<TcpConfig>;
  /**
   * Set for one of several hosts that share {@link address}, each with the packets of some connections on
   * its {@link link}. What is no connection of its own is handed over to the others.
   */
  shard?: Shard;
  /** Bounds of IPv4 reassembly. */
  fragments?: Partial<FragmentLimits>;
  /** Hears everything that TCP does, like those that {@link Host.addTrace} adds. */
  trace?: Trace | null;
  /**
   * Asked before each batch, timer and connect for one more trace, or null while nobody wants it;
   * for listeners of which the host is not told.
   */
  diagnostics?: () => Trace | null;
}

/** What {@link Identity.key} gives keys for. */
const PACKET_IDS = 1;
const ICMP_LIMIT = 2;
const LOOPBACK_ADDRESS = { address: 0x7f000001, prefix: 8 };

/** An alarm that is so much late (ms) tells that the process was stopped, and not only busy. */
const STOPPED = 1_000;

const noneWait = (): number => 0;

/** One host: links with addresses below, TCP connections above, and the loop that joins them. */
export class Host implements Transport {
  readonly counters = new Counters(DROP_REASONS);
  readonly runtime: Runtime;
  readonly config: Readonly<TcpConfig>;
  readonly #interfaces: Interfaces;
  readonly #tcp: TcpService;
  readonly #identity: Identity;
  readonly #fragments: Fragments;
  readonly #input: IpInput;
  readonly #handover: Handover | null;
  readonly #holder: Holder;
  readonly #alarm: Alarm;
  readonly #settleLater = (): void => this.#settle();
  readonly #traces: Trace[] = [];
  readonly #diagnostics: (() => Trace | null) | null;
  /** What the diagnostics gave when last asked. */
  #asked: Trace | null = null;
  #alarmAt = Infinity;
  #holds = 0;
  /** Within a batch, a timer or a settling: what is dirty is seen to at its end. */
  #busy = false;
  #deferred = false;
  /** No new work is taken; what {@link close} has reset goes out yet. */
  #closing = false;
  #closed = false;

  /** @throws TypeError or RangeError with `code` for options that make no sense */
  constructor(options: HostOptions) {
    const { runtime } = options;
    this.runtime = runtime;
    this.config = tcpConfig(options.tcp);
    const { shard } = options;
    this.#interfaces = new Interfaces(options.acceptAny ?? false, this.counters);
    this.#identity = new Identity(shard?.secret ?? runtime.random(32), shard?.clockOffset);
    this.#fragments = new Fragments(fragmentLimits(options.fragments), this.counters);
    // Shards with one key would number their packets alike.
    const ids = shard === undefined ? this.#identity.key(PACKET_IDS) : runtime.random(16);
    const output = new IpOutput(this.counters, new PacketIds(ids));
    this.#tcp = new TcpService(
      this.config,
      this.counters,
      runtime,
      this.#interfaces,
      output,
      this.#identity,
      randomWords(runtime, 4),
      () => runtime.random(16),
      this,
      () => this.#onDirty(),
      (error) =>
        runtime.defer(() => {
          throw error;
        }),
    );
    this.#diagnostics = options.diagnostics ?? null;
    if (options.trace) this.addTrace(options.trace);
    const icmp = new IcmpService(this.counters, output, this.#tcp, this.#identity.key(ICMP_LIMIT));
    this.#input = new IpInput(this.#interfaces, this.counters, this.#fragments, this.#tcp, icmp);
    this.#handover = shard === undefined ? null : new Handover(shard, this.counters);
    this.#tcp.handover = this.#input.handover = this.#handover;
    this.#holder = runtime.holder();
    this.#alarm = runtime.alarm(() => this.#ring());
    if (options.loopback !== undefined) {
      this.#open(this.#interfaces.add(options.loopback, [LOOPBACK_ADDRESS], true));
    }
    if (options.link !== undefined) {
      const by = this.#addLink(options.link, options.address ?? []);
      if (this.#handover !== null) this.#takeOver(this.#handover, by);
    }
  }

  /** From now on `trace` hears everything that TCP does, after those that were added before. */
  addTrace(trace: Trace): void {
    this.#traces.push(trace);
    this.#joinTraces();
  }

  /** Undoes {@link addTrace}; without effect for a trace that was not added. */
  removeTrace(trace: Trace): void {
    const at = this.#traces.indexOf(trace);
    if (at >= 0) this.#traces.splice(at, 1);
    this.#joinTraces();
  }

  #joinTraces(): void {
    this.#tcp.trace = joinTraces(
      this.#asked === null ? this.#traces : [...this.#traces, this.#asked],
    );
  }

  /** Takes up or lets go of the trace that {@link HostOptions.diagnostics} gives. */
  #askDiagnostics(): void {
    if (this.#diagnostics === null) return;
    const trace = this.#diagnostics();
    if (trace === this.#asked) return;
    this.#asked = trace;
    this.#joinTraces();
  }

  /**
   * Brings up another link with our addresses on it, each as `10.7.0.2/24`.
   * @throws TypeError (ERR_INVALID_ADDRESS)
   */
  addLink(link: Link, address: string | readonly string[]): void {
    this.#addLink(link, address);
  }

  #addLink(link: Link, address: string | readonly string[]): Interface {
    const addresses = (typeof address === 'string' ? [address] : address).map((text) => {
      const cidr = parseCidr(text);
      if (cidr === null || isGroup(cidr.address) || isLoopback(cidr.address)) {
        throw Object.assign(
          new TypeError(`The "address" option must be like '10.7.0.2/24'. Received '${text}'`),
          { code: 'ERR_INVALID_ADDRESS' },
        );
      }
      return cidr;
    });
    const added = this.#interfaces.add(link, addresses, false);
    this.#open(added);
    return added;
  }

  /** From now on packets that arrive by `by` go to other shards and come from them. */
  #takeOver(handover: Handover, by: Interface): void {
    handover.by = by;
    handover.shard.open((batch, asked) => {
      this.counters.shardInPackets += batch.count;
      handover.asked = asked;
      try {
        this.#receive(batch, by);
      } finally {
        handover.asked = 0;
      }
    });
  }

  /** Connections that exist, in TIME_WAIT or not. */
  get connectionCount(): number {
    return this.#tcp.size;
  }

  get timeWaitCount(): number {
    return this.#tcp.timeWaitCount;
  }

  // Transport, what the socket layer stands on.

  /** For one local address, or for all (RFC 9293 §3.9.1.1, MUST-43). */
  listen(options: ListenOptions, accept: Accept): Listener {
    const { address = '0.0.0.0', port } = options;
    checkPort('port', port);
    const localAddr = parseAddress(address);
    const isOurs = localAddr === 0 || (localAddr !== null && this.#interfaces.isLocal(localAddr));
    if (localAddr === null || !isOurs || this.#closing) {
      throw transportError('EADDRNOTAVAIL', 'listen', address, port);
    }
    const { listeners } = this.#tcp;
    const chosen = port === 0 ? this.#listenPort(localAddr) : port;
    if (chosen === null || listeners.conflicts(localAddr, chosen)) {
      throw transportError('EADDRINUSE', 'listen', address, port);
    }
    const listener = new HostListener(
      listeners,
      localAddr,
      chosen,
      this.#backlog(options.backlog),
      accept,
      options.waiting ?? noneWait,
      (closed) => this.#stopListening(closed),
    );
    listeners.add(listener);
    this.#handover?.shard.setListening(chosen, true);
    return listener;
  }

  #stopListening(listener: HostListener): void {
    const { port } = listener;
    if (!this.#tcp.listeners.conflicts(0, port)) this.#handover?.shard.setListening(port, false);
    this.#tcp.refusePending(listener);
  }

  #backlog(asked: number | undefined): Backlog {
    const { backlog, maxBacklog, maxSynBacklog } = this.config;
    const complete = Math.min(asked ?? backlog, maxBacklog);
    return { halfOpen: Math.min(complete, maxSynBacklog), complete };
  }

  #listenPort(localAddr: number): number | null {
    return this.#identity.ephemeralPort(
      localAddr,
      0,
      0,
      (port) => this.#mayTake(port) && !this.#tcp.listeners.conflicts(localAddr, port),
    );
  }

  connect(options: ConnectOptions, handler: ConnectionHandler): Connection {
    const { remoteAddress, remotePort } = options;
    checkPort('remotePort', remotePort);
    checkPort('localPort', options.localPort ?? 0);
    const parsed = parseAddress(remoteAddress);
    // As on Linux, a connection to 0.0.0.0 is one to ourselves.
    const remote = parsed === 0 ? LOOPBACK_ADDRESS.address : parsed;
    // MUST-46: an address that cannot be one host's is refused.
    const reachable = remote !== null && !this.#interfaces.isGroup(remote) && !this.#closing;
    const by = reachable ? this.#interfaces.route(remote) : null;
    if (remote === null || by === null) {
      throw transportError('ENETUNREACH', 'connect', remoteAddress, remotePort);
    }
    const local = this.#localAddress(options, by, remote);
    const isFree = (port: number): boolean =>
      this.#mayTake(port) &&
      this.#tcp.isFree(local, port, remote, remotePort) &&
      this.#tcp.listeners.find(local, port) === null;
    const port = options.localPort
      ? options.localPort
      : this.#identity.ephemeralPort(local, remote, remotePort, isFree);
    if (port === null) {
      throw transportError('EADDRNOTAVAIL', 'connect', remoteAddress, remotePort);
    }
    if (!this.#tcp.isFree(local, port, remote, remotePort)) {
      throw transportError('EADDRINUSE', 'connect', remoteAddress, remotePort);
    }
    this.#askDiagnostics();
    return this.#tcp.connect(local, port, remote, remotePort, by, handler);
  }

  /** Whether an ephemeral port is this shard's to give out. */
  #mayTake(port: number): boolean {
    return this.#handover === null || this.#handover.mayTake(port);
  }

  bindError(address: string, port: number): 'EADDRNOTAVAIL' | 'EADDRINUSE' | null {
    const local = parseAddress(address);
    const isOurs = local === 0 || (local !== null && this.#interfaces.isLocal(local));
    if (local === null || !isOurs) return 'EADDRNOTAVAIL';
    return port !== 0 && this.#tcp.listeners.conflicts(local, port) ? 'EADDRINUSE' : null;
  }

  /** The address that the user asks for, or the one that leads there (MUST-43, MUST-44). */
  #localAddress(options: ConnectOptions, by: Interface, remote: number): number {
    const { localAddress } = options;
    if (localAddress !== undefined && localAddress !== '0.0.0.0') {
      const chosen = parseAddress(localAddress);
      if (chosen !== null && this.#interfaces.isLocal(chosen)) return chosen;
      throw transportError('EADDRNOTAVAIL', 'bind', localAddress, options.localPort ?? 0);
    }
    const source = this.#interfaces.sourceFor(by, remote);
    if (source === null) {
      throw transportError('ENETUNREACH', 'connect', options.remoteAddress, options.remotePort);
    }
    return source;
  }

  hold(): void {
    if (this.#holds++ === 0) this.#holder.hold();
  }

  release(): void {
    if (--this.#holds === 0) this.#holder.release();
  }

  // The loop.

  #open(by: Interface): void {
    const receiver: LinkReceiver = {
      receive: (batch) => this.#receive(batch, by),
      writable: () => this.#tcp.resumeInterface(by),
      // Later, because a link may find out while it sends.
      closed: () => this.runtime.defer(() => this.#loseInterface(by)),
    };
    by.link.open(receiver);
  }

  #loseInterface(by: Interface): void {
    if (this.#closed) return;
    by.isUp = false;
    by.countDiscards();
    this.#tcp.loseInterface(by);
  }

  #receive(batch: RxBatch, by: Interface): void {
    if (this.#closed) return;
    this.#askDiagnostics();
    const now = this.runtime.now();
    if (now - this.#alarmAt > STOPPED) this.#tcp.wokeAt = now;
    const outer = this.#busy;
    this.#busy = true;
    this.#tcp.memory.ownUnread();
    try {
      this.#input.receive(batch, by, now);
      if (this.#handover !== null) this.#handover.shard.flush();
      if (batch.onJudged !== null) batch.onJudged();
    } finally {
      this.#busy = outer;
    }
    if (!outer) this.#settle();
  }

  #onDirty(): void {
    if (this.#busy || this.#deferred) return;
    // A user's call: what else this turn of JavaScript does goes out with it.
    this.#deferred = true;
    this.runtime.defer(this.#settleLater);
  }

  #settle(): void {
    this.#deferred = false;
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    try {
      this.#tcp.settle(this.runtime.now());
    } finally {
      this.#busy = false;
      this.#interfaces.flush();
      if (this.#closing) this.#finishClose();
      else this.#setAlarm();
    }
  }

  #setAlarm(): void {
    const next = Math.min(this.#tcp.nextTimer(), this.#fragments.next());
    if (next >= this.#alarmAt) return;
    this.#alarmAt = next;
    this.#alarm.set(next);
  }

  #ring(): void {
    if (this.#closed) return;
    this.#askDiagnostics();
    const now = this.runtime.now();
    if (now - this.#alarmAt > STOPPED) this.#tcp.wokeAt = now;
    this.#alarmAt = Infinity;
    this.#busy = true;
    this.#fragments.expire(now);
    this.#tcp.runTimers(now);
    this.#busy = false;
    // A probe may point into a send buffer, which is its user's again once users are told.
    this.#interfaces.flush();
    this.#settle();
  }

  /** Every connection but those in TIME_WAIT. */
  tcbs(): Iterable<Tcb> {
    return this.#tcp.tcbs();
  }

  /**
   * A snapshot of every socket: listeners, connections in whatever state, and what is left of those
   * in TIME_WAIT. One after the other is made as it is asked for; a host with many is best read in
   * one turn of JavaScript.
   */
  *connections(): Generator<SocketInfo> {
    const now = this.runtime.now();
    for (const listener of this.#tcp.listeners.all()) yield listenerInfo(listener);
    for (const tcb of this.#tcp.tcbs()) yield connectionInfo(tcb, now);
    for (const record of this.#tcp.timeWaits()) yield timeWaitInfo(record, now);
  }

  /** Counters and gauges in Prometheus' text format. */
  metrics(): string {
    const listeners = this.#tcp.listeners.all().length;
    return formatMetrics(this.counters.snapshot(), {
      listeners,
      tcbs: this.#tcp.tcbs(),
      timeWaits: this.timeWaitCount,
      orphans: this.#tcp.memory.orphans,
      memory: this.#tcp.memory.bytes,
    });
  }

  /**
   * Resets what is open, closes the links and forgets everything. For an orderly end let the
   * sockets close first. From within a handler it takes effect at the end of the batch. Idempotent.
   */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    const now = this.runtime.now();
    for (const listener of this.#tcp.listeners.all()) listener.close();
    for (const tcb of this.#tcp.tcbs()) abort(tcb, now);
    this.#settle();
  }

  /**
   * Ends every connection as a kernel does when their process has exited, and sends what says so, all
   * before this returns: FIN, or RST where something was not read or what was written cannot be sent
   * yet. For use as the last thing in a process, even from within a handler; the host is of no use
   * after it.
   */
  leave(): void {
    if (this.#closing) return;
    this.#busy = false;
    const now = this.runtime.now();
    for (const listener of this.#tcp.listeners.all()) listener.close();
    for (const tcb of this.#tcp.tcbs()) release(tcb, now);
    this.#settle();
    for (const tcb of this.#tcp.tcbs()) if (tcb.sendBuffer.length > tcb.flight) abort(tcb, now);
    this.#settle();
    // What others would give us now, nobody would see.
    this.#handover?.shard.close();
  }

  #finishClose(): void {
    this.#closed = true;
    this.#alarm.clear();
    if (this.#holds > 0) this.#holder.release();
    this.#handover?.shard.close();
    for (const each of this.#interfaces.all) each.link.close();
  }
}
