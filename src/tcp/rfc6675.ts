import { geq, lt, type Seq } from '../base/seq.js';
import type { RateSample } from './delivery-rate.js';
import { DUP_THRESHOLD, markLost } from './rack.js';
import { Sent } from './sent-segments.js';
import type { Tcb } from './tcb.js';

/**
 * Loss told from the SACK scoreboard (RFC 6675 §4, `IsLost`): a hole below DupThresh discontiguous
 * SACKed ranges, or below more than DupThresh - 1 segments' worth of SACKed octets, is lost. What was
 * sent again is not looked at a second time: if it is lost too, the retransmission timer finds out.
 */
export function detectLossByOctets(tcb: Tcb, sample: RateSample): void {
  const { sent } = tcb;
  if (sent.sacked === 0) return;
  const enough = (DUP_THRESHOLD - 1) * tcb.sndMss;
  let above = 0;
  let ranges = 0;
  for (let row = sent.length - 1; row >= 0; row--) {
    const flags = sent.flags(row);
    if ((flags & Sent.SACKED) !== 0) {
      above += sent.size(row);
      ranges++;
    } else if (
      (flags & Sent.RETRANSMITTED) === 0 &&
      (ranges >= DUP_THRESHOLD || above > enough || (row === 0 && tcb.dupAcks >= DUP_THRESHOLD))
    ) {
      markLost(tcb, row, sample);
    }
  }
}

/**
 * Rule (3) of `NextSeg`: with nothing lost and nothing new to send, the lowest hole that was not sent
 * again goes out, so that ACKs keep coming. Returns its row, or -1.
 */
export function lastResort(tcb: Tcb): number {
  const { sent, highRxt, fack } = tcb;
  for (let row = 0; row < sent.length; row++) {
    const start: Seq = sent.start(row);
    if (!lt(start, fack)) return -1;
    if ((sent.flags(row) & (Sent.SACKED | Sent.RETRANSMITTED)) === 0 && geq(start, highRxt)) {
      return row;
    }
  }
  return -1;
}
