import { diff, lt, min } from '../base/seq.js';
import { noteDelivered, type RateSample } from './delivery-rate.js';
import { Sent } from './sent-segments.js';
import type { Tcb } from './tcb.js';

/** SND.UNA has moved: takes what it covers off the rows, into the sample. */
export function takeAcknowledged(tcb: Tcb, sample: RateSample, now: number): void {
  const { sent, sndUna } = tcb;
  let again = 0;
  while (sent.length > 0 && lt(sent.start(0), sndUna)) {
    const flags = sent.flags(0);
    again |= flags & Sent.RETRANSMITTED;
    if ((flags & Sent.SACKED) === 0) {
      const end = min(sent.end(0), sndUna);
      const rtt = now - sent.sentAt(0);
      if (sample.longestRtt < 0) sample.longestRtt = rtt;
      sample.rtt = rtt;
      noteDelivered(tcb, 0, diff(end, sent.start(0)), end, sample, now);
    }
    sent.dropFront(sndUna);
  }
  if (again === 0) return;
  // Karn (RFC 6298 §3): nor does what waited at the peer for a retransmission give a sample.
  sample.rtt = -1;
  sample.longestRtt = -1;
}
