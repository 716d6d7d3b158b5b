import { describe, expect, it } from 'vitest';
import type { PathFaults } from '../../../src/link/faults-options.js';
import { readTcp } from '../../support/packet.js';
import { ecnCapable, HEADERS, numbers, segment, up } from './faulty.js';

describe('rate and queue', () => {
  // 1250 bytes take 10 ms at 1 Mbit/s.
  const packet = (n: number) => segment(n, 1250 - HEADERS);

  it('sends so many bits per second', () => {
    const { runtime, a, send, times } = up({ rate: 1e6, delay: 5 });
    send(packet(0), packet(1), packet(2));
    expect(a.queue('up')).toEqual({ packets: 2, bytes: 2500 });
    runtime.run();
    expect(times).toEqual([15, 25, 35]);
    send(packet(3));
    runtime.run();
    expect(times[3]).toBe(50);
    expect(a.counters('up')).toMatchObject({ queued: 4, queueDelaySum: 30, queueDelayMax: 20 });
    expect(a.counters('up').queueDelayMean).toBe(7.5);
  });

  it('takes a new rate for what has not begun to be sent', () => {
    const { runtime, a, send, times } = up({ rate: 1e6 });
    send(packet(0), packet(1), packet(2));
    runtime.run(5);
    a.set('up', { rate: 10e6 });
    runtime.run();
    expect(times).toEqual([10, 11, 12]);
    a.set('up', { rate: Infinity });
    send(packet(3));
    runtime.run();
    expect(times[3]).toBe(12);
  });

  it('drops what the queue has no room for, in packets and in bytes', () => {
    for (const queue of [{ packets: 3 }, { bytes: 3 * 1250 + 100 }]) {
      const lost: string[] = [];
      const { runtime, a, send, arrived } = up(
        { rate: 1e6, queue },
        { onLost: (reason, p) => lost.push(`${reason} ${(p.seq - 1000) / 100} at ${p.now}`) },
      );
      send(...numbers(0, 6).map(packet));
      runtime.run();
      // The first is on the wire, three wait.
      expect(arrived()).toEqual([0, 1, 2, 3]);
      expect(lost).toEqual(['queue 4 at 0', 'queue 5 at 0']);
      expect(a.counters('up')).toMatchObject({ queuePacketsMax: 3, queueBytesMax: 3750 });
      expect(a.counters('up').lost.queue).toBe(2);
    }
  });

  /** Two packets come for each one that leaves, for 2 s. */
  function overload(faults: PathFaults, make: (n: number) => Uint8Array) {
    const drops: number[] = [];
    const all = up({ rate: 1e6, ...faults }, { onLost: (_, p) => drops.push(p.now) });
    for (const n of numbers(0, 400)) {
      all.runtime.schedule(n * 5, () => all.send(make(n)));
    }
    all.runtime.run();
    return { ...all, drops, counters: all.a.counters('up') };
  }

  it('drops by the control law of CoDel', () => {
    const { drops, counters } = overload({ queue: { codel: true } }, packet);
    expect(counters.lost.codel).toBe(drops.length);
    expect(counters.lostInAll).toBe(drops.length);
    // Above 5 ms with two waiting since 30 ms, for 100 ms; then each 100 / sqrt(n) later.
    expect(drops.slice(0, 6)).toEqual([130, 230, 310, 360, 410, 460]);
    expect(counters.queueDelayMax).toBeLessThan(overload({}, packet).counters.queueDelayMax / 1.5);
  });

  it('leaves a queue alone that CoDel finds short', () => {
    const { runtime, a, send } = up({ rate: 1e6, queue: { codel: { target: 15 } } });
    for (const n of numbers(0, 100)) runtime.schedule(n * 20, () => send(packet(n), packet(n)));
    runtime.run();
    expect(a.counters('up').lostInAll).toBe(0);
  });

  it('marks by CoDel what is ECN-capable', () => {
    const { atB, counters } = overload({ queue: { codel: true, ecn: true } }, (n) =>
      n % 2 === 0 ? ecnCapable(n, 1250 - HEADERS) : packet(n),
    );
    expect(counters.marked).toBeGreaterThan(5);
    expect(counters.lost.codel).toBeGreaterThan(5);
    const marked = atB.packets.filter((bytes) => (bytes[1]! & 3) === 3);
    expect(marked.length).toBe(counters.marked);
    expect(marked.every((bytes) => readTcp(bytes, 0) !== null)).toBe(true);
  });

  it('marks from a length of the queue on', () => {
    const { runtime, a, send, atB } = up({ rate: 1e6, queue: { markAbove: 2000 } });
    send(...numbers(0, 6).map((n) => ecnCapable(n, 1250 - HEADERS)));
    runtime.run();
    expect(atB.packets.map((bytes) => bytes[1]! & 3)).toEqual([2, 2, 2, 3, 3, 3]);
    expect(a.counters('up').marked).toBe(3);
  });
});
