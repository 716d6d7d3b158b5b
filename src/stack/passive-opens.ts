import { segmentArrives } from '../tcp/segment-arrives.js';
import type { Tcb, TcpHost } from '../tcp/tcb.js';
import type { TimeWait } from '../tcp/time-wait.js';
import { Drop } from '../wire/drop-reason.js';
import type { Segment } from '../wire/segment.js';
import type { CookieGate } from './cookie-gate.js';
import type { Interface } from './interfaces.js';
import type { HostListener, Listeners, PendingQueue } from './listener.js';

/** What passive opens need of the host. */
export interface PassiveHost extends TcpHost {
  readonly listeners: Listeners;
  /** Connections but those in TIME_WAIT. */
  readonly openCount: number;
  /** Our MSS option by this interface. */
  rcvMss(by: Interface): number;
  /** A TCB in LISTEN for a segment to a listener; `old` is the incarnation that it replaces. */
  passiveOpen(
    listener: HostListener,
    segment: Segment,
    by: Interface,
    old: TimeWait | null,
    now: number,
  ): Tcb;
}

/**
 * What becomes of segments to a listener (RFC 9293 §3.10.7.2): a place in one of its queues, a SYN cookie,
 * or a drop that is counted.
 */
export class PassiveOpens {
  constructor(
    private readonly host: PassiveHost,
    private readonly cookies: CookieGate,
  ) {}

  /** A SYN; `old` is the incarnation in TIME_WAIT that it replaces. */
  arrivesSyn(
    listener: HostListener,
    syn: Segment,
    by: Interface,
    now: number,
    old: TimeWait | null,
  ): Drop {
    const { host } = this;
    if (listener.acceptQueueIsFull) return this.#acceptQueueOverflows(listener, syn, now);
    if (this.#isFull) return this.#refuse();
    const { synCookies } = host.config;
    const full = listener.synQueueIsFull;
    if (old === null && (full || synCookies === 'always')) {
      if (synCookies === 'never') return this.#synQueueOverflows(listener, syn, now);
      if (full) host.counters.tcpReqQFullDoCookies++;
      this.cookies.answer(listener, syn, host.rcvMss(by), now);
      return Drop.NONE;
    }
    return segmentArrives(host.passiveOpen(listener, syn, by, old, now), syn, now);
  }

  /** An ACK of no connection; null when it acknowledges no SYN cookie either. */
  arrivesAck(listener: HostListener, ack: Segment, by: Interface, now: number): Drop | null {
    if (!this.cookies.admits(listener, ack, now)) return null;
    if (listener.acceptQueueIsFull) return this.#acceptQueueOverflows(listener, ack, now);
    if (this.#isFull) return this.#refuse();
    const tcb = this.host.passiveOpen(listener, ack, by, null, now);
    this.cookies.open(tcb, now);
    return segmentArrives(tcb, ack, now);
  }

  /** Whether a segment of no connection acknowledges a SYN cookie. */
  expects(segment: Segment, now: number): boolean {
    const listener = this.host.listeners.find(segment.dstAddr, segment.dstPort);
    return listener !== null && this.cookies.expects(listener, segment, now);
  }

  /** {@link TcpHost.admit} */
  admit(tcb: Tcb, segment: Segment, now: number): boolean {
    const { listener } = tcb.user as PendingQueue;
    if (listener.acceptQueueIsFull) {
      this.#acceptQueueOverflows(listener, segment, now);
      return false;
    }
    listener.halfOpen.delete(tcb);
    listener.complete.add(tcb);
    return true;
  }

  /** Whether a SYN may take the place of what is in TIME_WAIT, for it gets no cookie. */
  hasRoomFor(syn: Segment): boolean {
    const listener = this.host.listeners.find(syn.dstAddr, syn.dstPort);
    if (listener === null || this.#isFull) return false;
    return !listener.synQueueIsFull && !listener.acceptQueueIsFull;
  }

  get #isFull(): boolean {
    return this.host.openCount >= this.host.config.maxConnections;
  }

  #refuse(): Drop {
    this.host.counters.tcpListenDrops++;
    return Drop.TCP_TOO_MANY_CONNECTIONS;
  }

  #synQueueOverflows(listener: HostListener, segment: Segment, now: number): Drop {
    const { counters, trace } = this.host;
    counters.tcpReqQFullDrop++;
    counters.tcpListenDrops++;
    if (trace !== null) {
      trace.listenerOverflow(segment, 'handshake', listener.backlog.halfOpen, now);
    }
    return Drop.TCP_BACKLOG_FULL;
  }

  #acceptQueueOverflows(listener: HostListener, segment: Segment, now: number): Drop {
    const { counters, trace } = this.host;
    counters.tcpListenOverflows++;
    counters.tcpListenDrops++;
    if (trace !== null) trace.listenerOverflow(segment, 'accept', listener.backlog.complete, now);
    return Drop.TCP_ACCEPT_QUEUE_FULL;
  }
}
