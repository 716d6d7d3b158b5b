import type { CongestionControl, CongestionState } from './congestion.js';

/**
 * Slow start and congestion avoidance of RFC 5681 §3.1, counting bytes as RFC 3465 does. Its limit of
 * 2 SMSS per ACK is left out: a receiver behind segmentation offload acknowledges tens of segments at
 * a time, and growth by what was acknowledged never does more than double the window in a round trip.
 */
export class NewReno implements CongestionControl {
  readonly name = 'newreno';
  /** Bytes acknowledged in congestion avoidance since cwnd last grew. */
  #acked = 0;

  onAck(state: CongestionState, acked: number): void {
    if (state.cwnd < state.ssthresh) {
      state.cwnd += acked;
      return;
    }
    this.#acked += acked;
    if (this.#acked >= state.cwnd) {
      this.#acked -= state.cwnd;
      state.cwnd += state.sndMss;
    }
  }

  onLoss(state: CongestionState, flight: number): void {
    state.ssthresh = Math.max(flight >> 1, 2 * state.sndMss);
    this.#acked = 0;
  }

  onTimeout(state: CongestionState, flight: number): void {
    this.onLoss(state, flight);
  }
}
