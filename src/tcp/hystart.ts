import { AckTrain } from './ack-train.js';
import type { AckSample, CongestionState } from './congestion.js';

/** RFC 9406 §4.3; ms. */
const MIN_RTT_THRESH = 4;
const MAX_RTT_THRESH = 16;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
/** ACK trains count from this round trip on, ms: here RttThresh has become less than an eighth of it. */
const TRAIN_MIN_RTT = MIN_RTT_DIVISOR * MAX_RTT_THRESH;
/** And for a window so many times what the path holds: after a loss, 0.7 of it still fills the path. */
const TRAIN_WINDOW = 1.75;

export const enum SlowStart {
  /** As RFC 5681 has it, watching the round-trip time. */
  STANDARD,
  /** Conservative slow start: the round-trip time has risen, or the window is more than the path holds. */
  CONSERVATIVE,
  /** The first slow start is over, and with it HyStart++ (§4.3). */
  OVER,
}

/**
 * HyStart++ (RFC 9406): ends the first slow start when the round-trip time rises, before the queue
 * overflows. Its L, the most segments per ACK that count, is unlimited: what one ACK of a receiver
 * behind offload covers left the sender in one burst already.
 *
 * Beyond the RFC, which has dropped it: on long paths a second sign, the {@link AckTrain}, begins
 * conservative slow start. The round-trip time tells of a queue one round late, when slow start has
 * doubled the window once more; what is lost then takes one or two long round trips to repair. The
 * RFC finds ACK trains to be misled by ACKs that come in bunches. Here they do not end slow start: the
 * round-trip time has to confirm them.
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
  /** The shortest of all rounds. */
  #pathRtt = Infinity;
  /** Null: trains have misled. */
  #train: AckTrain | null = new AckTrain();
  /** It was a train that began conservative slow start. */
  #byTrain = false;

  /** To be called for every ACK of something new. */
  onSample(state: CongestionState, sample: AckSample, now: number): void {
    if (this.phase === SlowStart.OVER) return;
    if (state.cwnd >= state.ssthresh) {
      this.end();
      return;
    }
    if (state.bytesAcked >= this.#roundEnd && this.#startRound(state)) return;
    if (sample.rtt >= 0) this.#takeRtt(sample.rtt);
    if (this.phase === SlowStart.STANDARD) {
      if (!this.#checkDelay()) this.#checkTrain(state, now);
    } else if (this.#samples >= N_RTT_SAMPLE) this.#checkConservative(state);
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
    if (this.#byTrain) {
      // In five rounds of growth no queue has built up.
      this.#train = null;
      this.#resume();
      return false;
    }
    this.#leave(state);
    return true;
  }

  #takeRtt(rtt: number): void {
    this.#samples++;
    if (rtt < this.#minRtt) this.#minRtt = rtt;
    if (rtt < this.#pathRtt) this.#pathRtt = rtt;
  }

  #checkDelay(): boolean {
    if (this.#samples < N_RTT_SAMPLE || this.#lastMinRtt === Infinity) return false;
    if (!this.#hasRisen(this.#lastMinRtt)) return false;
    this.#conserve(this.#minRtt, false);
    return true;
  }

  #checkTrain(state: CongestionState, now: number): void {
    const rtt = this.#pathRtt;
    if (this.#train === null || rtt === Infinity || rtt < TRAIN_MIN_RTT) return;
    const capacity = this.#train.pathCapacity(state, rtt, now);
    if (state.cwndLimited && state.cwnd >= TRAIN_WINDOW * capacity) this.#conserve(rtt, true);
  }

  #checkConservative(state: CongestionState): void {
    if (this.#minRtt < this.#baseline) this.#resume();
    else if (this.#byTrain && this.#cssRounds > 0 && this.#hasRisen(this.#baseline)) {
      this.#leave(state);
    }
  }

  /** By RttThresh over `rtt`. */
  #hasRisen(rtt: number): boolean {
    const share = Math.min(rtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH);
    return this.#minRtt >= rtt + Math.max(MIN_RTT_THRESH, share);
  }

  #conserve(baseline: number, byTrain: boolean): void {
    this.#baseline = baseline;
    this.#byTrain = byTrain;
    this.#cssRounds = 0;
    this.phase = SlowStart.CONSERVATIVE;
  }

  #resume(): void {
    this.#baseline = Infinity;
    this.phase = SlowStart.STANDARD;
  }

  #leave(state: CongestionState): void {
    state.ssthresh = state.cwnd;
    this.end();
  }
}
