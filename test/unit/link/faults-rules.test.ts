import { describe, expect, it } from 'vitest';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import type { FaultRule } from '../../../src/link/faults-rules.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { ecnCapable, segment, setUp, up } from './faulty.js';
import { batchOf } from './receiver.js';

describe('exact faults', () => {
  function outcome(rule: FaultRule, packets: Uint8Array[]) {
    const { runtime, a, send, arrived, times } = up({}, { rules: [rule] });
    send(...packets);
    runtime.run();
    return { arrived: arrived(), times, lost: a.counters('up').lost.rule };
  }
  const flow = [
    segment(0, 0, 'S'),
    segment(1, 0),
    segment(2, 100, 'P.'),
    segment(3),
    segment(4),
    segment(5, 0, 'F.'),
  ];

  it.each<[string, FaultRule, number[]]>([
    ['the second data segment', { data: true, nth: 2 }, [0, 1, 2, 4, 5]],
    ['two data segments', { data: true, count: 2 }, [0, 1, 4, 5]],
    ['every one from the third on', { nth: 3, count: Infinity }, [0, 1]],
    ['the first without text', { data: false }, [1, 2, 3, 4, 5]],
    ['SYN', { flags: 'S' }, [1, 2, 3, 4, 5]],
    ['FIN', { flags: 'F.' }, [0, 1, 2, 3, 4]],
    ['what has PSH', { flags: 'P.', count: 9 }, [0, 1, 3, 4, 5]],
    ['ACKs, with PSH or not', { flags: '.', count: 9 }, [0, 5]],
    ['octets 250 to 349', { range: [250, 350], count: 9 }, [0, 1, 4, 5]],
    ['the octet of the FIN', { range: [499, 500], count: 9 }, [0, 1, 2, 3, 4]],
    ['the other direction', { direction: 'down', count: 9 }, [0, 1, 2, 3, 4, 5]],
    ['a port', { port: 2, nth: 6 }, [0, 1, 2, 3, 4]],
    ['another port', { port: 3, count: 9 }, [0, 1, 2, 3, 4, 5]],
    ['by predicate', { when: (p) => p.seq === 1200 && p.dataLength === 100 }, [0, 1, 3, 4, 5]],
  ])('drops %s', (_, rule, left) => {
    // Text begins at 1001, the FIN stands at 1500.
    const { arrived, lost } = outcome(rule, flow);
    expect(arrived).toEqual(left);
    expect(lost).toBe(flow.length - left.length);
  });

  it('corrupts, doubles, marks and delays', () => {
    const three = [segment(0), ecnCapable(1), segment(2)];
    const rule = { nth: 2 };
    expect(outcome({ ...rule, action: 'corrupt' }, three).arrived).toEqual([0, null, 2]);
    expect(outcome({ ...rule, action: 'duplicate' }, three).arrived).toEqual([0, 1, 1, 2]);
    const delayed = outcome({ ...rule, action: { delay: 4 } }, three);
    expect([delayed.arrived, delayed.times]).toEqual([
      [0, 2, 1],
      [0, 0, 4],
    ]);
    const { a, atB, runtime, send } = up({});
    a.rule({ count: 2, action: 'mark' });
    send(...three);
    runtime.run();
    expect(atB.packets.map((bytes) => bytes[1])).toEqual([0, 3, 0]);
  });

  it('counts both directions together unless told otherwise', () => {
    const { runtime, b, atA, arrived, send } = setUp({ rules: [{ nth: 2, count: 1 }] });
    send(segment(0));
    b.send(batchOf([segment(7)]));
    runtime.run();
    expect([arrived(), atA.packets]).toEqual([[0], []]);
  });

  it('writes what is lost to a capture, with the reason', () => {
    const ring = new CaptureRing(100_000);
    const { runtime, send } = up({ loss: 1 }, { capture: ring, rules: [{ nth: 2 }] });
    send(segment(0), segment(1));
    runtime.run();
    const packets = [...readCapture(ring.file())];
    expect(packets.map((p) => p.comment)).toEqual(['lost: loss', 'lost: rule']);
    expect(Buffer.from(packets[1]!.bytes)).toEqual(Buffer.from(segment(1)));
  });
});
