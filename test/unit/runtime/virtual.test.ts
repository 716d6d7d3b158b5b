import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';

describe('VirtualRuntime', () => {
  it('runs tasks in order of time and, among equals, of scheduling', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (times) => {
        const runtime = new VirtualRuntime();
        const seen: [number, number][] = [];
        times.forEach((at, i) => {
          runtime.schedule(at, () => seen.push([runtime.now(), i]));
        });
        runtime.run();
        const expected = times.map((at, i): [number, number] => [at, i]);
        expect(seen).toEqual(expected.sort(([a, i], [b, j]) => a - b || i - j));
      }),
      { seed: 12, numRuns: 200 },
    );
  });

  it('runs what is deferred before time moves on, and what is yielded after what was due', () => {
    const runtime = new VirtualRuntime();
    const seen: string[] = [];
    runtime.schedule(5, () => {
      runtime.yield(() => seen.push(`yielded ${runtime.now()}`));
      runtime.defer(() => {
        seen.push('deferred');
        runtime.defer(() => seen.push('deferred again'));
      });
      seen.push('first');
    });
    runtime.schedule(5, () => seen.push('second'));
    runtime.schedule(6, () => seen.push('later'));
    runtime.run();
    expect(seen).toEqual(['first', 'deferred', 'deferred again', 'second', 'yielded 5', 'later']);
  });

  it('rings an alarm once, at what was set last', () => {
    const runtime = new VirtualRuntime();
    const rung: number[] = [];
    const alarm = runtime.alarm(() => rung.push(runtime.now()));
    alarm.set(10);
    alarm.set(4.5);
    alarm.set(7.25);
    runtime.run();
    alarm.set(3);
    runtime.run();
    alarm.set(20);
    alarm.clear();
    alarm.set(Infinity);
    runtime.run();
    expect(rung).toEqual([7.25, 7.25]);
  });

  it('keeps its order when alarms are set and cleared at random', () => {
    const action = fc.record({ alarm: fc.nat(39), at: fc.nat(200), clear: fc.boolean() });
    fc.assert(
      fc.property(fc.array(action, { minLength: 30, maxLength: 150 }), (actions) => {
        const runtime = new VirtualRuntime();
        const rung: [number, number][] = [];
        const alarms = Array.from({ length: 40 }, (_, i) =>
          runtime.alarm(() => rung.push([runtime.now(), i])),
        );
        const model = new Map<number, number>();
        for (const { alarm, at, clear } of actions) {
          model.delete(alarm);
          if (clear) alarms[alarm]!.clear();
          else {
            alarms[alarm]!.set(at);
            model.set(alarm, at);
          }
        }
        runtime.run();
        const expected = [...model].map(([i, at]): [number, number] => [at, i]);
        expect(rung).toEqual(expected.sort(([a], [b]) => a - b));
      }),
      { seed: 13, numRuns: 200 },
    );
  });

  it('runs what is scheduled for the past now, after what was already due', () => {
    const runtime = new VirtualRuntime();
    const seen: string[] = [];
    runtime.run(10);
    runtime.yield(() => seen.push('first'));
    runtime.schedule(3, () => seen.push('second'));
    const alarm = runtime.alarm(() => seen.push('third'));
    alarm.set(2);
    runtime.run();
    expect(seen).toEqual(['first', 'second', 'third']);
    expect(runtime.now()).toBe(10);
  });

  it('runs up to a time and no further', () => {
    const runtime = new VirtualRuntime();
    const seen: number[] = [];
    for (const at of [10, 20, 20.5]) runtime.schedule(at, () => seen.push(at));
    runtime.run(20);
    expect([seen, runtime.now()]).toEqual([[10, 20], 20]);
    runtime.run(20.25);
    expect([seen.length, runtime.now()]).toEqual([2, 20.25]);
    expect([runtime.step(), runtime.step()]).toEqual([true, false]);
    expect(runtime.now()).toBe(20.5);
  });

  it('runs until a condition holds, a time has passed or nothing is left', () => {
    const runtime = new VirtualRuntime();
    let count = 0;
    for (let at = 1; at <= 10; at++) runtime.schedule(at, () => count++);
    expect(runtime.runUntil(() => count === 3)).toBe(true);
    expect(runtime.now()).toBe(3);
    expect(runtime.runUntil(() => count === 9, 5)).toBe(false);
    expect(count).toBe(5);
    expect(runtime.runUntil(() => false)).toBe(false);
    expect(count).toBe(10);
  });

  it('repeats its random bytes from the seed', () => {
    const draw = (seed: number): string =>
      Buffer.from(new VirtualRuntime(seed).random(16)).toString('hex');
    expect(draw(5)).toBe(draw(5));
    expect(draw(5)).not.toBe(draw(6));
  });

  it('counts holders', () => {
    const runtime = new VirtualRuntime();
    const [a, b] = [runtime.holder(), runtime.holder()];
    a.hold();
    a.hold();
    b.hold();
    expect(runtime.held).toBe(2);
    a.release();
    a.release();
    expect(runtime.held).toBe(1);
  });

  it('notices tasks that start each other forever', () => {
    const runtime = new VirtualRuntime();
    const again = (): void => runtime.yield(again);
    again();
    expect(() => runtime.run()).toThrow(/stands still at 0 ms/);
  });

  it('lets streams and promises on top keep up with it', async () => {
    const runtime = new VirtualRuntime();
    const stream = new PassThrough();
    const seen: string[] = [];
    (async () => {
      for await (const chunk of stream) {
        seen.push(`${chunk} ${runtime.now()}`);
        if (seen.length < 3) runtime.schedule(runtime.now() + 10, () => stream.write('again'));
        else stream.end();
      }
      seen.push('end');
    })();
    runtime.schedule(1, () => stream.write('first'));
    await runtime.runAsync(() => seen.includes('end'), 100);
    expect(seen).toEqual(['first 1', 'again 11', 'again 21', 'end']);
  });

  it('says why it cannot go on', async () => {
    const runtime = new VirtualRuntime();
    await expect(runtime.runAsync(() => false)).rejects.toThrow(/at 0 ms: nothing is left to do/);
    runtime.schedule(50, () => {});
    await expect(runtime.runAsync(() => false, 10)).rejects.toThrow(/10 ms have passed/);
    await runtime.settle(49);
    expect(runtime.now()).toBe(49);
  });
});
