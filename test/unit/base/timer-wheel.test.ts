import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerNode, TimerWheel } from '../../../src/base/timer-wheel.js';

const DAY = 24 * 3600 * 1000;

function fired(wheel: TimerWheel<string>, now: number): string[] {
  const names: string[] = [];
  wheel.advance(now, (name) => names.push(name));
  return names;
}

describe('TimerWheel', () => {
  it('fires at the deadline and not a fraction of a millisecond before it', () => {
    const wheel = new TimerWheel<string>(100.75);
    const node = new TimerNode('a');
    wheel.schedule(node, 105.5);
    expect(wheel.next()).toBe(105.5);
    expect(fired(wheel, 105.25)).toEqual([]);
    expect(node.at).toBe(105.5);
    expect(fired(wheel, 105.5)).toEqual(['a']);
    expect(node.at).toBe(Infinity);
    expect(wheel.size).toBe(0);
    expect(wheel.next()).toBe(Infinity);
  });

  it('fires a deadline that has passed at the next advance', () => {
    const wheel = new TimerWheel<string>(1000);
    wheel.schedule(new TimerNode('late'), 10);
    expect(wheel.next()).toBe(10);
    expect(fired(wheel, 1000)).toEqual(['late']);
  });

  it('fires in order of deadline within one tick, and of scheduling among equals', () => {
    const wheel = new TimerWheel<string>(0);
    for (const [name, at] of [
      ['d', 7.9],
      ['b1', 7.2],
      ['b2', 7.2],
      ['a', 7.1],
      ['c', 7.5],
      ['b3', 7.2],
    ] as const) {
      wheel.schedule(new TimerNode(name), at);
    }
    expect(fired(wheel, 7.5)).toEqual(['a', 'b1', 'b2', 'b3', 'c']);
    expect(fired(wheel, 8)).toEqual(['d']);
  });

  it('moves and cancels nodes', () => {
    const wheel = new TimerWheel<string>(0);
    const [a, b] = [new TimerNode('a'), new TimerNode('b')];
    wheel.schedule(a, 10);
    wheel.schedule(b, 20);
    wheel.schedule(a, 30);
    expect(wheel.size).toBe(2);
    wheel.cancel(b);
    wheel.cancel(b);
    expect(wheel.size).toBe(1);
    expect(fired(wheel, 29)).toEqual([]);
    expect(fired(wheel, 30)).toEqual(['a']);
    wheel.schedule(a, 40);
    wheel.schedule(a, Infinity);
    expect(wheel.size).toBe(0);
    expect(wheel.next()).toBe(Infinity);
  });

  it('lets a node that fires cancel others that are due and schedule itself again', () => {
    const wheel = new TimerWheel<string>(0);
    const nodes = new Map(['a', 'b', 'c'].map((name) => [name, new TimerNode(name)]));
    for (const [name, node] of nodes) wheel.schedule(node, name === 'a' ? 5 : 6);
    const seen: string[] = [];
    wheel.advance(50, (name) => {
      seen.push(name);
      if (name !== 'a') return;
      wheel.cancel(nodes.get('b')!);
      wheel.schedule(nodes.get('a')!, 50);
    });
    expect(seen).toEqual(['a', 'c']);
    expect(wheel.next()).toBe(50);
    expect(fired(wheel, 50)).toEqual(['a']);
  });

  it('takes deadlines of weeks and reaches them in few steps', () => {
    const wheel = new TimerWheel<string>(0.5);
    const at = 45 * DAY + 0.25;
    wheel.schedule(new TimerNode('far'), at);
    let steps = 0;
    let now = 0.5;
    while (wheel.size > 0 && steps < 100) {
      expect(wheel.next()).toBeGreaterThan(now);
      now = wheel.next();
      wheel.advance(now, () => {});
      steps++;
    }
    expect(now).toBe(at);
    expect(steps).toBeLessThan(20);
  });

  it('keeps its order where the highest level wraps around', () => {
    const start = 2 ** 29 + 2 ** 28;
    const wheel = new TimerWheel<string>(start);
    wheel.schedule(new TimerNode('in 8 days'), start + 8 * DAY);
    wheel.schedule(new TimerNode('in 1 day'), start + DAY);
    expect(fired(wheel, start + DAY - 1)).toEqual([]);
    expect(fired(wheel, start + DAY)).toEqual(['in 1 day']);
    expect(fired(wheel, start + 8 * DAY - 1)).toEqual([]);
    expect(fired(wheel, start + 8 * DAY)).toEqual(['in 8 days']);
  });

  it('works beyond 2^32 ms', () => {
    const start = 2 ** 32 - 5.5;
    const wheel = new TimerWheel<string>(start);
    wheel.schedule(new TimerNode('a'), start + 4);
    wheel.schedule(new TimerNode('b'), start + 400_000);
    expect(fired(wheel, start + 3.9)).toEqual([]);
    expect(fired(wheel, start + 4)).toEqual(['a']);
    expect(fired(wheel, start + 399_999.9)).toEqual([]);
    expect(fired(wheel, start + 400_000)).toEqual(['b']);
  });

  it('does what a sorted list does, whatever the deadlines and the jumps', () => {
    const span = fc.oneof(
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 3000, noNaN: true }),
      fc.double({ min: 0, max: 40 * DAY, noNaN: true }),
      fc.integer({ min: -5, max: 70 }),
    );
    const action = fc.oneof(
      fc.record({ kind: fc.constant('schedule'), node: fc.nat(30), span }),
      fc.record({ kind: fc.constant('cancel'), node: fc.nat(30), span }),
      fc.record({ kind: fc.constant('advance'), node: fc.nat(30), span }),
      fc.record({ kind: fc.constant('follow'), node: fc.nat(30), span }),
    );
    const start = fc.oneof(
      fc.constant(0),
      fc.constant(2 ** 30 - 7.25),
      fc.constant(2 ** 31 + 0.5),
      fc.constant(2 ** 29 + 2 ** 28),
    );
    fc.assert(
      fc.property(start, fc.array(action, { maxLength: 120 }), (origin, actions) => {
        let now = origin;
        let order = 0;
        const wheel = new TimerWheel<number>(now);
        const nodes = Array.from({ length: 31 }, (_, i) => new TimerNode(i));
        const model = new Map<number, { at: number; order: number }>();
        const advance = (to: number): void => {
          now = to;
          const expected = [...model]
            .filter(([, { at }]) => at <= now)
            .sort(([, a], [, b]) => a.at - b.at || a.order - b.order)
            .map(([i]) => i);
          const seen: number[] = [];
          wheel.advance(now, (i) => {
            seen.push(i);
            expect(nodes[i]!.at).toBe(Infinity);
          });
          expect(seen).toEqual(expected);
          for (const i of expected) model.delete(i);
        };
        for (const { kind, node, span: ms } of actions) {
          if (kind === 'schedule') {
            wheel.schedule(nodes[node]!, now + ms);
            model.set(node, { at: now + ms, order: order++ });
          } else if (kind === 'cancel') {
            wheel.cancel(nodes[node]!);
            model.delete(node);
          } else if (kind === 'advance') {
            advance(now + Math.max(0, ms));
          } else if (wheel.next() < Infinity) {
            advance(Math.max(now, wheel.next()));
          }
          const earliest = Math.min(Infinity, ...[...model.values()].map(({ at }) => at));
          expect(wheel.next()).toBeLessThanOrEqual(earliest);
          expect(wheel.next() === Infinity).toBe(model.size === 0);
          expect(wheel.size).toBe(model.size);
        }
        // Following next() alone reaches every deadline exactly.
        for (let steps = 0; model.size > 0; steps++) {
          expect(steps).toBeLessThan(31 * 12);
          advance(Math.max(now, wheel.next()));
        }
      }),
      { seed: 1, numRuns: 1000 },
    );
  });
});
