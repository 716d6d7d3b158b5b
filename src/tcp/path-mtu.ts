import { diff, gt, type Seq } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import { ownPathMtu } from './first-text.js';
import { forgetMtuProbe, optionBytes, setPathMss } from './mtu-probe.js';
import { retransmitAll } from './recovery.js';
import { PATH_MTU } from './retransmit-cause.js';
import { State } from './state.js';
import { Recovery, type Tcb } from './tcb.js';
import { armRetransmit } from './timers.js';

/**
 * A path MTU that has become smaller: told by ICMP (RFC 1191), with the checks of RFC 5927 §7, or
 * found out by silence (RFC 4821 §7.7). How it becomes larger again is in `mtu-probe.ts`.
 */

/** IPv4 and TCP header without options. */
const HEADER_BYTES = 40;
/** What is tried when even `baseMtu` does not get through: what every host takes (RFC 1122 §3.3.3), and
 * the last plateau but one (RFC 1191 §7.1). */
const LAST_RESORTS = [576, 296];
const MAX_RESENDS = 4;

/**
 * "Fragmentation needed", with an MTU for segments of up to `mss` octets. A size at which segments have
 * been acknowledged is not given up before a timer has found that this one is not (RFC 5927 §7.2).
 */
export function pathMtuShrank(tcb: Tcb, quoted: Segment, mss: number, now: number): boolean {
  if (!isOutstanding(tcb, quoted.seq)) return false;
  if (mss >= tcb.pathMss) return probeRefused(tcb, quoted.seq, mss);
  if (mss < tcb.mtu.ackedMss) {
    const mtu = ownPathMtu(tcb);
    mtu.deferredMss = mss;
    mtu.deferredSeq = quoted.seq;
    return true;
  }
  shrink(tcb, mss, now);
  return true;
}

/** A probe was too large, and the router says how much (RFC 4821 §7.4); its octets go out again. */
function probeRefused(tcb: Tcb, sequence: Seq, mss: number): boolean {
  if (tcb.mtu.probe === 0 || sequence !== tcb.mtu.probeSeq || mss >= tcb.mtu.probe) return false;
  tcb.mtu.high = mss;
  tcb.mtu.tryHigh = true;
  return true;
}

/** SND.UNA has moved: what an ICMP message said of octets that have arrived was not true. */
export function dropDeferred(tcb: Tcb): void {
  if (tcb.mtu.deferredMss > 0 && gt(tcb.sndUna, tcb.mtu.deferredSeq)) tcb.mtu.deferredMss = 0;
}

/** A timer has fired for what is outstanding: true when an MTU that ICMP has told is the reason. */
export function applyDeferred(tcb: Tcb, now: number): boolean {
  const mss = tcb.mtu.deferredMss;
  if (mss === 0) return false;
  tcb.mtu.deferredMss = 0;
  if (mss >= tcb.pathMss) return false;
  shrink(tcb, mss, now);
  return true;
}

function shrink(tcb: Tcb, mss: number, now: number): void {
  const { minPathMtu, mtuProbeInterval } = tcb.host.config;
  // Below that, routers may cut up what we send, as Linux lets them.
  if (mss < minPathMtu - HEADER_BYTES) tcb.mayFragment = true;
  const least = Math.min(tcb.pathMss, Math.max(mss, minPathMtu - HEADER_BYTES));
  const mtu = ownPathMtu(tcb);
  forgetMtuProbe(tcb, now);
  setPathMss(tcb, least, 'a router told the MTU of its next hop: RFC 1191 §6', now);
  mtu.high = least;
  mtu.ackedMss = Math.min(mtu.ackedMss, least);
  mtu.searchAt = now + mtuProbeInterval;
  tcb.host.pathMtuFound(tcb);
  if (tcb.recovery === Recovery.OPEN && mayResend(tcb)) {
    retransmitAll(tcb, PATH_MTU);
    armRetransmit(tcb, now);
  }
  tcb.host.markDirty(tcb);
}

/**
 * Routers that each carry less than the one before make the oldest segment go out again a few times;
 * more ICMP would only multiply what we send, and the timer does the rest.
 */
function mayResend(tcb: Tcb): boolean {
  if (tcb.sent.length === 0 || tcb.state < State.ESTABLISHED) return false;
  return tcb.sent.times(0) < MAX_RESENDS;
}

/**
 * The first outstanding segment has timed out R1 times and more: it may be too large for a path whose
 * routers do not say so. Without losing what a larger MTU would be worth if it was not: it is probed
 * for as soon as something gets through.
 */
export function suspectBlackHole(tcb: Tcb, now: number): void {
  const { mtuProbing, retransmitR1, baseMtu } = tcb.host.config;
  if (!mtuProbing || tcb.retransmits < retransmitR1 || tcb.sent.length === 0) return;
  const mss = nextSmaller(Math.min(tcb.pathMss, tcb.peerMss), baseMtu);
  // Small segments in a row are sent again as one.
  const size = Math.min(tcb.flight, tcb.sndMss) + optionBytes(tcb);
  if (mss === 0 || size <= mss) return;
  const mtu = ownPathMtu(tcb);
  setPathMss(tcb, mss, 'full segments vanish, perhaps for their size: RFC 4821 §7.7', now);
  mtu.ackedMss = Math.min(mtu.ackedMss, mss);
  mtu.tryHigh = true;
  mtu.searchAt = now;
}

/** Below `mss`; 0: there is none. */
function nextSmaller(mss: number, baseMtu: number): number {
  if (mss > baseMtu - HEADER_BYTES) return baseMtu - HEADER_BYTES;
  for (const mtu of LAST_RESORTS) if (mss > mtu - HEADER_BYTES) return mtu - HEADER_BYTES;
  return 0;
}

/** RFC 5927 §4, RFC792-3-c. */
export function isOutstanding(tcb: Tcb, sequence: Seq): boolean {
  const ahead = diff(sequence, tcb.sndUna);
  return ahead >= 0 && ahead < tcb.flight;
}
