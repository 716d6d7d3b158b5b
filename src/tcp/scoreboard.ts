import { add, diff, geq, gt, leq, lt, max, min, type Seq } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import { noteDelivered, type RateSample } from './delivery-rate.js';
import { noteArrival } from './rack.js';
import { Sent } from './sent-segments.js';
import { LossDetection, type Tcb } from './tcb.js';

/**
 * The sender's scoreboard (RFC 2018 §5, RFC 6675 §4 `Update`): what the acknowledgment number and the
 * SACK blocks of an ACK say of the rows in {@link Tcb.sent}. SND.UNA has moved already.
 */

/** Takes what SND.UNA covers off the rows, into the sample. */
export function takeAcknowledged(
  tcb: Tcb,
  sample: RateSample,
  segment: Segment,
  now: number,
): void {
  const { sent, sndUna } = tcb;
  let again = 0;
  if (sent.length > 0 && sent.times(0) === 1) sample.headAgainAt = sent.sentAt(0);
  while (sent.length > 0 && lt(sent.start(0), sndUna)) {
    const flags = sent.flags(0);
    again |= flags & Sent.RETRANSMITTED;
    if ((flags & Sent.SACKED) === 0)
      arrived(tcb, 0, min(sent.end(0), sndUna), sample, segment, now);
    sent.dropFront(sndUna);
  }
  if (again === 0) return;
  // Karn (RFC 6298 §3): nor does what waited at the peer for a retransmission give a sample.
  sample.rtt = -1;
  sample.longestRtt = -1;
}

/** Takes the SACK blocks; those that cannot be true are ignored and counted. */
export function takeSack(tcb: Tcb, sample: RateSample, segment: Segment, now: number): void {
  const { sndUna, sndNxt } = tcb;
  const before = sample.ackedSacked;
  for (let i = 0; i < segment.sackCount; i++) {
    const left = segment.sack[i * 2]! as Seq;
    const right = segment.sack[i * 2 + 1]! as Seq;
    if (i === 0 && isDuplicateSack(segment, left, right)) {
      takeDuplicateSack(tcb, sample, left, right);
    } else if (!lt(left, right) || lt(left, sndUna) || gt(right, sndNxt)) {
      // Older than the acknowledgment number is normal for an ACK that was overtaken.
      if (!lt(left, right) || gt(right, sndUna)) tcb.host.counters.tcpSackDiscards++;
    } else {
      markSacked(tcb, left, right, sample, segment, now);
    }
  }
  sample.newlySacked = sample.ackedSacked - before;
}

/** RFC 2883 §4: the first block lies below the acknowledgment number, or within the second. */
function isDuplicateSack(segment: Segment, left: Seq, right: Seq): boolean {
  if (!lt(left, right)) return false;
  if (leq(right, segment.ack)) return true;
  if (segment.sackCount < 2) return false;
  return geq(left, segment.sack[2]! as Seq) && leq(right, segment.sack[3]! as Seq);
}

function takeDuplicateSack(tcb: Tcb, sample: RateSample, left: Seq, right: Seq): void {
  const { counters } = tcb.host;
  // Of this connection, and not from a window long past.
  if (gt(right, tcb.sndNxt) || lt(left, add(tcb.sndUna, -Math.max(tcb.maxSndWnd, tcb.flight)))) {
    counters.tcpSackDiscards++;
    return;
  }
  counters.tcpDsackRecv++;
  tcb.rack.dsacks++;
  // More duplicates than we ever made: the network makes them, and they say nothing of our losses.
  if (tcb.rack.dsacks > tcb.retransmitted) return;
  sample.dsack = true;
  sample.dsackLeft = left;
  sample.dsackRight = right;
}

function markSacked(
  tcb: Tcb,
  left: Seq,
  right: Seq,
  sample: RateSample,
  segment: Segment,
  now: number,
): void {
  const { sent } = tcb;
  let row = sent.find(left);
  if (row < sent.length && lt(sent.start(row), left)) {
    const cut = add(sent.start(row), wholeSegments(tcb, row, left, tcb.sndMss - 1));
    if ((sent.flags(row) & Sent.SACKED) === 0 && lt(cut, sent.end(row))) {
      if (!sent.splitForSack(row, cut)) refused(tcb);
    }
    row++;
  }
  while (row < sent.length && lt(sent.start(row), right)) {
    if ((sent.flags(row) & Sent.SACKED) === 0) {
      if (lt(right, sent.end(row))) {
        markFront(tcb, row, right, sample, segment, now);
        return;
      }
      arrived(tcb, row, sent.end(row), sample, segment, now);
      sent.markSacked(row);
    }
    if (row > 0 && (sent.flags(row - 1) & Sent.SACKED) !== 0) sent.joinNext(row - 1);
    else row++;
  }
  // What follows may have been SACKed before.
  if (row > 0 && row < sent.length && (sent.flags(row - 1) & sent.flags(row) & Sent.SACKED) !== 0) {
    sent.joinNext(row - 1);
  }
}

/**
 * Octets from the start of the row to `edge`, in whole segments; `round`: MSS - 1 to round up. A block
 * that ends within a segment is not believed there: honest ones do not, and others would cut what is
 * outstanding into crumbs, each to be sent again in a packet of its own (CVE-2019-11479).
 */
function wholeSegments(tcb: Tcb, row: number, edge: Seq, round: number): number {
  const octets = diff(edge, tcb.sent.start(row)) + round;
  return octets - (octets % tcb.sndMss);
}

/** The block ends within the row: its front joins a SACKed row before it, or becomes one. */
function markFront(
  tcb: Tcb,
  row: number,
  edge: Seq,
  sample: RateSample,
  segment: Segment,
  now: number,
): void {
  const { sent } = tcb;
  const octets = wholeSegments(tcb, row, edge, 0);
  if (octets === 0) return;
  const right = add(sent.start(row), octets);
  if (row > 0 && (sent.flags(row - 1) & Sent.SACKED) !== 0) {
    arrived(tcb, row, right, sample, segment, now);
    sent.giveToPrevious(row, right);
  } else if (sent.splitForSack(row, right)) {
    arrived(tcb, row, right, sample, segment, now);
    sent.markSacked(row);
  } else {
    refused(tcb);
  }
}

function refused(tcb: Tcb): void {
  tcb.host.counters.tcpWqueueTooBig++;
}

/** The row's octets up to `end` have arrived, as far as anyone can tell for the first time. */
function arrived(
  tcb: Tcb,
  row: number,
  end: Seq,
  sample: RateSample,
  segment: Segment,
  now: number,
): void {
  const { sent } = tcb;
  const start = sent.start(row);
  if ((sent.flags(row) & Sent.RETRANSMITTED) === 0) {
    const rtt = now - sent.sentAt(row);
    sample.rtt = rtt;
    if (rtt > sample.longestRtt) sample.longestRtt = rtt;
  }
  sample.highest = max(sample.highest, end);
  if (tcb.lossDetection === LossDetection.RACK) noteArrival(tcb, row, end, sample, segment, now);
  noteDelivered(tcb, row, diff(end, start), end, sample, now);
}
