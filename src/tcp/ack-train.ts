import type { CongestionState } from './congestion.js';

/** ACKs further apart than this part of the shortest round trip are of two trains. */
const GAP_SHARE = 1 / 16;
/** A train this part of the shortest round trip long tells the rate of the path. */
const LONG_SHARE = 1 / 2;

/**
 * ACKs that follow each other closely, as those of a flight do that came through the bottleneck
 * back to back ("Inter-Packet Arrival" of HyStart, which Linux has as `HYSTART_ACK_TRAIN`). Times are ms.
 *
 * In slow start a flight is a short train, and then nothing comes for the rest of the round trip. A
 * train of half a round trip is of many segments, so that a few ACKs that were held up and come at
 * once change little in what it says: at what rate the path delivers.
 */
export class AckTrain {
  #start = -0;
  #latest = -Infinity;
  /** {@link CongestionState.bytesAcked} after the first ACK of the train. */
  #startBytes = -0;

  /**
   * To be called for every ACK of something new.
   * @param minRtt the shortest round trip so far
   * @returns bytes that the path holds without a queue; Infinity while the train is too short to tell
   */
  pathCapacity(state: CongestionState, minRtt: number, now: number): number {
    if (now - this.#latest > minRtt * GAP_SHARE) {
      this.#start = now;
      this.#startBytes = state.bytesAcked;
    }
    this.#latest = now;
    const length = now - this.#start;
    if (length <= minRtt * LONG_SHARE) return Infinity;
    return ((state.bytesAcked - this.#startBytes) / length) * minRtt;
  }
}
