import { diff, gt, type Seq } from '../base/seq.js';
import { Recovery, type Tcb } from './tcb.js';

/**
 * Octets that may be sent from `from` on: what the peer's window (RFC 9293 §3.8.6) and the congestion
 * window (RFC 5681 §2) both allow. Negative when a window has shrunk (MUST-34).
 */
export function allowance(tcb: Tcb, from: Seq): number {
  const used = diff(from, tcb.sndUna);
  let cwnd = tcb.cwnd;
  // RFC 3042 limited transmit: each of the first two duplicate ACKs lets one new segment out.
  if (tcb.recovery === Recovery.OPEN && tcb.dupAcks > 0 && from === tcb.sndNxt) {
    cwnd += Math.min(tcb.dupAcks, 2) * tcb.sndMss;
  }
  return Math.min(tcb.sndWnd, cwnd) - used;
}

/**
 * The sender's side of silly-window avoidance with the Nagle algorithm (RFC 9293 §3.8.6.2.1 and
 * §3.7.4, MUST-38, SHLD-7): whether any of the `pending` octets goes out when `room` is allowed.
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
