import { describe, expect, test } from 'vitest';
import { AckTrain } from '../../../src/tcp/ack-train.js';
import { FakeState, MSS } from '../../support/congestion.js';

/** `acks` ACKs of a segment each, `gap` ms apart; gives what the last one tells. */
function acks(train: AckTrain, state: FakeState, now: number, count: number, gap: number): number {
  let capacity = Infinity;
  for (let i = 0; i < count; i++) {
    state.bytesAcked += MSS;
    capacity = train.pathCapacity(state, 160, now + i * gap);
  }
  return capacity;
}

describe('ACK train', () => {
  test('tells what the path holds once it is half of the shortest round trip long', () => {
    const train = new AckTrain();
    const state = new FakeState();
    expect(acks(train, state, 0, 81, 1)).toBe(Infinity);
    expect(acks(train, state, 81, 1, 1)).toBe(160 * MSS);
  });

  test('goes on over gaps of a sixteenth of a round trip, and counts what is acknowledged by bytes', () => {
    const train = new AckTrain();
    const state = new FakeState();
    expect(acks(train, state, 0, 10, 10)).toBe(16 * MSS);
  });

  test('begins anew after a longer gap: flights that do not join tell nothing', () => {
    const train = new AckTrain();
    const state = new FakeState();
    for (let at = 0; at < 1600; at += 160) expect(acks(train, state, at, 80, 1)).toBe(Infinity);
  });
});
