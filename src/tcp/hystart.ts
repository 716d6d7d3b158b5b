import type { AckSample, CongestionState } from './congestion.js';

/** RFC 9406 §4.3; ms. */
const MIN_RTT_THRESH = 4;
const MAX_RTT_THRESH = 16;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

export const enum SlowStart {
  /** As RFC 5681 has it, watching the round-trip time. */
  STANDARD,
  /** Conservative slow start: the round-trip time has risen. */
  CONSERVATIVE,
  /** The first slow start is over, and with it HyStart++ (§4.3). */
  OVER,
}

/**
 * HyStart++ (RFC 9406): ends the first slow start when the round-trip time rises, before the queue
 * overflows. Its L, the most segments per ACK that count, is unlimited: what one ACK of a receiver
 * behind offload covers left the sender in one burst already.
 */
export class HyStart {
  phase: SlowStart = SlowStart.STANDARD;
  /** {@link CongestionState.bytesAcked} at which the round ends: windowEnd. */
  #roundEnd = -0;
  #lastMinRtt = Infinity;
  #minRtt = Infinity;
  #samples = 0;
  #baseline = Infinity;
  #cssRounds = 0;

  /** To be called for every ACK of something new. */
  onSample(state: CongestionState, sample: AckSample): void {
    if (this.phase === SlowStart.OVER) return;
    if (state.cwnd >= state.ssthresh) {
      this.end();
      return;
    }
    if (state.bytesAcked >= this.#roundEnd && this.#startRound(state)) return;
    if (sample.rtt < 0) return;
    this.#samples++;
    if (sample.rtt < this.#minRtt) this.#minRtt = sample.rtt;
    if (this.#samples < N_RTT_SAMPLE) return;
    if (this.phase === SlowStart.STANDARD) this.#checkDelay();
    else if (this.#minRtt < this.#baseline) this.#resume();
  }

  /** Bytes by which cwnd grows in slow start for `delivered` ones. */
  growth(delivered: number): number {
    if (this.phase !== SlowStart.CONSERVATIVE) return delivered;
    return Math.ceil(delivered / CSS_GROWTH_DIVISOR);
  }

  /** Loss or a congestion mark was seen. */
  end(): void {
    this.phase = SlowStart.OVER;
  }

  /** True: it was the last of conservative slow start. */
  #startRound(state: CongestionState): boolean {
    const first = this.#roundEnd === 0;
    this.#roundEnd = state.bytesAcked + state.flight;
    this.#lastMinRtt = this.#minRtt;
    this.#minRtt = Infinity;
    this.#samples = 0;
    if (first || this.phase !== SlowStart.CONSERVATIVE) return false;
    if (++this.#cssRounds < CSS_ROUNDS) return false;
    state.ssthresh = state.cwnd;
    this.end();
    return true;
  }

  #checkDelay(): void {
    if (this.#lastMinRtt === Infinity) return;
    const share = Math.min(this.#lastMinRtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH);
    if (this.#minRtt < this.#lastMinRtt + Math.max(MIN_RTT_THRESH, share)) return;
    this.#baseline = this.#minRtt;
    this.#cssRounds = 0;
    this.phase = SlowStart.CONSERVATIVE;
  }

  #resume(): void {
    this.#baseline = Infinity;
    this.phase = SlowStart.STANDARD;
  }
}
