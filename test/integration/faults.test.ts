import { expect, it } from 'vitest';
import { describeInNamespace, runInNamespace } from './namespace.js';

describeInNamespace('a TUN device with faults', () => {
  it.each([
    ['offload', 'precise'],
    ['offload', 'alarms'],
    ['plain', 'alarms'],
  ])('brings every byte both ways, late (%s, %s)', async (mode, waiting) => {
    const { code, stdout, stderr } = await runInNamespace('programs/faults.mjs', [mode, waiting]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { toUs, toKernel, offload, up, down } = JSON.parse(stdout);
    expect([toUs.same, toKernel.same, offload]).toEqual([true, true, mode === 'offload']);
    // There and back take 10 ms each, whatever the machine does meanwhile.
    expect(toUs.connected).toBeGreaterThanOrEqual(20);
    expect(toKernel.connected).toBeGreaterThanOrEqual(20);
    for (const counters of [up, down]) {
      // As segments: 1 MB is 700 of these, and some 30 super-packets.
      expect(counters.packets).toBeGreaterThan(700);
      expect(counters.lost.loss).toBeGreaterThan(2);
      expect(counters.corrupted).toBeGreaterThan(2);
    }
  });
});
