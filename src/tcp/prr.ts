import { setRecoveryWindow } from './congestion-window.js';
import type { Tcb } from './tcb.js';

/**
 * Proportional Rate Reduction (RFC 6937 §3): spreads the fall from the window at the loss to ssthresh
 * over one round trip, by the octets that each ACK says have arrived. Of `flight`, `owed` octets should
 * have been sent before: ACKs of the same batch have let them out. They count as arrived, and so wait
 * for their turn as all else does.
 */
export function beginReduction(tcb: Tcb, flight: number, owed: number): void {
  const { episode } = tcb;
  episode.prrDelivered = owed;
  episode.prrOut = 0;
  episode.prrFlight = Math.max(flight, tcb.sndMss);
}

/**
 * So many octets have arrived in recovery: sets cwnd so that `sndcnt` more may be sent. With `healthy`,
 * which means progress without further loss, the bound is slow start (PRR-SSRB), else packet
 * conservation (PRR-CRB); so RFC 6937 §3 leaves it to the sender, and so Linux decides.
 */
export function reduceProportionally(tcb: Tcb, delivered: number, healthy: boolean): void {
  const { episode, ssthresh, sndMss, inFlight } = tcb;
  episode.prrDelivered += delivered;
  let sndcnt: number;
  if (inFlight > ssthresh) {
    sndcnt = Math.ceil((episode.prrDelivered * ssthresh) / episode.prrFlight) - episode.prrOut;
  } else {
    const conserved = Math.max(episode.prrDelivered - episode.prrOut, delivered);
    sndcnt = Math.min(ssthresh - inFlight, healthy ? conserved + sndMss : conserved);
  }
  // The first retransmission goes out at once (RFC 5681 §3.2).
  if (episode.prrOut === 0) sndcnt = Math.max(sndcnt, sndMss);
  setRecoveryWindow(tcb, Math.max(inFlight + Math.max(sndcnt, 0), sndMss));
}
