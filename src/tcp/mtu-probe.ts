import { diff, type Seq } from '../base/seq.js';
import { TIMESTAMPS_BYTES, updateSndMss } from './negotiation.js';
import { allowance, unsent } from './sender.js';
import { Recovery, type Tcb } from './tcb.js';

/**
 * The search for a larger path MTU (RFC 4821 §7, RFC 8899): one segment of the size in question goes
 * out between others, and what becomes of it tells. Sizes are those of {@link Tcb.pathMss}, the MTU less
 * the headers without options. `pathMss` is search_low, `mtu.high` is search_high of RFC 4821 §7.3.
 */

/** Bytes that are not worth another probe; as on Linux. */
const SEARCH_END = 8;
/** Segments that follow a probe, so that its loss shows in what the peer says of them. */
const FOLLOWERS = 3;
/** A probe that was lost is followed by another after so many round trips at least, and ms. */
const PAUSE_ROUND_TRIPS = 4;
const PAUSE_MIN = 20;

/** What both ends and our link would allow. */
function mtuCeiling(tcb: Tcb): number {
  return Math.min(tcb.rcvMss, tcb.peerMss);
}

function searchHigh(tcb: Tcb): number {
  return Math.min(tcb.mtu.high, mtuCeiling(tcb));
}

/** From now on segments are of up to `mss` octets. */
export function setPathMss(tcb: Tcb, mss: number, why: string, now: number): void {
  const before = tcb.pathMss;
  if (mss === before) return;
  tcb.pathMss = mss;
  updateSndMss(tcb);
  const { trace } = tcb.host;
  if (trace !== null) trace.pathMtu(tcb, before, why, now);
}

/**
 * The text of the probe that is to go out now; 0: none; -1: one is due as soon as the congestion
 * window has let so much go, for which new data waits.
 */
export function mtuProbeDue(tcb: Tcb, now: number): number {
  if (now < tcb.mtu.searchAt || tcb.mtu.probe !== 0 || !beginSearch(tcb, now)) return 0;
  if (tcb.recovery !== Recovery.OPEN || tcb.retransmits > 0) return 0;
  if (tcb.sent.sacked > 0 || tcb.sent.lost > 0) return 0;
  const size = probeSize(tcb) - optionBytes(tcb);
  const needed = size + FOLLOWERS * tcb.sndMss;
  if (unsent(tcb) < needed || Math.min(tcb.cwnd, tcb.sndWnd) < needed + tcb.sndMss) return 0;
  if (tcb.sndWnd - tcb.flight < needed) return 0;
  return allowance(tcb) >= size ? size : -1;
}

/** There is something to search for, or there is again: RFC 1191 §6.3, RFC 8899 §5.1.1. */
function beginSearch(tcb: Tcb, now: number): boolean {
  if (searchHigh(tcb) - tcb.pathMss >= SEARCH_END) return true;
  const ceiling = mtuCeiling(tcb);
  if (ceiling - tcb.pathMss < SEARCH_END) {
    tcb.mtu.searchAt = Infinity;
    return false;
  }
  tcb.mtu.high = ceiling;
  tcb.mtu.tryHigh = true;
  if (tcb.host.config.mtuProbing) return true;
  tcb.mtu.searchAt = Infinity;
  setPathMss(tcb, ceiling, 'the path may carry more by now: RFC 1191 §6.3', now);
  return false;
}

/** The largest first, since most often the path is as it was; then by halves (RFC 4821 §7.3). */
function probeSize(tcb: Tcb): number {
  const high = searchHigh(tcb);
  return tcb.mtu.tryHigh ? high : (tcb.pathMss + high + 1) >> 1;
}

export function noteMtuProbe(tcb: Tcb, start: Seq): void {
  tcb.mtu.probe = probeSize(tcb);
  tcb.mtu.probeSeq = start;
}

/** Octets have been acknowledged: if those of the probe are, the path carries its size. */
export function checkMtuProbe(tcb: Tcb, now: number): void {
  const size = tcb.mtu.probe;
  if (size === 0 || diff(tcb.sndUna, tcb.mtu.probeSeq) < size - optionBytes(tcb)) return;
  tcb.mtu.probe = 0;
  tcb.mtu.tryHigh = false;
  tcb.host.counters.tcpMtupSuccess++;
  setPathMss(tcb, size, 'a probe of that size has arrived: RFC 4821 §7.6.1', now);
  tcb.mtu.ackedMss = Math.max(tcb.mtu.ackedMss, size);
  endSearch(tcb, now);
}

/**
 * Something is lost outside of recovery: true when it is the probe alone, which says nothing of
 * congestion (RFC 4821 §7.6.2). With others lost as well it tells nothing (§7.6.4).
 */
export function mtuProbeLost(tcb: Tcb, octets: number, now: number): boolean {
  const size = tcb.mtu.probe;
  if (size === 0) return false;
  forgetMtuProbe(tcb, now);
  if (tcb.sndUna !== tcb.mtu.probeSeq || octets > size - optionBytes(tcb)) return false;
  // Unless a router has already told a smaller one.
  if (tcb.mtu.high >= size) {
    tcb.mtu.tryHigh = false;
    tcb.mtu.high = size - 1;
  }
  tcb.host.counters.tcpMtupFail++;
  endSearch(tcb, now);
  return true;
}

/** The outstanding probe will tell nothing; the next one waits a little. */
export function forgetMtuProbe(tcb: Tcb, now: number): void {
  if (tcb.mtu.probe === 0) return;
  tcb.mtu.probe = 0;
  tcb.mtu.searchAt = now + Math.max(PAUSE_ROUND_TRIPS * tcb.srtt, PAUSE_MIN);
}

function endSearch(tcb: Tcb, now: number): void {
  if (searchHigh(tcb) - tcb.pathMss >= SEARCH_END) return;
  const found = tcb.pathMss < mtuCeiling(tcb);
  tcb.mtu.searchAt = found ? now + tcb.host.config.mtuProbeInterval : Infinity;
  tcb.host.pathMtuFound(tcb);
}

export function optionBytes(tcb: Tcb): number {
  return tcb.timestampsOk ? TIMESTAMPS_BYTES : 0;
}
