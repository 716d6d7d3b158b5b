import type { AckSample, CongestionControl, CongestionState } from './congestion.js';
import { NewReno } from './newreno.js';

/** RFC 8257 §4.2: gain of the estimate. */
const G = 1 / 16;

/**
 * DCTCP (RFC 8257): the window falls by half of the fraction of bytes that were marked. For networks
 * in which every switch marks at a low threshold and both ends do this; growth and the answer to loss
 * are those of {@link NewReno}.
 */
export class Dctcp implements CongestionControl {
  readonly name = 'dctcp';
  readonly needsEcn = true;
  readonly exactEcho = true;
  readonly #reno = new NewReno();
  /** DCTCP.Alpha, from 0 to 1 (§3.3). */
  #alpha = 1;
  /** {@link CongestionState.bytesAcked} at which the window of observation ends. */
  #windowEnd = -0;
  #acked = 0;
  #marked = 0;

  init(state: CongestionState): void {
    this.#windowEnd = state.bytesAcked;
  }

  onSample(state: CongestionState, sample: AckSample): void {
    this.#acked += sample.acked;
    this.#marked += sample.marked;
    if (state.bytesAcked <= this.#windowEnd || this.#acked === 0) return;
    this.#alpha = this.#alpha * (1 - G) + G * Math.min(1, this.#marked / this.#acked);
    this.#windowEnd = state.bytesAcked + state.flight;
    this.#acked = 0;
    this.#marked = 0;
  }

  onAck(state: CongestionState, sample: AckSample): void {
    this.#reno.onAck(state, sample);
  }

  onEcnEcho(state: CongestionState): void {
    this.#reno.onLoss(state, state.cwnd);
    const cwnd = Math.floor(state.cwnd * (1 - this.#alpha / 2));
    state.ssthresh = Math.max(cwnd, 2 * state.sndMss);
  }

  onLoss(state: CongestionState, flight: number): void {
    this.#reno.onLoss(state, flight);
  }

  onTimeout(state: CongestionState, flight: number): void {
    this.#reno.onLoss(state, flight);
  }

  info(): Record<string, number> {
    return { alpha: this.#alpha, marked: this.#marked, acked: this.#acked };
  }
}
