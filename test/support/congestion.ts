import type { AckSample, CongestionControl, CongestionState } from '../../src/tcp/congestion.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export const MSS = 1_000;

/** A connection as a congestion control sees it, whose every number the test sets. */
export class FakeState implements Writable<CongestionState> {
  cwnd = 10 * MSS;
  ssthresh = 0x7fffffff;
  pacingRate = 0;
  appLimited = 0;
  sndMss = MSS;
  srtt = 100;
  flight = 0;
  inFlight = 0;
  bytesAcked = 0;
  delivered = 0;
  cwndLimited = true;
  ecnOk = false;
  iss = 1;
}

export function ackSample(fields: Partial<AckSample> = {}): AckSample {
  return {
    acked: 0,
    ackedSacked: 0,
    newlyLost: 0,
    marked: 0,
    priorInFlight: 0,
    rtt: -1,
    deliveryRate: 0,
    priorDelivered: 0,
    delivered: 0,
    lost: 0,
    txInFlight: 0,
    isAppLimited: false,
    ...fields,
  };
}

/** One round trip in which cwnd is sent and acknowledged, `perAck` bytes at a time, evenly over it. */
export function round(
  control: CongestionControl,
  state: FakeState,
  at: number,
  { rtt = state.srtt, perAck = MSS, marked = 0 } = {},
): number {
  const start = state.cwnd;
  let now = at;
  for (let sent = 0; sent < start; sent += perAck) {
    now = at + (rtt * Math.min(sent + perAck, start)) / start;
    state.flight = state.cwnd;
    state.bytesAcked += perAck;
    state.delivered += perAck;
    const sample = ackSample({
      acked: perAck,
      ackedSacked: perAck,
      priorDelivered: Math.max(state.delivered - start, 0),
      marked: sent < marked ? perAck : 0,
      rtt,
    });
    control.onSample?.(state, sample, now);
    control.onAck(state, sample, now);
  }
  return now;
}
