import { BbrModel, BETA, ECN_THRESHOLD, LOSS_THRESHOLD } from './bbr-model.js';
import type { AckSample, CongestionControl, CongestionState, LossSample } from './congestion.js';

export const enum BbrPhase {
  STARTUP,
  DRAIN,
  /** The four phases of ProbeBW. */
  DOWN,
  CRUISE,
  REFILL,
  UP,
  PROBE_RTT,
}

const PHASE_NAMES = ['startup', 'drain', 'down', 'cruise', 'refill', 'up', 'probertt'] as const;

/** By {@link BbrPhase}. */
const PACING_GAIN = [2.77, 0.35, 0.9, 1, 1, 1.25, 1] as const;
const CWND_GAIN = [2, 2, 2, 2, 2, 2.25, 0.5] as const;

const PACING_MARGIN = 0.99;
const HEADROOM = 0.15;
const MIN_PIPE_SEGMENTS = 4;
const PROBE_RTT_DURATION = 200;
const STARTUP_FULL_LOSS_COUNT = 6;
/** ms; to which up to {@link PROBE_WAIT_SPREAD} is added by chance. */
const PROBE_WAIT = 2_000;
const PROBE_WAIT_SPREAD = 1_000;
/** Rounds after which Reno would have had a loss even on a long path. */
const MAX_RENO_ROUNDS = 63;
const MAX_QUANTUM = 65_536;

/** What the ACKs that arrive now tell of the probe for bandwidth. */
const enum Acks {
  INIT,
  REFILLING,
  PROBE_STARTING,
  PROBE_FEEDBACK,
  PROBE_STOPPING,
}

/**
 * BBR version 3 (draft-ietf-ccwg-bbr): paces at the rate that the path was seen to deliver, and keeps
 * in flight what that rate fills, within bounds that loss and congestion marks set. Method names are
 * those of the draft without its prefix.
 */
export class Bbr implements CongestionControl {
  readonly name = 'bbr';
  readonly why = 'what fills the path as it was measured: draft-ietf-ccwg-bbr';
  readonly paces = true;
  readonly ownsWindow = true;
  readonly exactEcho: boolean;
  readonly #model: BbrModel;
  #phase: BbrPhase = BbrPhase.STARTUP;
  #initialCwnd = 0;
  /** Upper bound that probing has found; Infinity: none yet. */
  #inflightHi = Infinity;

  /** Of the latest ACK. */
  #now = -0;
  #cycleAt = -0;
  #probeWait = -0;
  #roundsSinceProbe = 0;
  #acks: Acks = Acks.INIT;
  #probeSamples = false;
  #probeUpRounds = 0;
  #probeUpAcks = -0;
  #probeUpCount = Infinity;
  #markedRounds = 0;

  #probeRttDoneAt = -0;
  #probeRttRoundDone = false;
  #idleRestart = false;
  #priorCwnd = 0;
  #inRecovery = false;
  #undoInflightHi = Infinity;
  #chance = 1;

  /** @param exactEcn the peer echoes marks exactly (RFC 8257 §3.2), and shallow marking is what for */
  constructor({ exactEcn = false }: { exactEcn?: boolean } = {}) {
    this.exactEcho = exactEcn;
    this.#model = new BbrModel(exactEcn);
  }

  init(state: CongestionState, now: number): void {
    this.#model.init(state, now);
    this.#initialCwnd = state.cwnd;
    this.#chance = state.iss | 1;
    const rtt = state.srtt > 0 ? state.srtt : 1;
    state.pacingRate = (PACING_GAIN[BbrPhase.STARTUP] * state.cwnd) / rtt;
  }

  onAck(): void {}

  onSample(state: CongestionState, sample: AckSample, now: number): void {
    const model = this.#model;
    this.#now = now;
    model.update(state, sample, this.#isProbingBw(), now);
    if (model.roundStart) this.#roundsSinceProbe++;
    this.#checkStartupDone(state, sample);
    this.#checkDrainDone(state, now);
    this.#updateCyclePhase(state, sample, now);
    this.#checkProbeRtt(state, sample, now);
    model.finish(sample);
    this.#setPacingRate(state);
    this.#setCwnd(state, sample);
  }

  // Startup and Drain.

  #checkStartupDone(state: CongestionState, sample: AckSample): void {
    const model = this.#model;
    if (this.#phase !== BbrPhase.STARTUP) return;
    if (!model.fullBwReached) this.#checkStartupCongestion(state, sample);
    if (model.fullBwReached) this.#phase = BbrPhase.DRAIN;
  }

  #checkStartupCongestion(state: CongestionState, sample: AckSample): void {
    const model = this.#model;
    if (model.roundStart && state.ecnOk) {
      this.#markedRounds = model.markedRatio > ECN_THRESHOLD ? this.#markedRounds + 1 : 0;
    }
    const lossy =
      model.lossRoundStart &&
      this.#inRecovery &&
      model.lossEventsInRound >= STARTUP_FULL_LOSS_COUNT &&
      model.isInflightTooHigh(sample);
    if (!lossy && this.#markedRounds < 2) return;
    model.fullBwReached = true;
    this.#inflightHi = Math.max(this.#inflight(state, model.maxBw, 1), model.inflightLatest);
  }

  #checkDrainDone(state: CongestionState, now: number): void {
    if (this.#phase !== BbrPhase.DRAIN) return;
    if (state.inFlight <= this.#inflight(state, this.#model.maxBw, 1)) this.#startDown(state, now);
  }

  // ProbeBW.

  #isInProbeBw(): boolean {
    return this.#phase >= BbrPhase.DOWN && this.#phase <= BbrPhase.UP;
  }

  #isProbingBw(): boolean {
    const phase = this.#phase;
    return phase === BbrPhase.STARTUP || phase === BbrPhase.REFILL || phase === BbrPhase.UP;
  }

  #startDown(state: CongestionState, now: number): void {
    this.#model.resetCongestionSignals();
    this.#probeUpCount = Infinity;
    this.#roundsSinceProbe = this.#random() < 0.5 ? 0 : 1;
    this.#probeWait = PROBE_WAIT + this.#random() * PROBE_WAIT_SPREAD;
    this.#cycleAt = now;
    this.#acks = Acks.PROBE_STOPPING;
    this.#model.startRound(state);
    this.#phase = BbrPhase.DOWN;
  }

  #startRefill(state: CongestionState): void {
    this.#model.resetLowerBounds();
    this.#probeUpRounds = 0;
    this.#probeUpAcks = 0;
    this.#acks = Acks.REFILLING;
    this.#model.startRound(state);
    this.#undoInflightHi = this.#inflightHi;
    this.#phase = BbrPhase.REFILL;
  }

  #startUp(state: CongestionState, sample: AckSample): void {
    this.#acks = Acks.PROBE_STARTING;
    this.#model.startRound(state);
    this.#model.resetFullBw(sample.deliveryRate);
    this.#probeSamples = true;
    this.#phase = BbrPhase.UP;
    this.#raiseInflightHiSlope(state);
  }

  #updateCyclePhase(state: CongestionState, sample: AckSample, now: number): void {
    const model = this.#model;
    if (!model.fullBwReached) return;
    this.#adaptUpperBounds(state, sample, now);
    switch (this.#phase) {
      case BbrPhase.DOWN:
        if (this.#isTimeToProbe(state, now)) this.#startRefill(state);
        else if (this.#isTimeToCruise(state)) this.#phase = BbrPhase.CRUISE;
        return;
      case BbrPhase.CRUISE:
        if (this.#isTimeToProbe(state, now)) this.#startRefill(state);
        return;
      case BbrPhase.REFILL:
        if (model.roundStart) this.#startUp(state, sample);
        return;
      case BbrPhase.UP:
        if (this.#isTimeToGoDown(state, sample)) this.#startDown(state, now);
        return;
      default:
        return;
    }
  }

  #isTimeToProbe(state: CongestionState, now: number): boolean {
    if (now > this.#cycleAt + this.#probeWait) return true;
    // Often enough that Reno or CUBIC beside us would have probed, too.
    const rounds = Math.min(this.#targetInflight(state) / state.sndMss, MAX_RENO_ROUNDS);
    return this.#roundsSinceProbe >= rounds;
  }

  #isTimeToCruise(state: CongestionState): boolean {
    if (state.inFlight > this.#inflightWithHeadroom(state)) return false;
    return state.inFlight <= this.#inflight(state, this.#model.maxBw, 1);
  }

  #isTimeToGoDown(state: CongestionState, sample: AckSample): boolean {
    if (state.cwndLimited && state.cwnd >= this.#inflightHi) {
      this.#model.resetFullBw(sample.deliveryRate);
      return false;
    }
    return this.#model.fullBwNow;
  }

  #targetInflight(state: CongestionState): number {
    return Math.min(this.#model.bdp(this.#model.bw, this.#initialCwnd), state.cwnd);
  }

  #inflightWithHeadroom(state: CongestionState): number {
    if (this.#inflightHi === Infinity) return Infinity;
    const headroom = Math.max(state.sndMss, HEADROOM * this.#inflightHi);
    return Math.max(this.#inflightHi - headroom, MIN_PIPE_SEGMENTS * state.sndMss);
  }

  #adaptUpperBounds(state: CongestionState, sample: AckSample, now: number): void {
    const model = this.#model;
    if (model.roundStart && this.#acks === Acks.PROBE_STARTING) this.#acks = Acks.PROBE_FEEDBACK;
    if (model.roundStart && this.#acks === Acks.PROBE_STOPPING) {
      this.#probeSamples = false;
      this.#acks = Acks.INIT;
      if (this.#isInProbeBw() && !sample.isAppLimited) model.advanceMaxBw();
    }
    if (model.isInflightTooHigh(sample) || this.#isMarkedTooMuch(sample)) {
      if (this.#probeSamples) this.#handleInflightTooHigh(state, sample, sample.txInFlight, now);
      return;
    }
    if (this.#inflightHi === Infinity) return;
    if (sample.txInFlight > this.#inflightHi) this.#inflightHi = sample.txInFlight;
    if (this.#phase === BbrPhase.UP) this.#probeInflightHiUpward(state, sample);
  }

  #isMarkedTooMuch(sample: AckSample): boolean {
    if (sample.marked === 0) return false;
    return !this.exactEcho || this.#model.markedRatio > ECN_THRESHOLD;
  }

  #handleInflightTooHigh(
    state: CongestionState,
    sample: AckSample | LossSample,
    txInFlight: number,
    now: number,
  ): void {
    this.#probeSamples = false;
    if (!sample.isAppLimited) {
      this.#inflightHi = Math.max(txInFlight, this.#targetInflight(state) * BETA);
    }
    if (this.#phase === BbrPhase.UP) this.#startDown(state, now);
  }

  #raiseInflightHiSlope(state: CongestionState): void {
    const growth = state.sndMss * 2 ** this.#probeUpRounds;
    this.#probeUpRounds = Math.min(this.#probeUpRounds + 1, 30);
    this.#probeUpCount = Math.max(state.cwnd / growth, 1);
  }

  #probeInflightHiUpward(state: CongestionState, sample: AckSample): void {
    if (!state.cwndLimited || state.cwnd < this.#inflightHi) return;
    this.#probeUpAcks += sample.ackedSacked;
    const segments = Math.floor(this.#probeUpAcks / (this.#probeUpCount * state.sndMss));
    this.#probeUpAcks -= segments * this.#probeUpCount * state.sndMss;
    this.#inflightHi += segments * state.sndMss;
    if (this.#model.roundStart) this.#raiseInflightHiSlope(state);
  }

  /** BBRHandleLostPacket: what was in flight when the share of loss passed the threshold is too much. */
  onLost(state: CongestionState, loss: LossSample): void {
    if (!this.#probeSamples || !this.#model.isInflightTooHigh(loss)) return;
    const inflight = loss.txInFlight - loss.size;
    const lost = loss.lost - loss.size;
    const prefix = (LOSS_THRESHOLD * inflight - lost) / (1 - LOSS_THRESHOLD);
    this.#handleInflightTooHigh(state, loss, inflight + Math.max(prefix, 0), this.#now);
  }

  // ProbeRTT.

  #checkProbeRtt(state: CongestionState, sample: AckSample, now: number): void {
    const model = this.#model;
    if (this.#phase !== BbrPhase.PROBE_RTT && model.probeRttExpired && !this.#idleRestart) {
      this.#saveCwnd(state);
      this.#phase = BbrPhase.PROBE_RTT;
      this.#probeRttDoneAt = 0;
      this.#acks = Acks.PROBE_STOPPING;
      model.startRound(state);
    }
    if (this.#phase === BbrPhase.PROBE_RTT) this.#handleProbeRtt(state, now);
    if (sample.ackedSacked > 0) this.#idleRestart = false;
  }

  #handleProbeRtt(state: CongestionState, now: number): void {
    const model = this.#model;
    // So little is in flight that the rate says nothing of the path.
    state.appLimited = Math.max(state.delivered + state.inFlight, 1);
    if (this.#probeRttDoneAt === 0) {
      if (state.inFlight > this.#probeRttCwnd(state)) return;
      this.#probeRttDoneAt = now + PROBE_RTT_DURATION;
      this.#probeRttRoundDone = false;
      model.startRound(state);
      return;
    }
    if (model.roundStart) this.#probeRttRoundDone = true;
    if (this.#probeRttRoundDone) this.#checkProbeRttDone(state, now);
  }

  #checkProbeRttDone(state: CongestionState, now: number): void {
    if (this.#probeRttDoneAt === 0 || now <= this.#probeRttDoneAt) return;
    this.#model.probeRttMinAt = now;
    this.#restoreCwnd(state);
    this.#model.resetLowerBounds();
    if (this.#model.fullBwReached) {
      this.#startDown(state, now);
      this.#phase = BbrPhase.CRUISE;
    } else {
      this.#phase = BbrPhase.STARTUP;
    }
  }

  #probeRttCwnd(state: CongestionState): number {
    const half = CWND_GAIN[BbrPhase.PROBE_RTT] * this.#model.bdp(this.#model.bw, this.#initialCwnd);
    return Math.max(half, MIN_PIPE_SEGMENTS * state.sndMss);
  }

  // Control parameters.

  #setPacingRate(state: CongestionState): void {
    const rate = PACING_GAIN[this.#phase]! * this.#model.bw * PACING_MARGIN;
    if (rate > 0 && (this.#model.fullBwReached || rate > state.pacingRate)) state.pacingRate = rate;
  }

  /** BBRSetSendQuantum: 1 ms at the rate, which is what pacing lets out at once. */
  #sendQuantum(state: CongestionState): number {
    const floor = state.pacingRate < 150 ? state.sndMss : 2 * state.sndMss;
    return Math.max(Math.min(state.pacingRate, MAX_QUANTUM), floor);
  }

  /** BBRInflight: what fills the path at `bw`, with room for bursts. */
  #inflight(state: CongestionState, bw: number, gain: number): number {
    return this.#withBudget(state, gain * this.#model.bdp(bw, this.#initialCwnd));
  }

  #withBudget(state: CongestionState, inflight: number): number {
    const least = Math.max(3 * this.#sendQuantum(state), MIN_PIPE_SEGMENTS * state.sndMss);
    const budget = Math.max(inflight, least);
    return this.#phase === BbrPhase.UP ? budget + 2 * state.sndMss : budget;
  }

  #setCwnd(state: CongestionState, sample: AckSample): void {
    const model = this.#model;
    const bdp = CWND_GAIN[this.#phase]! * model.bdp(model.bw, this.#initialCwnd);
    const most = this.#withBudget(state, bdp + model.extraAcked);
    let { cwnd } = state;
    if (model.fullBwReached) cwnd = Math.min(cwnd + sample.ackedSacked, most);
    else if (cwnd < most || state.delivered < this.#initialCwnd) cwnd += sample.ackedSacked;
    cwnd = Math.max(cwnd, MIN_PIPE_SEGMENTS * state.sndMss);
    if (this.#phase === BbrPhase.PROBE_RTT) cwnd = Math.min(cwnd, this.#probeRttCwnd(state));
    state.cwnd = Math.floor(Math.min(cwnd, this.#bound(state)));
  }

  /** BBRBoundCwndForModel. */
  #bound(state: CongestionState): number {
    let bound = Infinity;
    if (this.#phase === BbrPhase.CRUISE || this.#phase === BbrPhase.PROBE_RTT) {
      bound = this.#inflightWithHeadroom(state);
    } else if (this.#isInProbeBw()) {
      bound = this.#inflightHi;
    }
    bound = Math.min(bound, this.#model.inflightLo);
    return Math.max(bound, MIN_PIPE_SEGMENTS * state.sndMss);
  }

  // What recovery and the sender tell.

  /**
   * The window stays: the model's bounds answer loss. A round of packet conservation for each
   * recovery would, where loss never ends, be one without end; Linux's v3 has none either.
   */
  onLoss(state: CongestionState): void {
    this.#saveCwnd(state);
    this.#inRecovery = true;
  }

  onTimeout(state: CongestionState): void {
    this.#saveCwnd(state);
    this.#inRecovery = true;
    const model = this.#model;
    if (!this.#isProbingBw() && model.inflightLo === Infinity) model.inflightLo = this.#priorCwnd;
  }

  /** Marks are in every sample; the window follows from the model. */
  onEcnEcho(): void {}

  onRecovered(state: CongestionState): void {
    this.#inRecovery = false;
    this.#restoreCwnd(state);
  }

  onUndo(state: CongestionState): void {
    this.onRecovered(state);
    this.#model.resetFullBw(0);
    this.#model.resetLowerBounds();
    this.#model.lossInRound = false;
    this.#inflightHi = Math.max(this.#inflightHi, this.#undoInflightHi);
  }

  /** BBRHandleRestartFromIdle. */
  onIdleRestart(state: CongestionState, _idle: number, now: number): void {
    this.#idleRestart = true;
    this.#model.restartExtraAcked(now);
    if (this.#isInProbeBw()) {
      state.pacingRate = this.#model.bw * PACING_MARGIN;
    } else if (this.#phase === BbrPhase.PROBE_RTT) {
      this.#checkProbeRttDone(state, now);
    }
  }

  #saveCwnd(state: CongestionState): void {
    const fresh = !this.#inRecovery && this.#phase !== BbrPhase.PROBE_RTT;
    this.#priorCwnd = fresh ? state.cwnd : Math.max(this.#priorCwnd, state.cwnd);
  }

  #restoreCwnd(state: CongestionState): void {
    state.cwnd = Math.max(state.cwnd, this.#priorCwnd);
  }

  /** From 0 to 1; a linear congruential generator that starts from the connection's own number. */
  #random(): number {
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0;
    return (this.#chance >>> 8) / 2 ** 24;
  }

  get phase(): BbrPhase {
    return this.#phase;
  }

  info(): Record<string, number | string> {
    const model = this.#model;
    return {
      bw: Math.round(model.bw * 1000),
      mrtt: model.minRtt === Infinity ? 0 : model.minRtt,
      pacingGain: PACING_GAIN[this.#phase]!,
      cwndGain: CWND_GAIN[this.#phase]!,
      phase: PHASE_NAMES[this.#phase]!,
      inflightHi: this.#inflightHi === Infinity ? 0 : Math.round(this.#inflightHi),
      inflightLo: model.inflightLo === Infinity ? 0 : Math.round(model.inflightLo),
    };
  }
}
