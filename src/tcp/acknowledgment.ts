import { add, diff, max } from '../base/seq.js';
import { ECE, FIN, OPT_SACK, type Segment, SYN } from '../wire/segment.js';
import { tuneSendBuffer } from './autotune.js';
import { beginSample, endSample, type RateSample } from './delivery-rate.js';
import { ownPathMtu } from './first-text.js';
import { checkMtuProbe, optionBytes } from './mtu-probe.js';
import { dropDeferred } from './path-mtu.js';
import { onAck } from './recovery.js';
import { noteMinRtt, rttSample, setRto } from './rtt.js';
import { takeAcknowledged, takeSack } from './scoreboard.js';
import { Event, LossDetection, type Tcb } from './tcb.js';
import { timestamp } from './timestamp.js';

/**
 * What an acceptable ACK (RFC 9293 §3.10.7.4, fifth) says of octets that we have sent: they leave the
 * retransmission queue, and loss recovery and congestion control hear of it. SEG.ACK may be older than
 * SND.UNA; its SACK blocks are news all the same.
 */
export function takeAcknowledgment(tcb: Tcb, segment: Segment, now: number): void {
  const acked = Math.max(diff(segment.ack, tcb.sndUna), 0);
  const duplicate = acked === 0 && tcb.hasSent && isDuplicateAck(tcb, segment);
  const mayHaveSacks = tcb.hasSent && tcb.lossDetection !== LossDetection.NEWRENO;
  const sacks = mayHaveSacks && (segment.options & OPT_SACK) !== 0;
  if (acked > 0 || duplicate || sacks) acknowledge(tcb, segment, acked, duplicate, sacks, now);
}

/**
 * SND.UNA =< SEG.ACK =< SND.NXT: takes what is acknowledged, cumulatively or by SACK, off what is
 * outstanding, and gives loss recovery and congestion control the news.
 */
function acknowledge(
  tcb: Tcb,
  segment: Segment,
  acked: number,
  duplicate: boolean,
  sacks: boolean,
  now: number,
): void {
  const { rateSample: sample } = tcb.host;
  beginSample(tcb, sample);
  if (acked > 0) {
    tcb.sndUna = segment.ack;
    dropAcknowledged(tcb);
    takeAcknowledged(tcb, sample, segment, now);
  }
  if (sacks) takeSack(tcb, sample, segment, now);
  sampleRtt(tcb, sample, segment, acked, now);
  endSample(tcb, sample);
  sample.acked = acked;
  sample.marked = (segment.flags & ECE) !== 0 ? acked : 0;
  if (acked > 0) {
    tcb.retransmits = 0;
    tcb.waitingSince = now;
    tcb.softError = null;
    tcb.shortEnd = max(tcb.shortEnd, tcb.sndUna);
  }
  onAck(tcb, segment, sample, acked, duplicate, now);
  if (acked > 0) noteCarried(tcb, acked, now);
}

/** What it tells of the path MTU that `acked` octets have arrived. */
function noteCarried(tcb: Tcb, acked: number, now: number): void {
  if (tcb.mtu.probe !== 0) checkMtuProbe(tcb, now);
  if (tcb.mtu.deferredMss !== 0) dropDeferred(tcb);
  if (acked >= tcb.sndMss) {
    const mtu = ownPathMtu(tcb);
    mtu.ackedMss = Math.max(mtu.ackedMss, tcb.sndMss + optionBytes(tcb));
  }
}

/** Octets below SND.UNA leave the send buffer. */
function dropAcknowledged(tcb: Tcb): void {
  const bytes = Math.min(diff(tcb.sndUna, tcb.sendStart), tcb.sendBuffer.length);
  if (bytes <= 0) return;
  tcb.sendBuffer.drop(bytes);
  tcb.sendStart = add(tcb.sendStart, bytes);
  tcb.delivery.bytesAcked += bytes;
  tuneSendBuffer(tcb);
  // A quarter of the buffer at a time, so that a writer is not woken for every ACK.
  if (tcb.writeBlocked && 4 * tcb.sendBuffer.free >= tcb.sendBuffer.limit) {
    tcb.events |= Event.WRITABLE;
  }
}

/**
 * RFC 6298 §3, RFC 9293 MUST-18: a sample per round trip, of what was sent once (Karn), or else the
 * echoed timestamp (RFC 7323 §4.1, §4.2).
 */
function sampleRtt(
  tcb: Tcb,
  sample: RateSample,
  segment: Segment,
  acked: number,
  now: number,
): void {
  if (sample.rtt >= 0) noteMinRtt(tcb, sample.rtt, now);
  if (sample.longestRtt >= 0) {
    if (now - tcb.roundTrips.takenAt >= tcb.srtt) rttSample(tcb, sample.longestRtt, now);
  } else if (acked === 0) {
    return;
  } else if (tcb.timestampsOk && segment.tsEcr !== 0) {
    const elapsed = (timestamp(tcb, now) - segment.tsEcr) | 0;
    if (elapsed >= 0) rttSample(tcb, elapsed, now);
  } else if (tcb.retransmits > 0) {
    return;
  }
  // RFC 6298 §5.7: an estimate that was backed off is collapsed once new data is acknowledged.
  setRto(tcb);
}

/** The five conditions of RFC 5681 §2. */
function isDuplicateAck(tcb: Tcb, segment: Segment): boolean {
  return (
    tcb.flight > 0 &&
    segment.length === 0 &&
    (segment.flags & (SYN | FIN)) === 0 &&
    segment.ack === tcb.sndUna &&
    segment.wnd << tcb.sndWindowShift === tcb.sndWnd &&
    !tcb.persisting
  );
}
