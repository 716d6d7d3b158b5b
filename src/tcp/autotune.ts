import type { Segment } from '../wire/segment.js';
import { OPT_TIMESTAMPS } from '../wire/segment.js';
import type { Tcb } from './tcb.js';
import { timestamp } from './timestamp.js';

/**
 * Buffers that follow what the path carries, from `receiveBuffer` and `sendBuffer` up to their limits,
 * as Linux does it: the receive window to more than twice what the user reads in a round trip (dynamic
 * right-sizing), the send buffer to twice the congestion window. Neither ever shrinks.
 */

/** Shorter round trips cannot be told from timestamps of 1 ms. */
const SHORTEST_ROUND_TRIP = 1;
/** Without a sample. ms. */
const UNKNOWN_ROUND_TRIP = 100;
/** Beyond twice what was read, so that a sender in slow start is not held up: its initial window and more. */
const MARGIN_SEGMENTS = 16;

/** One sample for each echo of a new timestamp: a receiver sends nothing to time (RFC 7323 §4). */
export function timeRoundTrip(tcb: Tcb, segment: Segment, now: number): void {
  if (!tcb.timestampsOk || (segment.options & OPT_TIMESTAMPS) === 0) return;
  if (segment.tsEcr === tcb.rcvRttEcho || segment.length === 0) return;
  tcb.rcvRttEcho = segment.tsEcr;
  const sample = (timestamp(tcb, now) - segment.tsEcr) | 0;
  if (sample < 0) return;
  tcb.rcvRtt = tcb.rcvRtt === 0 ? sample : tcb.rcvRtt + (sample - tcb.rcvRtt) / 8;
}

/** Once per round trip: lets the window grow with what the user has read in it. */
export function tuneReceiveBuffer(tcb: Tcb, now: number): void {
  const limit = tcb.host.config.receiveBufferMax;
  if (tcb.host.memoryExceeded || tcb.rcvBufferLimit >= limit) return;
  if (now - tcb.rcvSpaceSince < receiverRoundTrip(tcb)) return;
  const total = tcb.bytesReceived - tcb.receiveQueue.length;
  const read = total - tcb.rcvSpaceFrom;
  tcb.rcvSpaceSince = now;
  tcb.rcvSpaceFrom = total;
  if (read <= tcb.rcvSpace) return;
  const twice = 2 * read + MARGIN_SEGMENTS * tcb.rcvMss;
  // What grows so fast goes on growing while the larger window becomes known.
  const window = twice * (1 + (2 * (read - tcb.rcvSpace)) / tcb.rcvSpace);
  tcb.rcvBufferLimit = Math.max(tcb.rcvBufferLimit, Math.min(Math.ceil(window), limit));
  tcb.rcvSpace = read;
}

/** Room for what is outstanding and for as much again, to be sent when it is acknowledged. */
export function tuneSendBuffer(tcb: Tcb): void {
  const { sendBuffer, cwnd } = tcb;
  if (2 * cwnd <= sendBuffer.limit || tcb.host.memoryExceeded) return;
  sendBuffer.limit = Math.max(
    sendBuffer.limit,
    Math.min(Math.ceil(2 * cwnd), tcb.host.config.sendBufferMax),
  );
}

function receiverRoundTrip(tcb: Tcb): number {
  const rtt = tcb.rcvRtt > 0 ? tcb.rcvRtt : tcb.srtt > 0 ? tcb.srtt : UNKNOWN_ROUND_TRIP;
  return Math.max(rtt, SHORTEST_ROUND_TRIP);
}
