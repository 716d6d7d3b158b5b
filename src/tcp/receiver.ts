import { add, diff, geq, gt, leq, lt, max, min, type Seq } from '../base/seq.js';
import { FIN, MAX_SACK_BLOCKS, OPT_SACK, PSH, type Segment, SYN } from '../wire/segment.js';
import { ownDsacks, ownReassembly, prepareToReceive } from './first-text.js';
import { TIMESTAMPS_BYTES } from './negotiation.js';
import { Event, LEAST_BUFFER, type Tcb } from './tcb.js';
import { stopDelayedAck } from './timers.js';

/** Shorter segments than this are no full ones: what 552 octets, the least that paths of today carry, hold. */
const MIN_FULL_SIZE = 500;

/** Bytes of a SACK option without blocks, padded. */
const SACK_HEADER_BYTES = 4;

/**
 * The text of an acceptable segment (RFC 9293 §3.10.7.4, seventh). What lies left of RCV.NXT or right
 * of the window is trimmed off; what is ahead of RCV.NXT waits in the reassembly (SHLD-31).
 */
export function receiveText(tcb: Tcb, segment: Segment): void {
  noteSegmentSize(tcb, segment);
  const textStart = (segment.flags & SYN) !== 0 ? add(segment.seq, 1) : segment.seq;
  const start = max(textStart, tcb.rcvNxt);
  const skip = diff(start, textStart);
  if (skip > 0) noteDuplicate(tcb, textStart, min(add(textStart, segment.length), tcb.rcvNxt));
  const room = diff(tcb.rcvAdv, start);
  const length = Math.min(segment.length - skip, room);
  if (length <= 0) {
    tcb.ackNow = 'nothing new within the window: RFC 9293 §3.10.7.4';
    return;
  }
  if (start === tcb.rcvNxt) {
    receiveInOrder(tcb, segment, segment.offset + skip, length);
  } else {
    receiveOutOfOrder(tcb, segment, start, segment.offset + skip, length);
  }
}

/**
 * Learns how long the peer's full segments are, which may be less than our MSS lets them be: two of
 * one size in the midst of what is sent, and so without PSH, were cut by its own limit.
 */
function noteSegmentSize(tcb: Tcb, segment: Segment): void {
  const { segmentSize, length } = segment;
  const size = segmentSize > 0 && length > segmentSize ? segmentSize : length;
  if (size > tcb.rcvFullSize) {
    tcb.rcvFullSize = Math.min(size, tcb.rcvMss);
  } else if (size >= MIN_FULL_SIZE && (segment.flags & PSH) === 0) {
    if (size === tcb.rcvLastSize || size < length) tcb.rcvFullSize = size;
    tcb.rcvLastSize = size;
  }
}

/** Memory is short, and this connection has its share of it: the sender will have to send again. */
function isShortOfMemory(tcb: Tcb): boolean {
  return tcb.host.memoryExceeded && tcb.receiveQueue.length >= LEAST_BUFFER;
}

function receiveInOrder(tcb: Tcb, segment: Segment, offset: number, length: number): void {
  if (isShortOfMemory(tcb)) {
    tcb.host.counters.tcpRcvQDrop++;
    tcb.ackNow = 'not taken, memory is short: RFC 9293 §3.8.6.2';
    return;
  }
  if (tcb.reassembly.startsBefore(add(tcb.rcvNxt, length))) {
    receiveAround(tcb, segment, offset, length);
    return;
  }
  if (tcb.receiveQueue.push(segment.bytes, offset, length)) segment.pinned = true;
  tcb.rcvNxt = add(tcb.rcvNxt, length);
  tcb.ackPending += length;
  // Behind a FIN, which is next or beyond the window, there is no text.
  if (!tcb.reassembly.isEmpty && (segment.flags & FIN) === 0) {
    takeReassembled(tcb);
    tcb.ackNow = 'a gap is filled: RFC 5681 §4.2';
  }
  if (length < segment.length || tcb.reassembly.hasFin) {
    tcb.ackNow = 'a part was trimmed off or is still missing: RFC 9293 §3.10.7.4';
  }
  tcb.events |= Event.READABLE;
}

/** Reaches over what has arrived out of order, which stays: so nobody can write over it. */
function receiveAround(tcb: Tcb, segment: Segment, offset: number, length: number): void {
  const { reassembly } = tcb;
  if (reassembly.insert(tcb.rcvNxt, segment.bytes, offset, length)) segment.pinned = true;
  if (reassembly.hasDuplicate) {
    noteDuplicate(tcb, reassembly.duplicateLeft, reassembly.duplicateRight);
  }
  if ((segment.flags & FIN) === 0) takeReassembled(tcb);
  else takeReassembled(tcb, add(tcb.rcvNxt, length));
  tcb.ackNow = 'a gap is filled: RFC 5681 §4.2';
  tcb.events |= Event.READABLE;
}

/** What is in order now; up to `fin` where a FIN is, behind which there is no text. */
function takeReassembled(tcb: Tcb, fin?: Seq): void {
  let chunk = tcb.reassembly.take(tcb.rcvNxt);
  while (chunk !== null) {
    if (fin !== undefined && gt(add(tcb.rcvNxt, chunk.length), fin)) {
      chunk = chunk.subarray(0, Math.max(diff(fin, tcb.rcvNxt), 0));
    }
    if (chunk.length === 0) return;
    tcb.receiveQueue.pushOwned(chunk);
    tcb.rcvNxt = add(tcb.rcvNxt, chunk.length);
    tcb.ackPending += chunk.length;
    chunk = tcb.reassembly.take(tcb.rcvNxt);
  }
}

/** Text that came with the SYN is the user's once ESTABLISHED is reached (RFC 9293 §3.10.7.2 and §3.10.7.3). */
export function receiveEarlyText(tcb: Tcb): void {
  if (tcb.reassembly.isEmpty) return;
  prepareToReceive(tcb);
  takeReassembled(tcb);
  tcb.ackNow = 'text that came with the SYN: RFC 9293 §3.10.7.2';
  tcb.events |= Event.READABLE;
}

/** MAY-13, RFC 2018 §4: each is told of at once. */
function receiveOutOfOrder(
  tcb: Tcb,
  segment: Segment,
  start: Seq,
  offset: number,
  length: number,
): void {
  tcb.ackNow = 'a gap: a duplicate ACK tells the sender at once, RFC 5681 §4.2';
  // Its window is about to be small, and every segment of it counts.
  tcb.quickAcks = Math.max(tcb.quickAcks, tcb.host.config.quickAcks);
  if (!tcb.sackOk) tcb.duplicateAcks++;
  const { host } = tcb;
  const reassembly = ownReassembly(tcb);
  const full = reassembly.cost + tcb.receiveQueue.length > 2 * tcb.rcvBufferLimit;
  if (full || host.memoryExceeded) {
    host.counters.tcpOfoDrop++;
    return;
  }
  if (reassembly.insert(start, segment.bytes, offset, length)) segment.pinned = true;
  if (reassembly.hasDuplicate) {
    noteDuplicate(tcb, reassembly.duplicateLeft, reassembly.duplicateRight);
  }
}

/** Text that lies wholly before the window has arrived again. */
export function noteOldText(tcb: Tcb, segment: Segment): void {
  const end = add(segment.seq, segment.length);
  if ((segment.flags & SYN) !== 0 || segment.length === 0 || gt(end, tcb.rcvNxt)) return;
  noteDuplicate(tcb, segment.seq, end);
}

/**
 * RFC 2883 §4: the next ACK reports the octets; what adjoins those of this batch makes one range, and
 * what does not gets an ACK of its own, for a sender that counts (RFC 2883 appendix B).
 */
function noteDuplicate(tcb: Tcb, left: Seq, right: Seq): void {
  if (!tcb.sackOk || !lt(left, right)) return;
  tcb.ackNow = 'octets arrived twice: RFC 2883 §4';
  ownDsacks(tcb).add(left, right);
}

/** The SACK option of an ACK: what arrived twice first (RFC 2883 §4), then what waits for a gap. */
export function writeSack(tcb: Tcb, segment: Segment): void {
  if (!tcb.sackOk || (tcb.reassembly.isEmpty && !tcb.dsacks.areOwed)) return;
  segment.options |= OPT_SACK;
  // A header with all blocks is longer than the smallest packets that networks carry (RFC 791 §3.2).
  const optionBytes = tcb.pathMss - (tcb.timestampsOk ? TIMESTAMPS_BYTES : 0);
  const most = tcb.timestampsOk ? MAX_SACK_BLOCKS - 1 : MAX_SACK_BLOCKS;
  const room = Math.min(most, (optionBytes - SACK_HEADER_BYTES) >> 3);
  let count = 0;
  const { dsacks } = tcb;
  if (dsacks.areOwed) {
    segment.sack[0] = dsacks.left;
    segment.sack[1] = dsacks.right;
    dsacks.next();
    tcb.host.counters.tcpDsackSent++;
    count = 1;
  }
  segment.sackCount = tcb.reassembly.writeSack(segment, count, room);
}

/**
 * Takes note of a FIN and says whether RCV.NXT has moved over it, which may be now or with a later
 * segment that fills the gap before it.
 */
export function receiveFin(tcb: Tcb, segment: Segment): boolean {
  if ((segment.flags & FIN) !== 0) {
    const end = add(segment.seq, segment.segLen);
    // A FIN beyond the window is trimmed off like text beyond it, unless it is all that is left.
    if (leq(end, tcb.rcvAdv) || end === add(tcb.rcvNxt, 1)) {
      const reassembly = ownReassembly(tcb);
      reassembly.finSeq = end;
      reassembly.hasFin = true;
    }
  }
  if (!tcb.reassembly.hasFin || tcb.finReceived) return false;
  if (add(tcb.rcvNxt, 1) !== tcb.reassembly.finSeq) {
    if ((segment.flags & FIN) !== 0) tcb.ackNow = 'a gap before the FIN: RFC 5681 §4.2';
    return false;
  }
  tcb.rcvNxt = tcb.reassembly.finSeq;
  tcb.finReceived = true;
  tcb.reassembly.clear();
  tcb.events |= Event.READABLE;
  return true;
}

/**
 * The window that the next segment will offer, in bytes. It never moves the right edge left (SHLD-14)
 * and moves it right only in steps worth a segment (MUST-39); it may stay at 0 (MAY-8).
 */
export function receiveWindow(tcb: Tcb): number {
  const offered = diff(tcb.rcvAdv, tcb.rcvNxt);
  const used = tcb.receiveQueue.length;
  const free = Math.min(tcb.rcvBufferLimit - used, 65_535 << tcb.rcvWindowShift);
  if (isShortOfMemory(tcb)) return Math.max(offered, 0);
  const step = Math.min(tcb.rcvBufferLimit >> 1, tcb.rcvMss);
  return free - offered >= step ? free : Math.max(offered, 0);
}

/**
 * Whether the user has read so much that the peer should hear of it without waiting for the next
 * ACK: the window it knows is less than half of the buffer, and it would grow by two segments.
 */
export function windowUpdateDue(tcb: Tcb): boolean {
  // The window of a SYN is not scaled and so is small; the first ACK of data tells the whole one.
  if (tcb.bytesReceived === 0 || tcb.finReceived) return false;
  const offered = diff(tcb.rcvAdv, tcb.rcvNxt);
  const half = tcb.rcvBufferLimit >> 1;
  if (offered >= half) return false;
  return receiveWindow(tcb) - offered >= Math.min(half, 2 * tcb.rcvMss);
}

/**
 * Whether what was received is acknowledged now rather than by the delayed-ACK timer: at least every
 * second full-sized segment (RFC 9293 §3.8.6.3, SHLD-19), and while a sender gets going each batch.
 */
export function ackDue(tcb: Tcb): boolean {
  if (tcb.ackNow !== null) return true;
  if (tcb.ackPending === 0) return false;
  return isSecondFullSized(tcb) || tcb.quickAcks > 0;
}

function isSecondFullSized(tcb: Tcb): boolean {
  const most = tcb.timestampsOk ? tcb.rcvMss - TIMESTAMPS_BYTES : tcb.rcvMss;
  const fullSized = Math.min(tcb.rcvFullSize, most);
  return tcb.ackPending >= 2 * fullSized;
}

/** Why {@link ackDue} or {@link windowUpdateDue} says yes, in words. */
export function ackReason(tcb: Tcb): string {
  if (tcb.ackNow !== null) return tcb.ackNow;
  if (!ackDue(tcb)) return 'the window has opened: RFC 9293 §3.8.6.2.2';
  return isSecondFullSized(tcb)
    ? 'at least two full-sized segments arrived: RFC 9293 §3.8.6.3'
    : 'early segments are acknowledged at once, so that the window of the sender grows: RFC 5681 §4.2';
}

/** What RFC 9293 §3.10.7.4 (first, table 6) asks of SEG.SEQ and SEG.LEN. */
export function isAcceptable(tcb: Tcb, segment: Segment): boolean {
  const length = segment.segLen;
  const window = diff(tcb.rcvAdv, tcb.rcvNxt);
  if (length === 0) {
    return window === 0
      ? segment.seq === tcb.rcvNxt
      : geq(segment.seq, tcb.rcvNxt) && lt(segment.seq, tcb.rcvAdv);
  }
  if (window === 0) return false;
  const last = add(segment.seq, length - 1);
  return (
    (geq(segment.seq, tcb.rcvNxt) && lt(segment.seq, tcb.rcvAdv)) ||
    (geq(last, tcb.rcvNxt) && lt(last, tcb.rcvAdv)) ||
    // Long enough to reach over it; otherwise half of the number space away from it.
    (length > window && lt(segment.seq, tcb.rcvNxt) && geq(last, tcb.rcvAdv))
  );
}

/**
 * ACKs that were sent make those that were owed superfluous. What was once offered stays acceptable,
 * whatever `window` a later segment could say (RFC 7323 §2.4).
 */
export function noteAckSent(tcb: Tcb, window: number, now: number): void {
  tcb.lastAckSent = tcb.rcvNxt;
  tcb.rcvAdv = max(tcb.rcvAdv, add(tcb.rcvNxt, window));
  tcb.ackNow = null;
  tcb.duplicateAcks = 0;
  tcb.ackPending = 0;
  stopDelayedAck(tcb, now);
}
