import { add } from '../base/seq.js';
import {
  OPT_MSS,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  type Segment,
} from '../wire/segment.js';
import type { LossDetectionName } from './config.js';
import { takeSynFlags } from './ecn.js';
import { LossDetection, type Tcb } from './tcb.js';

/** RFC 9293 MUST-15: what is taken for granted without an MSS option. */
export const DEFAULT_PEER_MSS = 536;
/** Smaller offers are raised to this, as a defence against peers that make us send crumbs. */
const MIN_PEER_MSS = 48;
/** RFC 7323 §2.3: the largest shift. */
export const MAX_WINDOW_SHIFT = 14;
/** Bytes of a timestamps option with its padding. */
export const TIMESTAMPS_BYTES = 12;

/** The shift that lets 16 bits announce a window of `limit` bytes. */
export function windowShiftFor(limit: number): number {
  let shift = 0;
  while (shift < MAX_WINDOW_SHIFT && 65_535 << shift < limit) shift++;
  return shift;
}

/** Options, window and sequence number of the peer's SYN (RFC 9293 §3.7.1, RFC 7323, RFC 2018). */
export function takeSynOptions(tcb: Tcb, syn: Segment, now: number): void {
  const { config } = tcb.host;
  tcb.irs = syn.seq;
  tcb.rcvNxt = add(syn.seq, 1);
  tcb.lastAckSent = tcb.rcvNxt;
  const offered = (syn.options & OPT_MSS) !== 0 ? syn.mss : DEFAULT_PEER_MSS;
  tcb.peerMss = Math.max(MIN_PEER_MSS, offered);
  tcb.windowScaleOk = config.windowScale && (syn.options & OPT_WINDOW_SCALE) !== 0;
  tcb.sndWindowShift = tcb.windowScaleOk ? syn.windowScale : 0;
  if (!tcb.windowScaleOk) tcb.rcvWindowShift = 0;
  tcb.sackOk = config.sack && (syn.options & OPT_SACK_PERMITTED) !== 0;
  tcb.lossDetection = lossDetection(tcb.sackOk, config.lossDetection);
  // RFC7323-3.2-c, RFC7323-3.2-i: what a SYN echoes is not looked at.
  tcb.timestampsOk = config.timestamps && (syn.options & OPT_TIMESTAMPS) !== 0;
  if (tcb.timestampsOk) {
    tcb.tsRecent = syn.tsVal;
    tcb.tsRecentAt = now;
  }
  takeSynFlags(tcb, syn);
  updateSndMss(tcb);
  // The window of a SYN is never scaled.
  tcb.sndWnd = syn.wnd;
  tcb.maxSndWnd = Math.max(tcb.maxSndWnd, syn.wnd);
  tcb.cwnd = config.initialWindow * tcb.sndMss;
}

function lossDetection(sackOk: boolean, name: LossDetectionName): LossDetection {
  if (!sackOk || name === 'newreno') return LossDetection.NEWRENO;
  return name === 'sack' ? LossDetection.SACK : LossDetection.RACK;
}

/** Eff.snd.MSS of RFC 9293 §3.7.1: the smaller of both ends' limits, less our options. */
export function updateSndMss(tcb: Tcb): void {
  const options = tcb.timestampsOk ? TIMESTAMPS_BYTES : 0;
  tcb.sndMss = Math.min(tcb.peerMss, tcb.pathMss) - options;
}
