import { add, diff, gt } from '../base/seq.js';
import { LossDetection, Recovery, type Tcb } from './tcb.js';

/**
 * Octets that were never sent and may be now: what the peer's window (RFC 9293 §3.8.6) and the
 * congestion window (RFC 5681 §2) both allow. Negative when a window has shrunk (MUST-34).
 */
export function allowance(tcb: Tcb): number {
  let cwnd = tcb.cwnd;
  // RFC 3042 limited transmit: each of the first two duplicate ACKs lets one new segment out. With
  // SACK what has arrived counts no more as in flight, which comes to the same (RFC 6675 §5 step 3).
  if (
    tcb.dupAcks > 0 &&
    tcb.recovery === Recovery.OPEN &&
    tcb.lossDetection === LossDetection.NEWRENO
  ) {
    cwnd += Math.min(tcb.dupAcks, 2) * tcb.sndMss;
  }
  return Math.min(tcb.sndWnd - tcb.flight, cwnd - tcb.inFlight);
}

/**
 * Octets that may be sent again of `lost` ones that begin at the offset `used` from SND.UNA. The
 * first segment goes out even if the window has shrunk over it (RFC 9293 SHLD-16, MUST-35, MAY-7),
 * and without SACK whatever cwnd is, since its row of duplicate ACKs says that others have left.
 */
export function resendAllowance(tcb: Tcb, used: number, lost: number): number {
  const first = used === 0 ? Math.min(lost, tcb.sndMss) : 0;
  const window = Math.max(tcb.sndWnd - used, first);
  const room = Math.min(window, tcb.cwnd - tcb.inFlight);
  return tcb.lossDetection === LossDetection.NEWRENO ? Math.max(room, first) : room;
}

/** Octets in the send buffer and FIN that were never sent. */
export function unsent(tcb: Tcb): number {
  if (tcb.finQueued) return diff(add(tcb.sendEnd, 1), tcb.sndNxt);
  return diff(tcb.sendEnd, tcb.sndNxt);
}

/**
 * The sender's side of silly-window avoidance with the Nagle algorithm (RFC 9293 §3.8.6.2.1 and
 * §3.7.4, MUST-38, MUST-60, SHLD-7): whether any of the `pending` octets goes out when `room` is
 * allowed.
 */
export function sendsNow(tcb: Tcb, pending: number, room: number): boolean {
  const length = Math.min(pending, room);
  if (length <= 0) return false;
  if (length >= tcb.sndMss) return true;
  if (length === pending && (tcb.noDelay || tcb.finQueued || !shortOutstanding(tcb))) return true;
  return (tcb.noDelay || tcb.flight === 0) && length >= tcb.maxSndWnd >> 1;
}

/**
 * Minshall's form of the Nagle algorithm (RFC 9293 appendix A.3): a short segment waits only for an
 * earlier short one, so the tail of a large write does not wait for its own full segments.
 */
function shortOutstanding(tcb: Tcb): boolean {
  return tcb.flight > 0 && gt(tcb.shortEnd, tcb.sndUna);
}
