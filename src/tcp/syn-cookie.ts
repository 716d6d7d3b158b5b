import { add, diff, type Seq } from '../base/seq.js';
import { SipHash } from '../base/siphash.js';
import {
  ACK,
  CWR,
  ECE,
  emptySegment,
  OPT_MSS,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  type Segment,
  SYN,
} from '../wire/segment.js';
import { initialize } from './calls.js';
import type { TcpConfig } from './config.js';
import { ownAutotune } from './first-text.js';
import {
  DEFAULT_PEER_MSS,
  MAX_WINDOW_SHIFT,
  takeSynOptions,
  windowShiftFor,
} from './negotiation.js';
import { State, transition } from './state.js';
import type { Tcb } from './tcb.js';

/** A cookie has room for one of these: the largest that is not above what the peer has offered. */
const MSS_TABLE = [48, 256, 536, 1_200, 1_300, 1_440, 1_460, 8_960] as const;

/** The counter of time in a cookie; one of the current count or of the one before is good. ms. */
const COUNT_TIME = 64_000;
const COUNTS = 2;

/** No cookie is good for longer. ms. */
export const SYN_COOKIE_LIFETIME = COUNTS * COUNT_TIME;

/** What the low bits of a cookie's timestamp say: the peer's window scale, and what it can do. */
const OPTION_BITS = 0x3f;
const WINDOW_SCALE_BITS = 0x0f;
const NO_WINDOW_SCALE = 0x0f;
const SACK_BIT = 0x10;
const ECN_BIT = 0x20;

/**
 * SYN cookies (RFC 4987 §3.6, appendix A): an initial sequence number that holds what a half-open
 * connection would have to remember, so that it can be forgotten until the peer's ACK brings it back.
 * As on Linux it is
 *
 *     hash(sockets) + IRS + count << 24 + (hash(sockets, IRS, count) + MSS index) mod 2^24
 *
 * where `count` moves on every 64 s. Window scale, SACK-permitted and ECN are kept in the low six bits
 * of our timestamp, which the peer echoes; without timestamps they are not agreed on.
 */
export class SynCookies {
  #hash: SipHash | null = null;
  readonly #words = new Int32Array(5);
  readonly #newSecret: () => Uint8Array;

  /** `newSecret` gives 16 unpredictable bytes, once, when the first cookie is made. */
  constructor(newSecret: () => Uint8Array) {
    this.#newSecret = newSecret;
  }

  /** The initial sequence number that answers `syn`. */
  make(syn: Segment, now: number): Seq {
    const count = countAt(now);
    const offered = (syn.options & OPT_MSS) !== 0 ? syn.mss : DEFAULT_PEER_MSS;
    let index = MSS_TABLE.length - 1;
    while (index > 0 && MSS_TABLE[index]! > offered) index--;
    const low = (this.#countedHash(syn, syn.seq, count) + index) & 0xffffff;
    return add(add(syn.seq, this.#socketsHash(syn)), (count << 24) | low | 0);
  }

  /** The peer's MSS if `ack` acknowledges a cookie of ours, as the third segment of a handshake; else 0. */
  check(ack: Segment, now: number): number {
    const irs = add(ack.seq, -1);
    const rest = diff(add(ack.ack, -1), add(irs, this.#socketsHash(ack)));
    const count = countAt(now);
    const age = (count - (rest >>> 24)) & 0xff;
    if (age >= COUNTS) return 0;
    const index = (rest - this.#countedHash(ack, irs, count - age)) & 0xffffff;
    return MSS_TABLE[index] ?? 0;
  }

  #socketsHash(segment: Segment): number {
    return this.#hashOf(segment, 3);
  }

  #countedHash(segment: Segment, irs: Seq, count: number): number {
    this.#words[3] = irs;
    this.#words[4] = count;
    return this.#hashOf(segment, 5);
  }

  #hashOf(segment: Segment, count: number): number {
    this.#hash ??= new SipHash(this.#newSecret());
    const words = this.#words;
    words[0] = segment.srcAddr;
    words[1] = segment.dstAddr;
    words[2] = (segment.srcPort << 16) | segment.dstPort;
    return this.#hash.hash(words, count);
  }
}

function countAt(now: number): number {
  return Math.floor(now / COUNT_TIME) | 0;
}

/** `<SEQ=cookie><ACK=SEG.SEQ+1><CTL=SYN,ACK>` in answer to `syn`, with our own MSS `rcvMss`. */
export function writeSynCookie(
  answer: Segment,
  syn: Segment,
  cookie: Seq,
  rcvMss: number,
  tsOffset: number,
  config: TcpConfig,
  now: number,
): void {
  const agreed = optionsOf(syn, config);
  answer.srcAddr = syn.dstAddr;
  answer.dstAddr = syn.srcAddr;
  answer.srcPort = syn.dstPort;
  answer.dstPort = syn.srcPort;
  answer.seq = cookie;
  answer.ack = add(syn.seq, 1);
  answer.flags = SYN | ACK;
  answer.ttl = config.ttl;
  answer.tos = 0;
  answer.wnd = Math.min(65_535, config.receiveBuffer);
  emptySegment(answer);
  answer.options = OPT_MSS;
  answer.mss = rcvMss;
  if (agreed < 0) return;
  answer.options |= OPT_TIMESTAMPS;
  answer.tsVal = (stamp(agreed, now) + tsOffset) | 0;
  answer.tsEcr = syn.tsVal;
  if ((agreed & SACK_BIT) !== 0) answer.options |= OPT_SACK_PERMITTED;
  if ((agreed & ECN_BIT) !== 0) answer.flags |= ECE;
  if ((agreed & WINDOW_SCALE_BITS) === NO_WINDOW_SCALE) return;
  answer.options |= OPT_WINDOW_SCALE;
  answer.windowScale = windowShiftFor(config.receiveBufferMax);
}

/** What both ends can do, as the bits of a timestamp; -1 without timestamps. */
function optionsOf(syn: Segment, config: TcpConfig): number {
  if (!config.timestamps || (syn.options & OPT_TIMESTAMPS) === 0) return -1;
  const scales = config.windowScale && (syn.options & OPT_WINDOW_SCALE) !== 0;
  let bits = scales ? syn.windowScale : NO_WINDOW_SCALE;
  if (config.sack && (syn.options & OPT_SACK_PERMITTED) !== 0) bits |= SACK_BIT;
  const asksForEcn = (syn.flags & (ECE | CWR)) === (ECE | CWR);
  if (asksForEcn && config.ecn !== 'off') bits |= ECN_BIT;
  return bits;
}

/** The latest time, in ms, that is not in the future and has these low bits. */
function stamp(bits: number, now: number): number {
  const clock = Math.floor(now);
  const time = clock - (clock & OPTION_BITS) + bits;
  return time > clock ? time - (OPTION_BITS + 1) : time;
}

/**
 * Fills `syn` with what the SYN must have said to which the cookie was the answer that `ack`
 * acknowledges; false when it echoes a timestamp that was none of a cookie's.
 */
export function restoreSyn(
  syn: Segment,
  ack: Segment,
  mss: number,
  tsOffset: number,
  config: TcpConfig,
  now: number,
): boolean {
  syn.seq = add(ack.seq, -1);
  syn.wnd = ack.wnd;
  syn.flags = SYN;
  syn.options = OPT_MSS;
  syn.mss = mss;
  if (!config.timestamps || (ack.options & OPT_TIMESTAMPS) === 0) return true;
  const echoed = (ack.tsEcr - tsOffset) | 0;
  const age = (Math.floor(now) - echoed) | 0;
  if (age < 0 || age > SYN_COOKIE_LIFETIME + OPTION_BITS) return false;
  syn.options |= OPT_TIMESTAMPS;
  syn.tsVal = ack.tsVal;
  syn.tsEcr = ack.tsEcr;
  if ((echoed & SACK_BIT) !== 0) syn.options |= OPT_SACK_PERMITTED;
  if ((echoed & ECN_BIT) !== 0) syn.flags |= ECE | CWR;
  const windowScale = echoed & WINDOW_SCALE_BITS;
  if (windowScale <= MAX_WINDOW_SHIFT) {
    syn.options |= OPT_WINDOW_SCALE;
    syn.windowScale = windowScale;
  }
  return true;
}

/** LISTEN to SYN_RECEIVED by a restored SYN: all is as if its SYN,ACK had been sent from this TCB. */
export function reopenFromCookie(
  tcb: Tcb,
  syn: Segment,
  cookie: Seq,
  tsOffset: number,
  now: number,
): void {
  initialize(tcb, cookie, tsOffset, now);
  takeSynOptions(tcb, syn, now);
  tcb.sndNxt = add(cookie, 1);
  tcb.rcvAdv = add(tcb.rcvNxt, Math.min(65_535, tcb.rcvBufferLimit));
  // When it went out nobody knows, nor how much of the echo is time: neither is a sample.
  ownAutotune(tcb).echo = syn.tsEcr;
  tcb.waitingSince = now;
  transition(tcb, State.SYN_RECEIVED, 'ACK of a SYN cookie: RFC 4987 §3.6', now);
}
