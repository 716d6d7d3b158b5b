import { gt, type Seq, seq } from '../base/seq.js';
import type { AckSample } from './congestion.js';
import { Sent } from './sent-segments.js';
import type { Tcb } from './tcb.js';

/**
 * What one ACK tells of the path: the rate sample of draft-cheng-iccrg-delivery-rate-estimation §3.3
 * (`rs`), in the names of the draft where it has one. Bytes and ms. One object is filled again for each
 * ACK.
 */
export class RateSample implements AckSample {
  /** Bytes that were acknowledged cumulatively, and of them those whose ACK echoes a mark. */
  acked = 0;
  marked = 0;
  /** Bytes in the network before this ACK. */
  priorInFlight = 0;
  /** Bytes that this ACK says have arrived, cumulatively or by SACK, and that none before did. */
  ackedSacked = 0;
  /** Bytes taken for lost on account of this ACK. */
  newlyLost = 0;
  /** Round-trip time of what was sent last of all that has newly arrived; -1 when none is known. */
  rtt = -1;
  /** The same of what was sent first: with the time that the peer delayed its ACK. */
  longestRtt = -1;
  /** False: nothing arrived, and the fields below mean nothing. */
  hasData = false;
  /** rs.prior_delivered and rs.prior_time: C.delivered and its time when the newest was sent. */
  priorDelivered = -0;
  priorAt = -0;
  /** rs.is_app_limited: the application left the pipe empty, so that the rate is a lower bound. */
  isAppLimited = false;
  /** rs.tx_in_flight: bytes in the network when the newest was sent, its own counted. */
  txInFlight = 0;
  /** rs.lost: bytes taken for lost between then and now. */
  lost = -0;
  /** rs.delivered: bytes that arrived between then and now. */
  delivered = -0;
  sendElapsed = -0;
  ackElapsed = -0;
  /** rs.interval; -1 when it is shorter than a round trip can be, and the rate not to be believed. */
  interval = -0;
  /** rs.delivery_rate in bytes per ms; 0 when there is none. */
  deliveryRate = -0;
  /** When the newest was sent, and where it ends. */
  sentAt = -0;
  end: Seq = seq(0);
  lostBefore = -0;

  // What loss recovery asks of the ACK besides.
  /** Of {@link ackedSacked}, what came by SACK. */
  newlySacked = 0;
  /** When what was at SND.UNA was sent for the second time; -1: not twice, or the ACK has not moved on. */
  headAgainAt = -1;
  /** The highest number that is known to have arrived. */
  highest: Seq = seq(0);
  /** Latest time of sending among what RACK goes by in this ACK. */
  rackSentAt = -0;
  /** A D-SACK block (RFC 2883): octets that the peer has received twice. */
  dsack = false;
  dsackLeft: Seq = seq(0);
  dsackRight: Seq = seq(0);
}

/** An ACK is about to be looked at. */
export function beginSample(tcb: Tcb, sample: RateSample): void {
  sample.acked = 0;
  sample.marked = 0;
  sample.priorInFlight = tcb.inFlight;
  sample.newlySacked = 0;
  sample.headAgainAt = -1;
  sample.highest = tcb.fack;
  sample.rackSentAt = 0;
  sample.dsack = false;
  sample.ackedSacked = 0;
  sample.newlyLost = 0;
  sample.rtt = -1;
  sample.longestRtt = -1;
  sample.hasData = false;
  sample.deliveryRate = 0;
  sample.interval = -1;
}

/** Something is about to be sent; called before it is noted (the draft's SendPacket). */
export function startFlight(tcb: Tcb, now: number): void {
  if (tcb.sent.length > 0) return;
  tcb.delivery.firstSentAt = now;
  tcb.delivery.deliveredAt = now;
}

/** So many octets of a row, up to `end`, have arrived (UpdateRateSample). */
export function noteDelivered(
  tcb: Tcb,
  row: number,
  octets: number,
  end: Seq,
  sample: RateSample,
  now: number,
): void {
  const { sent } = tcb;
  tcb.delivery.delivered += octets;
  tcb.delivery.deliveredAt = now;
  sample.ackedSacked += octets;
  const sentAt = sent.sentAt(row);
  if (
    sample.hasData &&
    !(sentAt > sample.sentAt || (sentAt === sample.sentAt && gt(end, sample.end)))
  )
    return;
  sample.hasData = true;
  sample.sentAt = sentAt;
  sample.end = end;
  sample.priorDelivered = sent.delivered(row);
  sample.priorAt = sent.deliveredAt(row);
  sample.isAppLimited = (sent.flags(row) & Sent.APP_LIMITED) !== 0;
  sample.txInFlight = sent.txInFlight(row);
  sample.lostBefore = sent.lostTotal(row);
  sample.sendElapsed = sentAt - sent.burstAt(row);
  sample.ackElapsed = now - sample.priorAt;
  tcb.delivery.firstSentAt = sentAt;
}

/** All that the ACK says is known (GenerateRateSample). */
export function endSample(tcb: Tcb, sample: RateSample): void {
  const { delivery } = tcb;
  if (delivery.appLimited !== 0 && delivery.delivered > delivery.appLimited)
    delivery.appLimited = 0;
  if (!sample.hasData) return;
  sample.lost = delivery.lost - sample.lostBefore;
  sample.delivered = delivery.delivered - sample.priorDelivered;
  const interval = Math.max(sample.sendElapsed, sample.ackElapsed);
  // Less than the shortest round trip: what was retransmitted in vain, or ACKs that came together.
  if (interval <= 0 || interval < tcb.minRtt) return;
  sample.interval = interval;
  sample.deliveryRate = sample.delivered / interval;
  if (!sample.isAppLimited || sample.deliveryRate * 1_000 >= delivery.rate) {
    delivery.rate = sample.deliveryRate * 1_000;
  }
}

/** The application has nothing more to send although more may be sent (draft §3.4). */
export function markAppLimited(tcb: Tcb): void {
  if (!tcb.hasSent) return;
  tcb.delivery.appLimited = Math.max(tcb.delivery.delivered + tcb.inFlight, 1);
}
