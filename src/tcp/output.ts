import { add, diff, leq, lt, max, min, type Seq, seq } from '../base/seq.js';
import { ECN_MASK } from '../wire/ecn.js';
import {
  ACK,
  emptySegment,
  FIN,
  OPT_MSS,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  RST,
  type Segment,
  SYN,
  segmentsOnWire,
  URG,
} from '../wire/segment.js';
import { tuneReceiveBuffer } from './autotune.js';
import { noteWindowUse, restartWindow } from './congestion-window.js';
import { markAppLimited, startFlight } from './delivery-rate.js';
import { echoFlags, markText, synFlags } from './ecn.js';
import { prepareToSend } from './first-text.js';
import { mtuProbeDue, noteMtuProbe } from './mtu-probe.js';
import { notePaced, pacingBurst, pacingHolds } from './pacing.js';
import {
  ackDue,
  ackReason,
  noteAckSent,
  receiveWindow,
  windowUpdateDue,
  writeSack,
} from './receiver.js';
import { lastResort } from './rfc6675.js';
import { allowance, resendAllowance, sendsNow, unsent } from './sender.js';
import { Sent } from './sent-segments.js';
import { noteRetransmission } from './spurious.js';
import { State, unreachable } from './state.js';
import { mayProbe, scheduleProbe } from './tail-loss.js';
import { Frto, LossDetection, LossTimer, Recovery, type Tcb, type TcpHost } from './tcb.js';
import { armBlocked, armDelayedAck, armPersist, armRetransmit } from './timers.js';
import { timestamp } from './timestamp.js';

/**
 * Sends what the connection may and should send now: retransmissions, data, FIN, and if none of
 * these carried it, the ACK that is due. Called once per connection at the end of a batch.
 */
export function output(tcb: Tcb, now: number): void {
  switch (tcb.state) {
    case State.CLOSED:
    case State.LISTEN:
      return;
    case State.SYN_SENT:
    case State.SYN_RECEIVED:
      if (tcb.sndNxt === tcb.iss || tcb.synLost) {
        tcb.synLost = false;
        sendSyn(tcb, now);
      } else if (tcb.ackNow !== null) {
        sendAck(tcb, now);
      }
      return;
    case State.ESTABLISHED:
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
    case State.CLOSE_WAIT:
    case State.CLOSING:
    case State.LAST_ACK:
    case State.TIME_WAIT:
      // A gap is told by an ACK of its own: one with text is no duplicate ACK (RFC 5681 §2).
      if (tcb.ackNow !== null && (!tcb.reassembly.isEmpty || tcb.dsacks.areOwed)) sendAck(tcb, now);
      if (tcb.frto !== Frto.SECOND_ACK) sendRetransmissions(tcb, now);
      sendNew(tcb, now);
      if (tcb.hasReceived) tuneReceiveBuffer(tcb, now);
      if (ackDue(tcb) || windowUpdateDue(tcb)) sendAck(tcb, now);
      else if (tcb.lastAckSent !== tcb.rcvNxt && tcb.delayedAckAt === Infinity) {
        armDelayedAck(tcb, now);
      }
      return;
    default:
      unreachable(tcb.state);
  }
}

/**
 * SYN, or SYN and ACK, according to the state; the first time or again. MUST-14, SHLD-5, MAY-3:
 * with MSS.
 */
function sendSyn(tcb: Tcb, now: number): void {
  const { config } = tcb.host;
  const segment = tcb.host.segmentOut;
  const passive = tcb.state !== State.SYN_SENT;
  const again = tcb.sndNxt !== tcb.iss;
  const flags = (passive ? SYN | ACK : SYN) | synFlags(tcb, passive, again);
  begin(tcb, segment, flags, tcb.iss, now);
  // An answer carries only the options that the peer has offered (RFC 7323 §1.3, RFC 2018 §2).
  segment.options = OPT_MSS;
  segment.mss = tcb.rcvMss;
  if (passive ? tcb.windowScaleOk : config.windowScale) {
    segment.options |= OPT_WINDOW_SCALE;
    segment.windowScale = tcb.rcvWindowShift;
  }
  if (passive ? tcb.sackOk : config.sack) segment.options |= OPT_SACK_PERMITTED;
  if (passive ? tcb.timestampsOk : config.timestamps) setTimestamps(tcb, segment, now);
  // The window of a SYN is never scaled (RFC 7323 §2.2).
  segment.wnd = Math.min(65_535, tcb.rcvBufferLimit);
  if (!again) {
    tcb.sndNxt = add(tcb.iss, 1);
    tcb.waitingSince = now;
    tcb.synTimed = true;
  }
  noteAckSent(tcb, segment.wnd, now);
  transmit(tcb, segment, now, again);
  if (tcb.retransmitAt === Infinity) armRetransmit(tcb, now);
}

/** `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, as often as duplicate ACKs and D-SACKs are owed. */
export function sendAck(tcb: Tcb, now: number): void {
  const { trace } = tcb.host;
  if (trace !== null) trace.acknowledges(tcb, ackReason(tcb), now);
  let copies = Math.max(1, tcb.duplicateAcks);
  do sendEmpty(tcb, ACK, tcb.sndNxt, now);
  while (--copies > 0 || tcb.dsacks.areOwed);
}

/** A segment without text: ACK, keep-alive or window probe. */
export function sendEmpty(tcb: Tcb, flags: number, sequence: Seq, now: number): void {
  const segment = tcb.host.segmentOut;
  begin(tcb, segment, flags, sequence, now);
  writeSack(tcb, segment);
  finishWindow(tcb, segment, now);
  transmit(tcb, segment, now, false);
}

/** `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>` to end a synchronized connection. */
export function sendReset(tcb: Tcb, now: number): void {
  const segment = tcb.host.segmentOut;
  begin(tcb, segment, RST | ACK, tcb.sndNxt, now);
  segment.wnd = 0;
  tcb.host.counters.tcpOutRsts++;
  transmit(tcb, segment, now, false);
}

/** Sends again what is taken for lost, in order, as far as the windows allow. */
function sendRetransmissions(tcb: Tcb, now: number): void {
  if (tcb.synLost) {
    // FIN_WAIT_1 entered from SYN_RECEIVED: our SYN is still to be acknowledged.
    tcb.synLost = false;
    sendSyn(tcb, now);
  }
  const { sent } = tcb;
  for (let row = 0; sent.lost > 0 && row < sent.length; row++) {
    if ((sent.flags(row) & Sent.LOST) === 0) continue;
    if (!tcb.host.canTransmit(tcb) || pacingHolds(tcb, now)) return;
    if (!resend(tcb, row, now)) return;
  }
  if (tcb.lossDetection === LossDetection.SACK && sent.lost === 0) sendLastResort(tcb, now);
}

/** Sends the lost row again, or its front, with lost ones that follow; false: no room. */
function resend(tcb: Tcb, row: number, now: number): boolean {
  const { sent } = tcb;
  const start = sent.start(row);
  const most = pacingBurst(tcb, tcb.host.maxBurst(tcb));
  let lost = sent.size(row);
  for (let i = row + 1; lost < most && i < sent.length; i++) {
    if ((sent.flags(i) & Sent.LOST) === 0) break;
    lost += sent.size(i);
  }
  const used = diff(start, tcb.sndUna);
  const room = Math.min(resendAllowance(tcb, used, lost), most);
  if (room < tcb.sndMss && room < lost) return false;
  let length = lost <= room ? lost : room - (room % tcb.sndMss);
  // A short one at the end takes along what has been written since.
  if (length < tcb.sndMss && add(start, length) === tcb.sndNxt) length = Math.min(room, tcb.sndMss);
  return sendData(tcb, start, length, now) > 0;
}

/** RFC 6675 §4, NextSeg rule (3): a hole that is perhaps none, rather than silence. */
function sendLastResort(tcb: Tcb, now: number): void {
  if (tcb.recovery !== Recovery.FAST || unsent(tcb) > 0) return;
  if (tcb.cwnd - tcb.inFlight < tcb.sndMss || !tcb.host.canTransmit(tcb)) return;
  const row = lastResort(tcb);
  if (row < 0) return;
  sendData(tcb, tcb.sent.start(row), Math.min(tcb.sent.size(row), tcb.sndMss), now);
}

/** Sends what was never sent, within both windows, in segments as large as can be. */
function sendNew(tcb: Tcb, now: number): void {
  if (tcb.sent.lost > 0 && tcb.frto !== Frto.SECOND_ACK) return;
  if (unsent(tcb) > 0) {
    if (!tcb.hasSent) prepareToSend(tcb, now);
    if (tcb.flight === 0) restartWindow(tcb, now);
  }
  const before = tcb.sndNxt;
  let limited = false;
  while (tcb.host.canTransmit(tcb)) {
    const pending = unsent(tcb);
    const room = allowance(tcb);
    if (pending < tcb.sndMss && pending < room) markAppLimited(tcb);
    if (pending === 0 || tcb.sent.isFull) break;
    limited = room < pending && tcb.cwnd < tcb.sndWnd;
    if (!sendsNow(tcb, pending, room)) {
      if (tcb.flight === 0 && tcb.retransmitAt === Infinity) {
        tcb.persistProbes = 0;
        tcb.waitingSince = now;
        armPersist(tcb, now);
      }
      break;
    }
    if (pacingHolds(tcb, now)) break;
    if (now >= tcb.mtu.searchAt && sendMtuProbe(tcb, now)) break;
    if (sendData(tcb, tcb.sndNxt, wholeSegments(tcb, pending, room), now) === 0) break;
  }
  if (tcb.hasSent) noteWindowUse(tcb, limited);
  // A link that takes nothing any more is found out like a peer that does not.
  if (tcb.flight === 0 && tcb.retransmitAt === Infinity && unsent(tcb) > 0) armBlocked(tcb, now);
  // RFC 8985 §7.2: the probe waits for the end of the flight.
  if (tcb.sndNxt !== before && tcb.lossTimer === LossTimer.PROBE && mayProbe(tcb)) {
    scheduleProbe(tcb, now);
  }
}

/** False: no probe for a larger MTU is due; true: it has gone out, or waits for room. */
function sendMtuProbe(tcb: Tcb, now: number): boolean {
  const size = mtuProbeDue(tcb, now);
  if (size === 0) return false;
  if (size > 0) {
    noteMtuProbe(tcb, tcb.sndNxt);
    sendData(tcb, tcb.sndNxt, size, now, size);
    tcb.host.markDirty(tcb);
  }
  return true;
}

/**
 * As much as one burst takes, in full segments unless everything that is left goes out with it
 * (RFC 9293 §3.9.1.2, SHLD-27, SHLD-28, MAY-16).
 */
function wholeSegments(tcb: Tcb, pending: number, room: number): number {
  const most = Math.min(pending, room, pacingBurst(tcb, tcb.host.maxBurst(tcb)));
  if (most >= pending || most < tcb.sndMss) return most;
  return most - (most % tcb.sndMss);
}

/**
 * Makes one segment of up to `limit` octets (FIN counted) from `start` and sends it; returns the
 * octets sent. The zero-window probe comes here as well, with a limit of 1, and the probe for a larger
 * MTU, with the `segmentSize` it needs.
 */
export function sendData(
  tcb: Tcb,
  start: Seq,
  limit: number,
  now: number,
  segmentSize = tcb.sndMss,
): number {
  const segment = tcb.host.segmentOut;
  const available = diff(tcb.sendEnd, start);
  const length = Math.min(limit, available);
  const fin = tcb.finQueued && length === available && limit > available;
  if (length + (fin ? 1 : 0) <= 0) return 0;
  begin(tcb, segment, fin ? ACK | FIN : ACK, start, now);
  if (length > 0) attachText(tcb, segment, diff(start, tcb.sendStart), length);
  if (length > 0) segment.segmentSize = segmentSize;
  // RFC 9293 §3.9.1.2, MUST-61: PSH on what empties the buffer.
  if (length > 0 && length === available) segment.flags |= PSH;
  if (tcb.urgent.pending) markUrgent(tcb, segment);
  finishWindow(tcb, segment, now);
  const octets = length + (fin ? 1 : 0);
  const end = add(start, octets);
  const again = lt(start, tcb.sndNxt);
  if (again) {
    tcb.delivery.bytesRetransmitted += length;
  } else {
    if (tcb.flight === 0) tcb.waitingSince = now;
    if (length % segmentSize !== 0) tcb.shortEnd = end;
  }
  if (!again && length > 0 && tcb.ecnOk && !tcb.persisting) markText(tcb, segment);
  noteSent(tcb, start, end, now);
  tcb.delivery.bytesSent += length;
  tcb.delivery.sentAt = now;
  notePaced(tcb, length, now);
  transmit(tcb, segment, now, again);
  if (tcb.retransmitAt === Infinity || tcb.persisting) startTimer(tcb, now);
  return octets;
}

/** Something is outstanding that was not before. */
function startTimer(tcb: Tcb, now: number): void {
  tcb.rtoSince = now;
  if (mayProbe(tcb)) scheduleProbe(tcb, now);
  else armRetransmit(tcb, now);
}

/** Writes down that octets go out, for the first time or again, and moves SND.NXT. */
function noteSent(tcb: Tcb, start: Seq, end: Seq, now: number): void {
  const { sent, sndNxt } = tcb;
  if (tcb.recovery === Recovery.FAST) tcb.episode.prrOut += diff(end, start);
  if (lt(start, sndNxt)) noteSentAgain(tcb, start, min(end, sndNxt), now);
  if (leq(end, sndNxt)) return;
  startFlight(tcb, now);
  tcb.sndNxt = end;
  sent.append(max(start, sndNxt), end, tcb, tcb.inFlight, tcb.srtt / 32, now);
}

function noteSentAgain(tcb: Tcb, start: Seq, end: Seq, now: number): void {
  const { sent } = tcb;
  let row = sent.find(start);
  if (row < sent.length && lt(sent.start(row), start) && sent.split(row, start)) row++;
  for (; row < sent.length && lt(sent.start(row), end); row++) {
    // Without room for another row, the rest of this one counts as sent again with it.
    if (lt(end, sent.end(row))) sent.split(row, end);
    sent.resend(row, tcb, tcb.inFlight + sent.size(row), now);
    if (tcb.episode.undoable) noteRetransmission(tcb, sent.size(row), now);
  }
  tcb.highRxt = max(tcb.highRxt, end);
  // RFC 6298 §5.1: whenever the oldest segment goes out, the timer runs for it.
  if (start === tcb.sndUna && tcb.recovery !== Recovery.OPEN) armRetransmit(tcb, now);
}

function attachText(tcb: Tcb, segment: Segment, offset: number, length: number): void {
  const ring = tcb.sendBuffer;
  const at = ring.position(offset);
  const first = Math.min(length, ring.bytes.length - at);
  segment.bytes = ring.bytes;
  segment.offset = at;
  segment.length = first;
  segment.bytes2 = ring.bytes;
  segment.offset2 = 0;
  segment.length2 = length - first;
}

/**
 * RFC 6093 §3, RFC 9293 MUST-62: the pointer is to the octet after the urgent data. Further away
 * than it reaches, there is no URG yet (MUST-30, MUST-31).
 */
function markUrgent(tcb: Tcb, segment: Segment): void {
  const pointer = diff(tcb.urgent.sndUp, segment.seq);
  if (pointer <= 0) {
    tcb.urgent.pending = false;
  } else if (pointer <= 0xffff) {
    segment.flags |= URG;
    segment.urg = pointer;
  }
}

/** The fields that all segments of a connection share (RFC 9293 MUST-45, SHLD-22); no text. */
function begin(tcb: Tcb, segment: Segment, flags: number, sequence: Seq, now: number): void {
  segment.srcAddr = tcb.localAddr;
  segment.dstAddr = tcb.remoteAddr;
  segment.srcPort = tcb.localPort;
  segment.dstPort = tcb.remotePort;
  segment.seq = sequence;
  segment.flags = flags | echoFlags(tcb, flags);
  segment.ack = tcb.rcvNxt;
  segment.ttl = tcb.ttl;
  segment.tos = tcb.tos & ~ECN_MASK;
  emptySegment(segment);
  segment.mayFragment = tcb.mayFragment;
  if (tcb.timestampsOk && tcb.state !== State.SYN_SENT) setTimestamps(tcb, segment, now);
}

/** RFC 7323 §3.2: in every segment once agreed on; without ACK there is nothing to echo. */
function setTimestamps(tcb: Tcb, segment: Segment, now: number): void {
  segment.options |= OPT_TIMESTAMPS;
  segment.tsVal = timestamp(tcb, now);
  segment.tsEcr = (segment.flags & ACK) !== 0 ? tcb.tsRecent : 0;
}

/**
 * Announces the window in units of the scale: rounded up, so that the edge does not move left, unless
 * that offers a unit or more beyond the buffer. Then it is rounded down, and what lies between is taken
 * all the same (RFC7323-2.4-b, RFC7323-2.4-c).
 */
function finishWindow(tcb: Tcb, segment: Segment, now: number): void {
  const shift = tcb.rcvWindowShift;
  const unit = 1 << shift;
  const window = receiveWindow(tcb);
  const up = Math.min(65_535, (window + unit - 1) >> shift);
  const free = Math.max(tcb.rcvBufferLimit - tcb.receiveQueue.length, 0);
  segment.wnd = up << shift < free + unit ? up : Math.min(65_535, window >> shift);
  if (tcb.quickAcks > 0 && tcb.ackPending > 0) tcb.quickAcks--;
  noteAckSent(tcb, segment.wnd << shift, now);
}

function transmit(tcb: Tcb, segment: Segment, now: number, again: boolean): void {
  const segments = segmentsOnWire(segment);
  tcb.segmentsSent += segments;
  if (again) {
    tcb.retransmitted += segments;
    tcb.host.counters.tcpRetransSegs += segments;
    const { trace } = tcb.host;
    if (trace !== null) trace.retransmits(tcb, tcb.lossCause, now);
  } else {
    tcb.host.counters.tcpOutSegs += segments;
  }
  tcb.host.transmit(segment, tcb, now);
}

/**
 * Sends the reset for a segment that belongs to no connection (RFC 9293 §3.10.7.1), or that an
 * embryonic one, `tcb`, cannot accept (RFC792-3-d). Never in answer to a reset.
 */
export function sendResetFor(arrived: Segment, host: TcpHost, tcb: Tcb | null, now: number): void {
  const reset = host.segmentOut;
  writeResetFor(arrived, reset);
  reset.ttl = host.config.ttl;
  host.counters.tcpOutRsts++;
  host.counters.tcpOutSegs++;
  host.transmit(reset, tcb, now);
}

function writeResetFor(arrived: Segment, reset: Segment): void {
  reset.srcAddr = arrived.dstAddr;
  reset.dstAddr = arrived.srcAddr;
  reset.srcPort = arrived.dstPort;
  reset.dstPort = arrived.srcPort;
  if ((arrived.flags & ACK) !== 0) {
    reset.seq = arrived.ack;
    reset.ack = seq(0);
    reset.flags = RST;
  } else {
    reset.seq = seq(0);
    reset.ack = add(arrived.seq, arrived.segLen);
    reset.flags = RST | ACK;
  }
  reset.wnd = 0;
  reset.tos = 0;
  emptySegment(reset);
  if ((arrived.options & OPT_TIMESTAMPS) === 0) return;
  // RFC 7323 §5.2 (RFC7323-5.2-b), which lets its receiver tell a RST for this incarnation.
  reset.options = OPT_TIMESTAMPS;
  reset.tsVal = 0;
  reset.tsEcr = arrived.tsVal;
}
