import { NewReno } from './newreno.js';

/** What a congestion control sees and sets. All sizes in bytes, times in ms. */
export interface CongestionState {
  /** Congestion window. */
  cwnd: number;
  /** Slow-start threshold. */
  ssthresh: number;
  /** Largest payload of one segment (SMSS, RFC 5681 §2). */
  readonly sndMss: number;
  /** Smoothed round-trip time; 0 before the first sample. */
  readonly srtt: number;
}

/**
 * A congestion control, one object per connection. It says how the window grows and how far it falls;
 * when to retransmit what is the business of `recovery.ts`.
 */
export interface CongestionControl {
  readonly name: string;
  /** `acked` bytes were acknowledged outside of recovery while the window was in full use. */
  onAck(state: CongestionState, acked: number, now: number): void;
  /** Loss was seen by duplicate ACKs with `flight` bytes outstanding: sets ssthresh. */
  onLoss(state: CongestionState, flight: number, now: number): void;
  /** The retransmission timer expired for the first time for this segment: sets ssthresh. */
  onTimeout(state: CongestionState, flight: number, now: number): void;
  /** The loss was none: cwnd and ssthresh are back to what they were (RFC 4015). */
  onUndo?(state: CongestionState, now: number): void;
}

type Factory = () => CongestionControl;

const factories: Readonly<Record<string, Factory>> = {
  newreno: () => new NewReno(),
};

export const DEFAULT_CONGESTION_CONTROL = 'newreno';

export function isCongestionControlName(name: string): boolean {
  return Object.hasOwn(factories, name);
}

/** @param name one that {@link isCongestionControlName} accepts */
export function createCongestionControl(name: string): CongestionControl {
  return factories[name]!();
}
