import type { AckSample, CongestionControl, CongestionState } from './congestion.js';
import { HyStart } from './hystart.js';

/**
 * Slow start and congestion avoidance of RFC 5681 §3.1 (RFC 9293 MUST-19), counting bytes as RFC
 * 3465 does. Its limit of 2 SMSS per ACK is left out: a receiver behind segmentation offload
 * acknowledges tens of segments at a time, and growth by what has arrived never does more than
 * double the window in a round trip.
 */
export class NewReno implements CongestionControl {
  readonly name = 'newreno';
  /** Bytes acknowledged in congestion avoidance since cwnd last grew. */
  #acked = 0;
  readonly #slowStart: HyStart | null;

  /** @param hystart leave the first slow start by HyStart++ (RFC 9406) rather than by loss */
  constructor({ hystart = false }: { hystart?: boolean } = {}) {
    this.#slowStart = hystart ? new HyStart() : null;
  }

  onSample(state: CongestionState, sample: AckSample, now: number): void {
    this.#slowStart?.onSample(state, sample, now);
  }

  onAck(state: CongestionState, sample: AckSample): void {
    if (state.cwnd < state.ssthresh) {
      state.cwnd += this.#slowStart?.growth(sample.ackedSacked) ?? sample.ackedSacked;
      return;
    }
    this.#acked += sample.ackedSacked;
    if (this.#acked >= state.cwnd) {
      this.#acked -= state.cwnd;
      state.cwnd += state.sndMss;
    }
  }

  onLoss(state: CongestionState, flight: number): void {
    state.ssthresh = Math.max(flight >> 1, 2 * state.sndMss);
    this.#acked = 0;
    this.#slowStart?.end();
  }

  onTimeout(state: CongestionState, flight: number): void {
    this.onLoss(state, flight);
  }
}
