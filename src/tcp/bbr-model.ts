import type { AckSample, CongestionState, LossSample } from './congestion.js';

/** Names and values of the constants are those of draft-ietf-ccwg-bbr; ms where they are times. */
const MIN_RTT_FILTER = 10_000;
const PROBE_RTT_INTERVAL = 5_000;
const STARTUP_FULL_BW_THRESHOLD = 1.25;
const STARTUP_FULL_BW_COUNT = 3;
const EXTRA_ACKED_ROUNDS = 5;
export const LOSS_THRESHOLD = 0.02;
export const BETA = 0.7;
/** Those of Linux's BBRv3 for exact marks. */
const ECN_ALPHA_GAIN = 1 / 16;
const ECN_FACTOR = 1 / 3;
export const ECN_THRESHOLD = 0.5;

/** The larger of what was seen in the current period and in the one before. */
class TwoPeriodMax {
  #current = -0;
  #previous = -0;

  get value(): number {
    return Math.max(this.#current, this.#previous);
  }

  take(sample: number): void {
    if (sample > this.#current) this.#current = sample;
  }

  advance(): void {
    this.#previous = this.#current;
    this.#current = 0;
  }
}

/**
 * The path as BBR sees it (draft-ietf-ccwg-bbr, "Updating Network Path Model Parameters"): how fast it
 * delivers, how long a round trip takes, and how much the latest signs of congestion let be in flight.
 * Rates are bytes per ms, amounts bytes, times ms.
 */
export class BbrModel {
  readonly #maxBw = new TwoPeriodMax();
  readonly #extraAcked = new TwoPeriodMax();
  /** Lower bounds from congestion of late; Infinity: none. */
  bwLo = Infinity;
  inflightLo = Infinity;
  /** The rate to go by. */
  bw = -0;

  minRtt = Infinity;
  #minRttAt = -0;
  probeRttMinDelay = Infinity;
  probeRttMinAt = -0;
  probeRttExpired = false;

  roundStart = false;
  roundCount = 0;
  #nextRoundDelivered = -0;
  lossRoundStart = false;
  #lossRoundDelivered = -0;
  lossInRound = false;
  lossEventsInRound = 0;
  bwLatest = -0;
  inflightLatest = -0;

  fullBw = -0;
  #fullBwCount = 0;
  fullBwNow = false;
  fullBwReached = false;

  #extraSince = -0;
  #extraDelivered = -0;
  #extraRounds = 0;

  /** Part of what was sent of late that was marked, 0 to 1, and within this round. */
  ecnAlpha = 1;
  ecnInRound = false;
  markedRatio = -0;
  #roundAcked = -0;
  #roundMarked = -0;

  constructor(readonly exactEcn: boolean) {}

  init(state: CongestionState, now: number): void {
    this.minRtt = state.srtt > 0 ? state.srtt : Infinity;
    this.probeRttMinDelay = this.minRtt;
    this.#minRttAt = now;
    this.probeRttMinAt = now;
    this.#extraSince = now;
    this.startRound(state);
  }

  get maxBw(): number {
    return this.#maxBw.value;
  }

  get extraAcked(): number {
    return this.#extraAcked.value;
  }

  /** `bw` x `minRtt`; `unknown` before both are measured. */
  bdp(bw: number, unknown: number): number {
    return this.minRtt === Infinity || bw === 0 ? unknown : bw * this.minRtt;
  }

  startRound(state: CongestionState): void {
    this.#nextRoundDelivered = state.delivered;
  }

  /** The steps of BBRUpdateModelAndState that concern the model, up to the check for a full pipe. */
  update(state: CongestionState, sample: AckSample, isProbing: boolean, now: number): void {
    this.#updateLatest(state, sample);
    this.#updateRound(state, sample);
    this.#updateEcn(sample);
    if (sample.deliveryRate >= this.maxBw || !sample.isAppLimited) {
      this.#maxBw.take(sample.deliveryRate);
    }
    if (sample.newlyLost > 0) {
      this.lossInRound = true;
      this.lossEventsInRound++;
    }
    if (this.lossRoundStart) {
      if (!isProbing) this.#adaptLowerBounds(state);
      this.lossInRound = false;
      this.ecnInRound = false;
    }
    this.#updateExtraAcked(state, sample, now);
    this.#checkFullBw(sample);
    this.#updateMinRtt(sample, now);
  }

  /** BBRUpdateLatestDeliverySignals. */
  #updateLatest(state: CongestionState, sample: AckSample): void {
    this.lossRoundStart = sample.priorDelivered >= this.#lossRoundDelivered;
    if (this.lossRoundStart) this.#lossRoundDelivered = state.delivered;
    this.bwLatest = Math.max(this.bwLatest, sample.deliveryRate);
    this.inflightLatest = Math.max(this.inflightLatest, sample.delivered);
  }

  /** BBRAdvanceLatestDeliverySignals and BBRBoundBWForModel, which end the update. */
  finish(sample: AckSample): void {
    if (this.lossRoundStart) {
      this.bwLatest = sample.deliveryRate;
      this.inflightLatest = sample.delivered;
      this.lossEventsInRound = 0;
    }
    this.bw = Math.min(this.maxBw, this.bwLo);
  }

  #updateRound(state: CongestionState, sample: AckSample): void {
    this.roundStart = sample.priorDelivered >= this.#nextRoundDelivered;
    if (!this.roundStart) return;
    this.startRound(state);
    this.roundCount++;
    if (++this.#extraRounds >= (this.fullBwReached ? EXTRA_ACKED_ROUNDS : 1)) {
      this.#extraAcked.advance();
      this.#extraRounds = 0;
    }
  }

  #updateEcn(sample: AckSample): void {
    this.#roundAcked += sample.acked;
    this.#roundMarked += sample.marked;
    if (sample.marked > 0) this.ecnInRound = true;
    if (!this.roundStart || this.#roundAcked === 0) return;
    this.markedRatio = this.#roundMarked / this.#roundAcked;
    this.ecnAlpha += ECN_ALPHA_GAIN * (this.markedRatio - this.ecnAlpha);
    this.#roundAcked = 0;
    this.#roundMarked = 0;
  }

  /** A round with loss or marks lowers what may be sent, until the next probe. */
  #adaptLowerBounds(state: CongestionState): void {
    const marked = this.ecnInRound;
    if (!this.lossInRound && !marked) return;
    // A mark that says no more than that there were some counts as loss does (RFC 3168 §5).
    const cutByLoss = this.lossInRound || !this.exactEcn;
    const ecnFactor = 1 - this.ecnAlpha * ECN_FACTOR;
    if (this.inflightLo === Infinity) this.inflightLo = state.cwnd;
    const afterEcn = marked && this.exactEcn ? this.inflightLo * ecnFactor : Infinity;
    let afterLoss = Infinity;
    if (cutByLoss) {
      if (this.bwLo === Infinity) this.bwLo = this.maxBw;
      this.bwLo = Math.max(this.bwLatest, BETA * this.bwLo);
      afterLoss = Math.max(this.inflightLatest, BETA * this.inflightLo);
    }
    this.inflightLo = Math.min(afterLoss, afterEcn);
  }

  resetLowerBounds(): void {
    this.bwLo = Infinity;
    this.inflightLo = Infinity;
  }

  resetCongestionSignals(): void {
    this.lossInRound = false;
    this.ecnInRound = false;
    this.bwLatest = 0;
    this.inflightLatest = 0;
  }

  advanceMaxBw(): void {
    this.#maxBw.advance();
  }

  /** BBRUpdateACKAggregation: how far ACKs that come in clumps run ahead of the rate. */
  #updateExtraAcked(state: CongestionState, sample: AckSample, now: number): void {
    let expected = this.bw * (now - this.#extraSince);
    if (this.#extraDelivered <= expected) {
      this.#extraDelivered = 0;
      this.#extraSince = now;
      expected = 0;
    }
    this.#extraDelivered += sample.ackedSacked;
    this.#extraAcked.take(Math.min(this.#extraDelivered - expected, state.cwnd));
  }

  restartExtraAcked(now: number): void {
    this.#extraSince = now;
    this.#extraDelivered = 0;
  }

  /** BBRCheckFullBWReached: three rounds in which the rate has grown by less than a quarter. */
  #checkFullBw(sample: AckSample): void {
    if (this.fullBwNow || !this.roundStart || sample.isAppLimited) return;
    if (sample.deliveryRate >= this.fullBw * STARTUP_FULL_BW_THRESHOLD) {
      this.resetFullBw(sample.deliveryRate);
      return;
    }
    this.fullBwNow = ++this.#fullBwCount >= STARTUP_FULL_BW_COUNT;
    if (this.fullBwNow) this.fullBwReached = true;
  }

  resetFullBw(bw: number): void {
    this.fullBw = bw;
    this.#fullBwCount = 0;
    this.fullBwNow = false;
  }

  #updateMinRtt(sample: AckSample, now: number): void {
    this.probeRttExpired = now > this.probeRttMinAt + PROBE_RTT_INTERVAL;
    const { rtt } = sample;
    if (rtt >= 0 && (rtt < this.probeRttMinDelay || this.probeRttExpired)) {
      this.probeRttMinDelay = rtt;
      this.probeRttMinAt = now;
    }
    const expired = now > this.#minRttAt + MIN_RTT_FILTER;
    if (this.probeRttMinDelay < this.minRtt || expired) {
      this.minRtt = this.probeRttMinDelay;
      this.#minRttAt = this.probeRttMinAt;
    }
  }

  /** BBRIsInflightTooHigh, by loss or, with exact marks, by marks. */
  isInflightTooHigh(sample: AckSample | LossSample): boolean {
    return sample.lost > sample.txInFlight * LOSS_THRESHOLD;
  }
}
