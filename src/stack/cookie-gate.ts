import { add, type Seq, seq } from '../base/seq.js';
import {
  reopenFromCookie,
  restoreSyn,
  SYN_COOKIE_LIFETIME,
  SynCookies,
  writeSynCookie,
} from '../tcp/syn-cookie.js';
import type { Tcb, TcpHost } from '../tcp/tcb.js';
import { ACK, RST, Segment, SYN } from '../wire/segment.js';
import type { FourTuple } from './connection-table.js';
import type { Identity } from './identity.js';
import type { HostListener } from './listener.js';

/** Answers SYNs that a listener has no room for, and knows the ACKs of these answers again. */
export class CookieGate {
  readonly #cookies: SynCookies;
  /** The SYN as a cookie and a timestamp have kept it. */
  readonly #syn = new Segment();
  #cookie: Seq = seq(0);
  #tsOffset = 0;

  /** `newSecret` gives 16 unpredictable bytes. */
  constructor(
    private readonly host: TcpHost,
    private readonly identity: Identity,
    newSecret: () => Uint8Array,
  ) {
    this.#cookies = new SynCookies(newSecret);
  }

  /** Sends a SYN,ACK with a cookie; `rcvMss` is our MSS option. */
  answer(listener: HostListener, syn: Segment, rcvMss: number, now: number): void {
    const { host } = this;
    const { config, counters, segmentOut, trace } = host;
    const cookie = this.#cookies.make(syn, now);
    const tsOffset = this.identity.timestampOffset(tupleOf(syn));
    writeSynCookie(segmentOut, syn, cookie, rcvMss, tsOffset, config, now);
    listener.cookiesUntil = now + SYN_COOKIE_LIFETIME;
    counters.tcpSyncookiesSent++;
    counters.tcpOutSegs++;
    if (trace !== null) trace.synCookie(syn, 'sent', now);
    host.transmit(segmentOut, null, now);
  }

  /** Whether an ACK for no connection looks like one of a cookie, before anything is counted. */
  expects(listener: HostListener, ack: Segment, now: number): boolean {
    if (now > listener.cookiesUntil || (ack.flags & (SYN | ACK | RST)) !== ACK) return false;
    return this.#cookies.check(ack, now) > 0;
  }

  /**
   * Whether an ACK for no connection acknowledges a cookie; if so {@link open} can follow. Asks nothing
   * while the listener has sent none of late.
   */
  admits(listener: HostListener, ack: Segment, now: number): boolean {
    if (now > listener.cookiesUntil || (ack.flags & (SYN | RST)) !== 0) return false;
    const { config, counters, trace } = this.host;
    const mss = this.#cookies.check(ack, now);
    this.#tsOffset = mss === 0 ? 0 : this.identity.timestampOffset(tupleOf(ack));
    const good = mss > 0 && restoreSyn(this.#syn, ack, mss, this.#tsOffset, config, now);
    if (good) counters.tcpSyncookiesRecv++;
    else counters.tcpSyncookiesFailed++;
    if (trace !== null) trace.synCookie(ack, good ? 'accepted' : 'refused', now);
    this.#cookie = add(ack.ack, -1);
    return good;
  }

  /** Brings a new TCB to SYN_RECEIVED, from which the ACK that was admitted takes it on. */
  open(tcb: Tcb, now: number): void {
    reopenFromCookie(tcb, this.#syn, this.#cookie, this.#tsOffset, now);
  }
}

/** The sockets of a segment that arrived, ours first. */
function tupleOf(segment: Segment): FourTuple {
  const { dstAddr, dstPort, srcAddr, srcPort } = segment;
  return { localAddr: dstAddr, localPort: dstPort, remoteAddr: srcAddr, remotePort: srcPort };
}
