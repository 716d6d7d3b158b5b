import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { nextTurn, systemRuntime } from '../../../src/runtime/system.js';

const runtime = systemRuntime();

/** Resolves when the alarm rings. Alarms keep no process alive, so a holder does meanwhile. */
async function ring(set: (alarm: ReturnType<typeof runtime.alarm>) => void): Promise<number> {
  const holder = runtime.holder();
  holder.hold();
  const at = await new Promise<number>((resolve) =>
    set(runtime.alarm(() => resolve(runtime.now()))),
  );
  holder.release();
  return at;
}

describe('systemRuntime', () => {
  it('never rings early, even by a fraction of a millisecond', async () => {
    for (let i = 0; i < 20; i++) {
      const at = runtime.now() + 0.37 * i;
      expect(await ring((alarm) => alarm.set(at))).toBeGreaterThanOrEqual(at);
    }
  });

  it('rings at what was set last, whether that is earlier or later', async () => {
    const start = runtime.now();
    const earlier = await ring((alarm) => {
      alarm.set(start + 60_000);
      alarm.set(start + 5);
    });
    expect(earlier).toBeGreaterThanOrEqual(start + 5);
    const later = runtime.now() + 20;
    const rung = await ring((alarm) => {
      alarm.set(later - 15);
      alarm.set(later);
    });
    expect(rung).toBeGreaterThanOrEqual(later);
  });

  it('rings after the input that waits, however late it is', async () => {
    const order: string[] = [];
    const { port1, port2 } = new MessageChannel();
    const alarm = runtime.alarm(() => order.push('alarm'));
    const both = new Promise<void>((resolve) => {
      port1.once('message', () => {
        order.push('input');
        alarm.clear();
        resolve();
      });
    });
    alarm.set(runtime.now() + 1);
    // The turn takes so long that the alarm is due, and meanwhile something arrives.
    port2.postMessage('');
    const busyUntil = runtime.now() + 5;
    while (runtime.now() < busyUntil);
    await both;
    await ring((other) => other.set(runtime.now() + 5));
    port1.close();
    expect(order).toEqual(['input']);
  });

  it('does not ring when cleared', async () => {
    let rung = false;
    const alarm = runtime.alarm(() => {
      rung = true;
    });
    alarm.set(runtime.now() + 1);
    alarm.clear();
    alarm.set(runtime.now() + 1);
    alarm.set(Infinity);
    await ring((other) => other.set(runtime.now() + 10));
    expect(rung).toBe(false);
  });

  it('takes an alarm further ahead than setTimeout can', async () => {
    let rung = false;
    const alarm = runtime.alarm(() => {
      rung = true;
    });
    const warnings: string[] = [];
    const warn = (warning: Error): void => {
      warnings.push(warning.name);
    };
    process.on('warning', warn);
    alarm.set(runtime.now() + 2 ** 33);
    await ring((other) => other.set(runtime.now() + 5));
    alarm.clear();
    process.off('warning', warn);
    expect(rung).toBe(false);
    expect(warnings).toEqual([]);
  });

  it('defers to the end of this turn and yields to the next', async () => {
    const seen: string[] = [];
    runtime.yield(() => seen.push('yielded'));
    runtime.defer(() => seen.push('deferred'));
    seen.push('now');
    await nextTurn();
    expect(seen).toEqual(['now', 'deferred', 'yielded']);
  });

  it('gives unpredictable bytes', () => {
    expect(runtime.random(16).length).toBe(16);
    expect(Buffer.compare(runtime.random(16), runtime.random(16))).not.toBe(0);
  });

  it('keeps the process alive by holders alone', () => {
    const timers = (): string[] =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    const before = timers().length;
    const holder = runtime.holder();
    const alarm = runtime.alarm(() => {});
    alarm.set(runtime.now() + 60_000);
    expect(timers().length).toBe(before);
    holder.hold();
    holder.hold();
    expect(timers().length).toBe(before + 1);
    holder.release();
    expect(timers().length).toBe(before);
    alarm.clear();
  });
});
