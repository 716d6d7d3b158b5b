import { expect } from 'vitest';
import { AutotuneVariables, BLANK_AUTOTUNE } from '../../src/tcp/autotune-variables.js';
import { BLANK_ECN, EcnVariables } from '../../src/tcp/ecn-variables.js';
import { NOTHING_OUT_OF_ORDER, Reassembly } from '../../src/tcp/reassembly.js';
import { NOTHING_RECEIVED } from '../../src/tcp/receive-queue.js';
import * as sender from '../../src/tcp/sender-variables.js';
import { NOTHING_SENT } from '../../src/tcp/sent-segments.js';
import { NOTHING_WRITTEN } from '../../src/tcp/tcb.js';

/** What all idle connections share is as it was in the beginning, whatever became of any of them. */
export function expectBlanks(): void {
  expect(sender.BLANK_RACK).toEqual(new sender.RackVariables());
  expect(sender.BLANK_WINDOW_USE).toEqual(new sender.WindowUse(sender.BLANK_WINDOW_USE.end));
  expect(sender.BLANK_WINDOW_USE.end).toBe(0);
  expect(sender.BLANK_ROUND_TRIPS).toEqual(new sender.RoundTrips(0, 0));
  expect(sender.BLANK_PACING).toEqual(new sender.Pacing());
  expect(sender.BLANK_DELIVERY).toEqual(new sender.Delivery());
  expect(sender.BLANK_EPISODE).toEqual(new sender.LossEpisode());
  expect(sender.BLANK_PATH_MTU).toEqual(new sender.PathMtuVariables());
  expect(BLANK_ECN).toEqual(new EcnVariables());
  expect(BLANK_AUTOTUNE).toEqual(new AutotuneVariables());
  expect(NOTHING_OUT_OF_ORDER).toEqual(new Reassembly());
  expect(NOTHING_OUT_OF_ORDER.isEmpty).toBe(true);
  expect(NOTHING_WRITTEN.limit).toBe(0);
  const { length, sacked, lost, twice } = NOTHING_SENT;
  expect([length, sacked, lost, twice, NOTHING_RECEIVED.length]).toEqual([0, 0, 0, 0, 0]);
}
