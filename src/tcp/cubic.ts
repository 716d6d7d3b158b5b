import type { AckSample, CongestionControl, CongestionState } from './congestion.js';
import { HyStart, SlowStart } from './hystart.js';

/** RFC 9438 §5.1: segments per second cubed. */
const C = 0.4;
/** §4.6: what is left of the window after a congestion event. */
const BETA = 0.7;
/** §4.3: segments per round trip in the Reno-friendly region. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** §4.7: the part of a window below W_max that is remembered as the next W_max. */
const FAST_CONVERGENCE = (1 + BETA) / 2;
/** A queue that takes less than this part of the shortest round trip is none. */
const QUEUE_SHARE = 1 / 16;

/** What a congestion event changes, and what is restored when it was none (§4.9.2). */
interface Epoch {
  /** W_max and cwnd_prior in segments; 0 before the first event. */
  wMax: number;
  cwndPrior: number;
  /** K in seconds. */
  k: number;
  /** t_epoch in ms; -1: congestion avoidance has not begun since. */
  start: number;
  /** W_est in segments. */
  wEst: number;
}

/**
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406) for the first slow start and fast convergence. Windows
 * are in segments, as in the RFC, with fractions.
 */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  readonly why = 'what has arrived lets the window grow: RFC 9438 §4.2';
  readonly #slowStart = new HyStart();
  readonly #epoch: Epoch = { wMax: -0, cwndPrior: -0, k: -0, start: -1, wEst: -0 };
  readonly #saved: Epoch = { wMax: -0, cwndPrior: -0, k: -0, start: -1, wEst: -0 };
  #savedPhase = SlowStart.STANDARD;
  /** §4.8: the next congestion avoidance follows a timeout. */
  #afterTimeout = false;
  /** When the last ACK of something new came, and whether the window could not grow by it; ms. */
  #heardAt = -1;
  #idled = false;
  /** Growth in bytes too small yet to show in cwnd. */
  #fraction = -0;
  /** See {@link #timeRound}; ms, and {@link CongestionState.delivered} at which the flight is over. */
  #shortestRtt = Infinity;
  #rttBefore = Infinity;
  #rttNow = Infinity;
  #roundEnd = -0;
  /** §4.2: where the window is to be a round trip after the target was worked out, in segments; by how
   * much each segment lets it grow, and how many more do until the next. */
  #target = -0;
  #step = -0;
  #stepsLeft = -0;

  onSample(state: CongestionState, sample: AckSample, now: number): void {
    this.#slowStart.onSample(state, sample, now);
    this.#timeRound(state, sample);
    // §4.2: time in which the application set the pace is no time of the cubic function.
    if (this.#epoch.start >= 0 && (!state.cwndLimited || this.#idled)) {
      this.#epoch.start += now - this.#heardAt;
    }
    this.#idled = false;
    this.#heardAt = now;
  }

  onAck(state: CongestionState, sample: AckSample, now: number): void {
    if (state.cwnd < state.ssthresh) {
      state.cwnd += this.#slowStart.growth(sample.ackedSacked);
      return;
    }
    if (this.#epoch.start < 0) this.#start(state, now);
    this.#grow(state, sample.ackedSacked / state.sndMss, now);
  }

  /** §4.2: where congestion avoidance begins. */
  #start(state: CongestionState, now: number): void {
    const epoch = this.#epoch;
    const cwnd = state.cwnd / state.sndMss;
    epoch.start = now;
    epoch.wEst = cwnd;
    // §4.8 after a timeout, §4.10 after slow start without loss: the plateau is here.
    if (this.#afterTimeout || epoch.wMax <= cwnd) {
      if (epoch.wMax === 0) epoch.cwndPrior = cwnd;
      epoch.wMax = cwnd;
      epoch.k = 0;
    } else {
      epoch.k = Math.cbrt((epoch.wMax - cwnd) / C);
    }
    this.#afterTimeout = false;
    this.#stepsLeft = 0;
  }

  /** §4.3 to §4.5, for so many segments that have arrived. */
  #grow(state: CongestionState, segments: number, now: number): void {
    const epoch = this.#epoch;
    const cwnd = (state.cwnd + this.#fraction) / state.sndMss;
    // §4.3: once as large as before the event, it grows as Reno does.
    epoch.wEst += ((epoch.wEst >= epoch.cwndPrior ? 1 : ALPHA) * segments) / cwnd;
    const t = (now - epoch.start) / 1000;
    if (this.wCubic(t) < epoch.wEst) {
      this.#stepsLeft = 0;
      this.#setCwnd(state, Math.max(cwnd, epoch.wEst));
      return;
    }
    if (this.#stepsLeft <= 0) this.#aim(cwnd, t + state.srtt / 1000);
    this.#stepsLeft -= segments;
    this.#setCwnd(state, Math.max(cwnd, Math.min(cwnd + this.#step * segments, this.#target)));
  }

  /**
   * §4.2: "the target congestion window size after the next RTT". It holds for a window of segments, so
   * that it is reached: with one for each ACK, each would take a part of what is left.
   */
  #aim(cwnd: number, at: number): void {
    this.#target = Math.min(Math.max(this.wCubic(at), cwnd), 1.5 * cwnd);
    this.#step = (this.#target - cwnd) / cwnd;
    this.#stepsLeft = cwnd;
  }

  /** Figure 1, in segments, `t` seconds after congestion avoidance began. */
  wCubic(t: number): number {
    const { k, wMax } = this.#epoch;
    return C * (t - k) ** 3 + wMax;
  }

  #setCwnd(state: CongestionState, segments: number): void {
    const bytes = segments * state.sndMss;
    const whole = Math.floor(bytes);
    this.#fraction = bytes - whole;
    state.cwnd = whole;
  }

  /** §4.6 and §4.7. */
  onLoss(state: CongestionState, flight: number): void {
    const epoch = this.#epoch;
    Object.assign(this.#saved, epoch);
    const cwnd = state.cwnd / state.sndMss;
    epoch.cwndPrior = cwnd;
    epoch.wMax = cwnd < epoch.wMax && this.#seesQueue() ? cwnd * FAST_CONVERGENCE : cwnd;
    epoch.start = -1;
    this.#fraction = 0;
    this.#savedPhase = this.#slowStart.phase;
    this.#slowStart.end();
    // Of cwnd where it was in full use: of a batch of ACKs, those before the loss have let it grow, and
    // what they let out is still to be sent. It never grows unless it is in use.
    const used = state.cwndLimited ? state.cwnd : flight;
    state.ssthresh = Math.max(Math.floor(used * BETA), 2 * state.sndMss);
  }

  /** The shortest round trip, and the shortest of this flight and the one before. */
  #timeRound(state: CongestionState, { rtt, priorDelivered }: AckSample): void {
    if (rtt < 0) return;
    if (priorDelivered >= this.#roundEnd) {
      this.#roundEnd = state.delivered;
      this.#rttBefore = this.#rttNow;
      this.#rttNow = rtt;
    }
    if (rtt < this.#rttNow) this.#rttNow = rtt;
    if (rtt < this.#shortestRtt) this.#shortestRtt = rtt;
  }

  /**
   * §4.7: fast convergence gives way to others where flows together have used all that there is, and
   * "SHOULD be disabled" for one that is alone. A loss while nothing stands in the queue is no sign of
   * others, nor that the path is saturated.
   */
  #seesQueue(): boolean {
    const rtt = Math.min(this.#rttNow, this.#rttBefore);
    return rtt === Infinity || rtt > this.#shortestRtt * (1 + QUEUE_SHARE);
  }

  /** §4.8. */
  onTimeout(state: CongestionState, flight: number): void {
    this.onLoss(state, flight);
    this.#afterTimeout = true;
  }

  /** §4.9: as if it had not been. */
  onUndo(): void {
    Object.assign(this.#epoch, this.#saved);
    this.#slowStart.phase = this.#savedPhase;
    this.#afterTimeout = false;
  }

  onIdleRestart(): void {
    this.#idled = true;
  }

  info(state: CongestionState): Record<string, number> {
    const { wMax, k, wEst } = this.#epoch;
    return {
      wMax: Math.round(wMax * state.sndMss),
      k: Math.round(k * 1000),
      wEst: Math.round(wEst * state.sndMss),
      slowStart: this.#slowStart.phase,
    };
  }
}
