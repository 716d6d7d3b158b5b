import { geq, gt, leq, lt, type Seq } from '../base/seq.js';
import { OPT_TIMESTAMPS, type Segment } from '../wire/segment.js';
import { noteLost } from './congestion-window.js';
import type { RateSample } from './delivery-rate.js';
import { Sent } from './sent-segments.js';
import { Recovery, type Tcb } from './tcb.js';
import { timestamp } from './timestamp.js';

/**
 * RACK: loss told by time (RFC 8985 §6). What was sent a reordering window before something that has
 * arrived is lost. Variables have the names of §5.3: `rack.sentAt` is RACK.xmit_ts, `rack.end` is
 * RACK.end_seq, and so on.
 */

export const DUP_THRESHOLD = 3;
/** §6.2 step 4: so many recoveries keep a reordering window that D-SACK has made larger. */
const REO_WND_PERSIST = 16;

/** What is shorter is a rounding error of times with fractions, and no time to wait. ms. */
const TIMER_STEP = 1e-3;

/** §6.2, steps 2 and 3, for a row (up to `end`) that has just arrived. */
export function noteArrival(
  tcb: Tcb,
  row: number,
  end: Seq,
  sample: RateSample,
  segment: Segment,
  now: number,
): void {
  const { sent } = tcb;
  const sentAt = sent.sentAt(row);
  const rtt = now - sentAt;
  if ((sent.flags(row) & Sent.RETRANSMITTED) !== 0) {
    // The echo in a SACK is that of what came last in order: RFC 7323 §4.3.
    if (leq(end, segment.ack) && echoesBefore(tcb, segment, sentAt)) {
      noteReordering(tcb, end);
      return;
    }
    if (rtt < tcb.minRtt) return;
  } else {
    noteReordering(tcb, end);
  }
  if (sentAt >= sample.rackSentAt) {
    sample.rackSentAt = sentAt;
    tcb.rack.rtt = rtt;
  }
  if (sentAfter(sentAt, end, tcb.rack.sentAt, tcb.rack.end)) {
    tcb.rack.sentAt = sentAt;
    tcb.rack.end = end;
  }
}

/** An original has arrived; if later ones came before, the network reorders (§6.2 step 3). */
function noteReordering(tcb: Tcb, end: Seq): void {
  if (!lt(end, tcb.fack)) return;
  tcb.rack.reorderings++;
  tcb.host.counters.tcpSackReorders++;
}

/** The ACK echoes a timestamp from before `sentAt`, so it is not for what was sent then. */
function echoesBefore(tcb: Tcb, segment: Segment, sentAt: number): boolean {
  if (!tcb.timestampsOk || (segment.options & OPT_TIMESTAMPS) === 0) return false;
  return ((segment.tsEcr - timestamp(tcb, sentAt)) | 0) < 0;
}

/** RACK_sent_after: ties, frequent within a batch, are broken by the sequence number. */
function sentAfter(at1: number, end1: Seq, at2: number, end2: Seq): boolean {
  return at1 > at2 || (at1 === at2 && gt(end1, end2));
}

/** §6.2 step 4, adaptation: each round trip with a D-SACK makes the window larger. */
export function adaptReorderWindow(tcb: Tcb, sample: RateSample): void {
  if (tcb.rack.inDsackRound && geq(tcb.sndUna, tcb.rack.dsackRound)) tcb.rack.inDsackRound = false;
  if (!sample.dsack || tcb.rack.inDsackRound) return;
  tcb.rack.inDsackRound = true;
  tcb.rack.dsackRound = tcb.sndNxt;
  tcb.rack.reoWndMult++;
  tcb.rack.reoWndPersist = REO_WND_PERSIST;
}

/** §6.2 step 4: a recovery has ended. */
export function noteRecoveryEnd(tcb: Tcb): void {
  if (--tcb.rack.reoWndPersist <= 0) {
    tcb.rack.reoWndPersist = 0;
    tcb.rack.reoWndMult = 1;
  }
}

/** RACK.reo_wnd in ms. */
function reorderWindow(tcb: Tcb): number {
  if (tcb.rack.reorderings === 0) {
    if (tcb.recovery !== Recovery.OPEN) return 0;
    if (tcb.dupAcks >= DUP_THRESHOLD || tcb.sent.sacked >= DUP_THRESHOLD * tcb.sndMss) return 0;
  }
  return Math.min((tcb.rack.reoWndMult * tcb.minRtt) / 4, tcb.srtt);
}

/**
 * §6.2 step 5: marks what is lost, and returns the ms after which the rest of what may be lost will
 * be, or 0. Looks at no row beyond those sent before the latest arrival.
 */
export function detectLossByTime(tcb: Tcb, sample: RateSample, now: number): number {
  const { sent, rack, highRxt } = tcb;
  const allowed = rack.rtt + reorderWindow(tcb) - now;
  let wait = 0;
  for (let row = 0; row < sent.length; row++) {
    const flags = sent.flags(row);
    if ((flags & (Sent.SACKED | Sent.LOST)) !== 0) continue;
    const sentAt = sent.sentAt(row);
    if (!sentAfter(rack.sentAt, rack.end, sentAt, sent.end(row))) {
      // All that follows was sent later still, unless it was sent again.
      if (geq(sent.start(row), highRxt)) break;
      continue;
    }
    const remaining = sentAt + allowed;
    if (remaining < TIMER_STEP) {
      if ((flags & Sent.RETRANSMITTED) !== 0) tcb.host.counters.tcpLostRetransmits++;
      markLost(tcb, row, sample);
    } else if (remaining > wait) {
      wait = remaining;
    }
  }
  return wait;
}

/** §6.3: after a timeout only what is old enough is lost; the rest may still be acknowledged. */
export function markLostByTimeout(tcb: Tcb, sample: RateSample, now: number): void {
  const { sent } = tcb;
  // Before the first arrival there is only the round trip of the handshake.
  const rtt = tcb.rack.rtt > 0 ? tcb.rack.rtt : tcb.srtt;
  const allowed = rtt + reorderWindow(tcb) - now;
  for (let row = 0; row < sent.length; row++) {
    if (row === 0 || sent.sentAt(row) + allowed < TIMER_STEP) markLost(tcb, row, sample);
  }
}

/** Marks the row unless it is SACKed; it goes out again when congestion control allows. */
export function markLost(tcb: Tcb, row: number, sample: RateSample): void {
  const { sent } = tcb;
  const flags = sent.flags(row);
  if ((flags & (Sent.SACKED | Sent.LOST)) !== 0) return;
  const octets = sent.size(row);
  tcb.delivery.lost += octets;
  sample.newlyLost += octets;
  sent.markLost(row);
  noteLost(tcb, row, octets);
}
