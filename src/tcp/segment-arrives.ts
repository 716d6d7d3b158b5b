import { add, diff, gt, leq, lt } from '../base/seq.js';
import { Drop } from '../wire/drop-reason.js';
import {
  ACK,
  ECE,
  FIN,
  OPT_TIMESTAMPS,
  RST,
  type Segment,
  SYN,
  segmentsOnWire,
  URG,
} from '../wire/segment.js';
import { mayAnswer } from './ack-throttle.js';
import { takeAcknowledgment } from './acknowledgment.js';
import { timeRoundTrip } from './autotune.js';
import { close } from './calls.js';
import { onEcnEcho, takeMarks, takeSynAgain } from './ecn.js';
import { enterClosed, enterTimeWait } from './end.js';
import {
  ownReassembly,
  ownThrottle,
  ownUrgent,
  prepareToReceive,
  prepareToSend,
} from './first-text.js';
import { takeSynOptions } from './negotiation.js';
import { sendAck, sendReset, sendResetFor } from './output.js';
import {
  isAcceptable,
  noteOldText,
  receiveEarlyText,
  receiveFin,
  receiveText,
} from './receiver.js';
import { retransmitSyn } from './recovery.js';
import { SIMULTANEOUS_OPEN, SYN_ARRIVED_AGAIN } from './retransmit-cause.js';
import { rttSample } from './rtt.js';
import { setSendWindow, updateSendWindow } from './send-window.js';
import { State, transition, unreachable } from './state.js';
import { Event, type Tcb } from './tcb.js';
import { armFinWait2, armKeepAlive, stopRetransmit } from './timers.js';

/** RFC 7323 §5.5: a TS.Recent older than this is no longer trusted. ms. */
const PAWS_TRUST = 24 * 86_400_000;
const SYN_WITHIN = 'a SYN within a connection: RFC 5961 §4.2';

/**
 * SEGMENT ARRIVES for a connection (RFC 9293 §3.10.7), in the order of the RFC. Returns why the
 * segment was dropped, or `Drop.NONE`. What is to be sent in answer goes out at the end of the batch
 * (MUST-58, MUST-59), but for resets. For a segment without a connection see {@link answerClosed};
 * TIME_WAIT has its own record, see `time-wait.ts`.
 */
export function segmentArrives(tcb: Tcb, segment: Segment, now: number): Drop {
  tcb.segmentsReceived += segmentsOnWire(segment);
  tcb.host.markDirty(tcb);
  switch (tcb.state) {
    case State.CLOSED:
      return answerClosed(tcb, segment, now);
    case State.LISTEN:
      return arrivesInListen(tcb, segment, now);
    case State.SYN_SENT:
      return arrivesInSynSent(tcb, segment, now);
    case State.SYN_RECEIVED:
    case State.ESTABLISHED:
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
    case State.CLOSE_WAIT:
    case State.CLOSING:
    case State.LAST_ACK:
    case State.TIME_WAIT:
      return arrivesSynchronized(tcb, segment, now);
    default:
      return unreachable(tcb.state);
  }
}

/** §3.10.7.1 CLOSED: anything but a reset is answered with a reset. */
function answerClosed(tcb: Tcb, segment: Segment, now: number): Drop {
  if ((segment.flags & RST) === 0) sendResetFor(segment, tcb.host, tcb, now);
  return Drop.TCP_NO_CONNECTION;
}

/** §3.10.7.2 LISTEN. The host has made this TCB for the segment, as a child of its listener. */
function arrivesInListen(tcb: Tcb, segment: Segment, now: number): Drop {
  // First, check for a RST; second, for an ACK; third, for a SYN.
  if ((segment.flags & RST) !== 0) return Drop.TCP_BAD_RST;
  if ((segment.flags & ACK) !== 0) {
    sendResetFor(segment, tcb.host, tcb, now);
    return Drop.TCP_BAD_ACK;
  }
  if ((segment.flags & SYN) === 0) return Drop.TCP_BAD_FLAGS;
  takeSynOptions(tcb, segment, now);
  tcb.sndUna = tcb.iss;
  tcb.rcvAdv = add(tcb.rcvNxt, Math.min(65_535, tcb.rcvBufferLimit));
  transition(tcb, State.SYN_RECEIVED, 'SYN arrived: RFC 9293 §3.10.7.2', now);
  takeEarlyText(tcb, segment, now);
  return Drop.NONE;
}

/**
 * Text and FIN that ride on a SYN are kept, to be handed over once ESTABLISHED is reached
 * (RFC 9293 §3.10.7.2 and §3.10.7.3). They stay unacknowledged in the reassembly until then, so that
 * a peer with a forged address cannot make us hold its bytes as received.
 */
function takeEarlyText(tcb: Tcb, segment: Segment, now: number): void {
  if (segment.length > 0) {
    const room = Math.min(segment.length, diff(tcb.rcvAdv, tcb.rcvNxt));
    if (ownReassembly(tcb).insert(tcb.rcvNxt, segment.bytes, segment.offset, room)) {
      segment.pinned = true;
    }
  }
  if ((segment.flags & FIN) !== 0) {
    const reassembly = ownReassembly(tcb);
    reassembly.finSeq = add(segment.seq, segment.segLen);
    reassembly.hasFin = true;
  }
  tcb.heardAt = now;
}

/** §3.10.7.3 SYN-SENT. */
function arrivesInSynSent(tcb: Tcb, segment: Segment, now: number): Drop {
  const { flags } = segment;
  const hasAck = (flags & ACK) !== 0;
  // First, check the ACK bit.
  if (hasAck && (leq(segment.ack, tcb.iss) || gt(segment.ack, tcb.sndNxt))) {
    if ((flags & RST) === 0) sendResetFor(segment, tcb.host, tcb, now);
    return Drop.TCP_BAD_ACK;
  }
  // Second, check the RST bit.
  if ((flags & RST) !== 0) {
    if (!hasAck) return Drop.TCP_BAD_RST;
    enterClosed(tcb, 'ECONNREFUSED', 'RST in answer to our SYN: RFC 9293 §3.10.7.3', now);
    return Drop.NONE;
  }
  // Fourth, check the SYN bit. (Third, security, is not used.)
  if ((flags & SYN) === 0) return Drop.TCP_BAD_FLAGS;
  takeSynOptions(tcb, segment, now);
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  tcb.rcvAdv = add(tcb.rcvNxt, Math.min(65_535, tcb.rcvBufferLimit));
  if (hasAck) {
    acknowledgeSyn(tcb, segment, now);
    becomeEstablished(tcb, 'SYN and ACK arrived: RFC 9293 §3.10.7.3', now);
    tcb.ackNow = 'the SYN is acknowledged: RFC 9293 §3.10.7.3';
    return arrivesFromSixth(tcb, segment, now);
  }
  // Simultaneous open (MUST-10): our SYN goes out again, now with an ACK.
  transition(tcb, State.SYN_RECEIVED, 'SYN crossed ours: RFC 9293 §3.5', now);
  retransmitSyn(tcb, SIMULTANEOUS_OPEN);
  takeEarlyText(tcb, segment, now);
  return Drop.NONE;
}

/** §3.10.7.4: all states in which the peer's SYN is known. */
function arrivesSynchronized(tcb: Tcb, segment: Segment, now: number): Drop {
  const { flags } = segment;
  // First, check sequence number; before it PAWS, RFC 7323 §5.3.
  if (tcb.timestampsOk && (flags & RST) === 0) {
    const drop = checkTimestamp(tcb, segment, now);
    if (drop !== Drop.NONE) return drop;
  }
  if (!isAcceptable(tcb, segment)) return rejectUnacceptable(tcb, segment, now);
  // Second, check the RST bit.
  if ((flags & RST) !== 0) return arrivesReset(tcb, segment, now);
  // Fourth, check the SYN bit. (Third, security, is not used.)
  if ((flags & SYN) !== 0) return arrivesSyn(tcb, segment, now);
  // Fifth, check the ACK field.
  if ((flags & ACK) === 0) return Drop.TCP_NO_ACK_BIT;
  const drop = arrivesAck(tcb, segment, now);
  if (drop !== Drop.NONE || tcb.state === State.CLOSED) return drop;
  tcb.heardAt = now;
  if (tcb.keepAlive.at !== Infinity) armKeepAlive(tcb, now);
  if (tcb.ecnOk) takeMarks(tcb, segment, sendAck, now);
  noteTimestamp(tcb, segment, now);
  return arrivesFromSixth(tcb, segment, now);
}

/**
 * RFC 7323 §4.3 and §5.3 R3, for segments that have passed all checks: forged ones must not set it.
 */
function noteTimestamp(tcb: Tcb, segment: Segment, now: number): void {
  if (!tcb.timestampsOk || !leq(segment.seq, tcb.lastAckSent)) return;
  tcb.tsRecent = segment.tsVal;
  tcb.tsRecentAt = now;
}

/**
 * PAWS (RFC 7323 §5.3 R1); timestamps once agreed on are always there (RFC7323-3.2-g,
 * RFC7323-3.2-h), but for a SYN of another incarnation, which is answered (§3.5.1, RFC 5961 §4).
 */
function checkTimestamp(tcb: Tcb, segment: Segment, now: number): Drop {
  if ((segment.options & OPT_TIMESTAMPS) === 0) {
    return (segment.flags & SYN) !== 0 ? Drop.NONE : Drop.TCP_PAWS;
  }
  if (((segment.tsVal - tcb.tsRecent) | 0) >= 0) return Drop.NONE;
  if (now - tcb.tsRecentAt > PAWS_TRUST) return Drop.NONE;
  answer(tcb, segment, 'an old timestamp: RFC 7323 §5.3', now);
  return Drop.TCP_PAWS;
}

/**
 * §3.10.7.4, first: an unacceptable segment is answered with an ACK and dropped, except that valid
 * ACK, URG and RST are heeded even when our window is zero (MUST-66).
 */
function rejectUnacceptable(tcb: Tcb, segment: Segment, now: number): Drop {
  const { flags } = segment;
  if ((flags & RST) !== 0) return Drop.TCP_BAD_RST;
  if (isSynAgain(tcb, segment)) return arrivesSynAgain(tcb, segment, now);
  if ((flags & SYN) !== 0) return challenge(tcb, SYN_WITHIN, now);
  answer(tcb, segment, 'outside the window: RFC 9293 §3.10.7.4', now);
  noteOldText(tcb, segment);
  const closed = tcb.rcvAdv === tcb.rcvNxt;
  if (closed && segment.seq === tcb.rcvNxt && (flags & ACK) !== 0) {
    if (arrivesAck(tcb, segment, now) === Drop.NONE) tcb.heardAt = now;
    if (tcb.state !== State.CLOSED) arrivesUrgent(tcb, segment);
  }
  return Drop.TCP_UNACCEPTABLE_SEQ;
}

/** The SYN that brought us to SYN_RECEIVED, once more; text behind it may reach into the window. */
function isSynAgain(tcb: Tcb, segment: Segment): boolean {
  return tcb.state === State.SYN_RECEIVED && (segment.flags & SYN) !== 0 && segment.seq === tcb.irs;
}

function arrivesSynAgain(tcb: Tcb, segment: Segment, now: number): Drop {
  if ((segment.flags & ACK) === 0) {
    takeSynAgain(tcb, segment);
    // The peer has not seen our SYN,ACK: it goes out again at once.
    retransmitSyn(tcb, SYN_ARRIVED_AGAIN);
    return Drop.NONE;
  }
  tcb.ackNow = 'the SYN of the peer again: RFC 9293 §3.10.7.4';
  // A simultaneous open ends with SYN,ACK crossing SYN,ACK: the SYN is old, the ACK is news.
  if (!tcb.passive && segment.ack === tcb.sndNxt) return arrivesAck(tcb, segment, now);
  return Drop.TCP_UNACCEPTABLE_SEQ;
}

/**
 * §3.10.7.4, second: only the exact number resets, others in the window are challenged. Text that
 * comes with it means nothing (SHLD-2).
 */
function arrivesReset(tcb: Tcb, segment: Segment, now: number): Drop {
  if (segment.seq !== tcb.rcvNxt) {
    return challenge(tcb, 'a RST that is not exactly next: RFC 5961 §3.2', now);
  }
  switch (tcb.state) {
    case State.SYN_RECEIVED:
      if (tcb.passive) {
        transition(tcb, State.LISTEN, 'RST: RFC 9293 §3.10.7.4', now);
        enterClosed(tcb, null, 'the listener remains', now);
      } else {
        enterClosed(tcb, 'ECONNREFUSED', 'RST: RFC 9293 §3.10.7.4', now);
      }
      return Drop.NONE;
    case State.CLOSING:
    case State.LAST_ACK:
    case State.TIME_WAIT:
      enterClosed(tcb, tcb.orphan !== null ? null : 'ECONNRESET', 'RST: RFC 9293 §3.10.7.4', now);
      return Drop.NONE;
    default:
      enterClosed(tcb, 'ECONNRESET', 'RST: RFC 9293 §3.10.7.4', now);
      return Drop.NONE;
  }
}

/** §3.10.7.4, fourth, with RFC 5961 §4: a SYN in a synchronized state is challenged. */
function arrivesSyn(tcb: Tcb, segment: Segment, now: number): Drop {
  if (isSynAgain(tcb, segment)) return arrivesSynAgain(tcb, segment, now);
  if (tcb.state === State.SYN_RECEIVED && tcb.passive) {
    transition(tcb, State.LISTEN, 'SYN in the window: RFC 9293 §3.10.7.4', now);
    enterClosed(tcb, null, 'the listener remains', now);
    return Drop.TCP_BAD_FLAGS;
  }
  return challenge(tcb, SYN_WITHIN, now);
}

function challenge(tcb: Tcb, why: string, now: number): Drop {
  const answered = mayAnswer(ownThrottle(tcb), tcb.host.config.challengeAckLimit, now);
  if (answered) {
    tcb.host.counters.tcpChallengeAcks++;
    tcb.ackNow = why;
  }
  const { trace } = tcb.host;
  if (trace !== null) trace.challenge(tcb, answered, why, now);
  return Drop.TCP_CHALLENGE;
}

/**
 * An ACK for a segment that is not acceptable. Without a limit for those that carry nothing, two ends
 * whose numbers have come apart would answer each other for ever; text is answered each time, since its
 * sender waits for that.
 */
function answer(tcb: Tcb, segment: Segment, why: string, now: number): void {
  if (segment.segLen > 0 || mayAnswer(ownThrottle(tcb), tcb.host.config.challengeAckLimit, now)) {
    tcb.ackNow = why;
  }
}

/** §3.10.7.4, fifth. */
function arrivesAck(tcb: Tcb, segment: Segment, now: number): Drop {
  if (tcb.state === State.SYN_RECEIVED) {
    if (leq(segment.ack, tcb.sndUna) || gt(segment.ack, tcb.sndNxt)) {
      sendResetFor(segment, tcb.host, tcb, now);
      return Drop.TCP_BAD_ACK;
    }
    if (tcb.passive && !tcb.host.admit(tcb, segment, now)) return Drop.TCP_ACCEPT_QUEUE_FULL;
    acknowledgeSyn(tcb, segment, now);
    becomeEstablished(tcb, 'ACK of our SYN: RFC 9293 §3.10.7.4', now);
    return Drop.NONE;
  }
  // RFC 5961 §5.2 (MAY-12): not yet sent, too old, or of what no window ever held: nothing before the ISS.
  const acknowledged = tcb.bytesAcked + (finAcknowledged(tcb) ? 1 : 0);
  const oldest = add(tcb.sndUna, -Math.min(tcb.maxSndWnd, acknowledged));
  if (gt(segment.ack, tcb.sndNxt) || lt(segment.ack, oldest)) {
    answer(tcb, segment, 'an ACK too old or of what was never sent: RFC 5961 §5.2', now);
    return Drop.TCP_BAD_ACK;
  }
  const { flight } = tcb;
  const isNews = gt(segment.ack, tcb.sndUna);
  if (tcb.synOutstanding && isNews) establishedClosing(tcb, now);
  takeAcknowledgment(tcb, segment, now);
  if (tcb.ecnOk && (segment.flags & ECE) !== 0) onEcnEcho(tcb, flight, now);
  updateSendWindow(tcb, segment, isNews, now);
  return finAcknowledged(tcb) ? arrivesAckOfFin(tcb, now) : Drop.NONE;
}

/** The peer has acknowledged our FIN: what RFC 9293 §3.10.7.4 adds, fifth, for each state. */
function arrivesAckOfFin(tcb: Tcb, now: number): Drop {
  switch (tcb.state) {
    case State.FIN_WAIT_1:
      transition(tcb, State.FIN_WAIT_2, 'ACK of our FIN: RFC 9293 §3.10.7.4', now);
      tcb.events |= Event.FINISHED;
      if (tcb.orphan !== null) armFinWait2(tcb, tcb.orphan, now);
      return Drop.NONE;
    case State.CLOSING:
      tcb.events |= Event.FINISHED;
      enterTimeWait(tcb, 'ACK of our FIN: RFC 9293 §3.10.7.4', now);
      return Drop.NONE;
    case State.LAST_ACK:
      tcb.events |= Event.FINISHED;
      enterClosed(tcb, null, 'ACK of our FIN: RFC 9293 §3.10.7.4', now);
      return Drop.NONE;
    default:
      return Drop.NONE;
  }
}

/** §3.10.7.4, sixth to eighth: URG, text and FIN. */
function arrivesFromSixth(tcb: Tcb, segment: Segment, now: number): Drop {
  switch (tcb.state) {
    case State.ESTABLISHED:
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
      break;
    default:
      // A FIN has been received already, so there can be no new URG, text or FIN: ignored.
      if (segment.segLen > 0) tcb.ackNow = 'text or FIN after the FIN: RFC 9293 §3.10.7.4';
      return Drop.NONE;
  }
  arrivesUrgent(tcb, segment);
  if (segment.length > 0) {
    if (tcb.orphan !== null && hasNewText(tcb, segment)) return resetUnreadable(tcb, now);
    if (!tcb.hasReceived) prepareToReceive(tcb);
    timeRoundTrip(tcb, segment, now);
    receiveText(tcb, segment);
  }
  if (receiveFin(tcb, segment)) arrivesFin(tcb, now);
  return Drop.NONE;
}

/** Some of the text is beyond what the user had when letting go. */
function hasNewText(tcb: Tcb, segment: Segment): boolean {
  return gt(add(segment.seq, segment.length + ((segment.flags & SYN) >> 1)), tcb.rcvNxt);
}

/** SHLD-3: data for a user who is gone was lost, and the peer is told so. */
function resetUnreadable(tcb: Tcb, now: number): Drop {
  sendReset(tcb, now);
  enterClosed(tcb, 'ECONNRESET', 'data after close: RFC 9293 §3.6.1', now);
  return Drop.NONE;
}

/**
 * Sixth, in line as RFC 6093 has it (RFC6093-3.2-a): the pointer marks a place, the octets are
 * ordinary text. The user hears of each place that is further on (MUST-30, MUST-32, MUST-66).
 */
function arrivesUrgent(tcb: Tcb, segment: Segment): void {
  if ((segment.flags & URG) === 0) return;
  const pointer = add(segment.seq, segment.urg);
  if (leq(pointer, tcb.rcvNxt)) return;
  const urgent = ownUrgent(tcb);
  const known = urgent.mode && gt(urgent.rcvUp, tcb.rcvNxt);
  if (known && leq(pointer, urgent.rcvUp)) return;
  urgent.rcvUp = pointer;
  urgent.mode = true;
  tcb.events |= Event.URGENT;
}

/** Eighth: RCV.NXT has moved over the FIN. */
function arrivesFin(tcb: Tcb, now: number): void {
  switch (tcb.state) {
    case State.ESTABLISHED:
      transition(tcb, State.CLOSE_WAIT, 'FIN arrived: RFC 9293 §3.10.7.4', now);
      // The ACK may wait as for data (§3.8.6.3), so that it can ride on our own FIN.
      tcb.quickAcks = 0;
      return;
    case State.FIN_WAIT_1:
      tcb.ackNow = 'the FIN of the peer: RFC 9293 §3.10.7.4';
      transition(tcb, State.CLOSING, 'FIN arrived before the ACK of ours: RFC 9293 §3.6', now);
      return;
    case State.FIN_WAIT_2:
      tcb.ackNow = 'the FIN of the peer: RFC 9293 §3.10.7.4';
      enterTimeWait(tcb, 'FIN arrived: RFC 9293 §3.10.7.4', now);
      return;
    default:
      return;
  }
}

/** Our SYN is acknowledged: SND.UNA, the send window and the first round-trip sample. */
function acknowledgeSyn(tcb: Tcb, segment: Segment, now: number): void {
  // It is the minimum as well; see `first-text.ts`.
  if (tcb.synTimed && tcb.retransmits === 0) rttSample(tcb, now - tcb.waitingSince, now);
  // RFC 6298 §5.7: after a lost SYN the RTO starts from 3 s; RFC 5681 §3.1: and cwnd from one.
  if (tcb.retransmits > 0) {
    tcb.cwnd = tcb.sndMss;
    const { rtoMin, rtoMax } = tcb.host.config;
    tcb.rto = Math.min(Math.max(3_000, rtoMin), rtoMax);
  }
  tcb.retransmits = 0;
  tcb.sndUna = add(tcb.iss, 1);
  tcb.synLost = false;
  tcb.shortEnd = tcb.sndUna;
  tcb.fack = tcb.sndUna;
  tcb.highRxt = tcb.sndUna;
  stopRetransmit(tcb, now);
  if ((segment.flags & SYN) === 0) {
    setSendWindow(tcb, segment, now);
  }
}

/** The handshake is complete; what arrived with the SYN is handed over now. */
function becomeEstablished(tcb: Tcb, cause: string, now: number): void {
  transition(tcb, State.ESTABLISHED, cause, now);
  tcb.events |= Event.ESTABLISHED;
  tcb.heardAt = now;
  if (tcb.keepAlive.on) armKeepAlive(tcb, now);
  receiveEarlyText(tcb);
  if (tcb.sendBuffer.length > 0 || tcb.finQueued) tcb.waitingSince = now;
  if (tcb.finQueued) {
    tcb.finQueued = false;
    close(tcb, now);
  }
}

/** Our SYN is acknowledged in FIN_WAIT_1, which CLOSE has entered from SYN_RECEIVED. */
function establishedClosing(tcb: Tcb, now: number): void {
  if (!tcb.hasSent) prepareToSend(tcb, now);
  tcb.events |= Event.ESTABLISHED;
  if (tcb.keepAlive.on) armKeepAlive(tcb, now);
  receiveEarlyText(tcb);
}

function finAcknowledged(tcb: Tcb): boolean {
  return tcb.finQueued && tcb.sndUna === add(tcb.sendEnd, 1);
}
