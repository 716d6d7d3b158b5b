import { lt } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import { OPT_TIMESTAMPS } from '../wire/segment.js';
import type { Tcb } from './tcb.js';
import { timestamp } from './timestamp.js';

/**
 * Buffers that follow what the path carries, from `receiveBuffer` and `sendBuffer` up to their limits,
 * as Linux does it: the receive window to more than twice what the user reads in a round trip (dynamic
 * right-sizing), the send buffer to twice the congestion window. Neither ever shrinks.
 *
 * Larger than that they only make queues. Where a round trip is a fraction of a millisecond, as to the
 * kernel at the other end of a TUN device, these queues would be all of the buffers, and what waits
 * there leaves the caches: such round trips are told apart here, and held to.
 */

/** ms. Shorter round trips cannot be told by timestamps, which count in ms. */
const COARSE_ROUND_TRIP = 2;
/** ms. A host that takes in a batch of packets at a time answers no faster. */
const SHORTEST_ROUND_TRIP = 0.25;
/** ms. A path that was short, and is now longer than what a full receive buffer adds, has changed. */
const CHANGED_ROUND_TRIP = 16;
/** Send buffer, in what the path holds at its rate: what is outstanding twice over, and a queue as long. */
const PATHS_IN_SEND_BUFFER = 4;
/** Without a sample. ms. */
const UNKNOWN_ROUND_TRIP = 100;
/** Beyond twice what was read, so that a sender in slow start is not held up: its initial window and more. */
const MARGIN_SEGMENTS = 16;

/** One sample for each echo of a new timestamp: a receiver sends nothing to time (RFC 7323 §4). */
export function timeRoundTrip(tcb: Tcb, segment: Segment, now: number): void {
  if (!tcb.timestampsOk || (segment.options & OPT_TIMESTAMPS) === 0) return;
  if (segment.tsEcr === tcb.autotune.echo || segment.length === 0) return;
  tcb.autotune.echo = segment.tsEcr;
  const sample = (timestamp(tcb, now) - segment.tsEcr) | 0;
  if (sample < 0) return;
  tcb.autotune.rtt =
    tcb.autotune.rtt === 0 ? sample : tcb.autotune.rtt + (sample - tcb.autotune.rtt) / 8;
}

/**
 * What was announced when `timedTo` was, has now all arrived: that takes at least a round
 * trip, and not much more where the window is what holds the sender up. The shortest is kept.
 */
function timeWindow(tcb: Tcb, now: number): void {
  const begun = tcb.autotune.timedFrom > 0;
  if (begun && lt(tcb.rcvNxt, tcb.autotune.timedTo)) return;
  const took = now - tcb.autotune.timedFrom;
  if (begun && took > 0 && (tcb.autotune.windowTime === 0 || took < tcb.autotune.windowTime))
    tcb.autotune.windowTime = took;
  tcb.autotune.timedTo = tcb.rcvAdv;
  tcb.autotune.timedFrom = now;
}

/** Once per round trip: lets the window grow with what the user has read in it. */
export function tuneReceiveBuffer(tcb: Tcb, now: number): void {
  const limit = tcb.host.config.receiveBufferMax;
  if (tcb.host.memoryExceeded || tcb.rcvBufferLimit >= limit) return;
  if (tcb.timestampsOk) timeWindow(tcb, now);
  const roundTrip = receiverRoundTrip(tcb);
  const elapsed = now - tcb.autotune.since;
  if (elapsed < Math.max(roundTrip, COARSE_ROUND_TRIP)) return;
  const total = tcb.bytesReceived - tcb.receiveQueue.length;
  let read = total - tcb.autotune.from;
  tcb.autotune.since = now;
  tcb.autotune.from = total;
  // Of what comes in bursts, the mean.
  if (isShort(tcb)) read *= roundTrip / elapsed;
  if (read <= tcb.autotune.space) return;
  let window = 2 * read + MARGIN_SEGMENTS * tcb.rcvMss;
  // What grows so fast goes on growing while the larger window becomes known.
  window *= 1 + (2 * (read - tcb.autotune.space)) / tcb.autotune.space;
  window = Math.min(Math.ceil(window), 2 * tcb.rcvBufferLimit, limit);
  tcb.rcvBufferLimit = Math.max(tcb.rcvBufferLimit, window);
  tcb.autotune.space = read;
}

/** Room for what is outstanding and for as much again, to be sent when it is acknowledged. */
export function tuneSendBuffer(tcb: Tcb): void {
  const { sendBuffer } = tcb;
  const wanted = Math.ceil(Math.min(2 * tcb.cwnd, usefulSendBuffer(tcb)));
  if (wanted <= sendBuffer.limit || tcb.host.memoryExceeded) return;
  sendBuffer.limit = Math.max(sendBuffer.limit, Math.min(wanted, tcb.host.config.sendBufferMax));
}

/** Bytes. On a short path where nothing is ever lost, cwnd is far more. */
function usefulSendBuffer(tcb: Tcb): number {
  const isShort = tcb.minRtt > 0 && tcb.minRtt < COARSE_ROUND_TRIP && tcb.srtt < CHANGED_ROUND_TRIP;
  if (!isShort || tcb.delivery.rate === 0) return Infinity;
  return PATHS_IN_SEND_BUFFER * (tcb.delivery.rate / 1_000) * tcb.minRtt;
}

/** What timestamps cannot tell, and would tell too long once the buffers are full. */
function isShort(tcb: Tcb): boolean {
  const { rtt, windowTime } = tcb.autotune;
  return windowTime > 0 && windowTime < COARSE_ROUND_TRIP && rtt < CHANGED_ROUND_TRIP;
}

/** ms */
function receiverRoundTrip(tcb: Tcb): number {
  if (!tcb.timestampsOk || tcb.autotune.echo === 0)
    return tcb.srtt > 0 ? tcb.srtt : UNKNOWN_ROUND_TRIP;
  if (isShort(tcb)) return Math.max(tcb.autotune.windowTime, SHORTEST_ROUND_TRIP);
  return Math.max(tcb.autotune.rtt, COARSE_ROUND_TRIP);
}
