import { describe, expect, test } from 'vitest';
import { Conversation, type ConversationOptions, recorded } from '../support/conversation.js';

interface Scenario {
  name: string;
  run: (c: Conversation) => void;
  /** What B and A must have received in the end. */
  toB: string;
  toA: string;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'three-segment close',
    run: (c) => {
      c.userB.endsWithPeer = true;
      c.listen();
      c.connect();
      c.userA.onEvent = (event) => {
        if (event === 'established') c.userA.end();
      };
    },
    toB: '',
    toA: '',
  },
  {
    name: 'data, then four-segment close',
    run: (c) => {
      c.listen();
      c.userB.onEvent = (event) => {
        // Well after the ACK of A's FIN.
        if (event === 'end') {
          c.runtime.schedule(c.runtime.now() + 50, () => {
            c.userB.write('answer');
            c.userB.end();
          });
        }
      };
      c.connect();
      c.userA.write('question');
      c.userA.end();
    },
    toB: 'question',
    toA: 'answer',
  },
  {
    name: 'simultaneous close',
    run: (c) => {
      c.listen();
      const at = 40;
      c.runtime.schedule(at, () => {
        c.userA.write('from a');
        c.userA.end();
      });
      c.runtime.schedule(at, () => {
        if (c.accepted > 0) {
          c.userB.write('from b');
          c.userB.end();
        } else {
          c.userB.onEvent = (event) => {
            if (event !== 'established') return;
            c.userB.write('from b');
            c.userB.end();
          };
        }
      });
      c.connect();
    },
    toB: 'from a',
    toA: 'from b',
  },
  {
    name: 'simultaneous open and close',
    run: (c) => {
      c.connectBoth();
      c.userA.write('from a');
      c.userB.write('from b');
      c.userA.end();
      c.userB.end();
    },
    toB: 'from a',
    toA: 'from b',
  },
];

function play(scenario: Scenario, options: ConversationOptions): number {
  let packets = 0;
  recorded(new Conversation(options), (c) => {
    scenario.run(c);
    c.finish();
    expect(c.userB.received.toString()).toBe(scenario.toB);
    expect(c.userA.received.toString()).toBe(scenario.toA);
    expect(c.userA.events).toContain('closed');
    expect(c.userB.events).toContain('closed');
    expect(c.userA.events).toContain('finished');
    expect(c.userB.events).toContain('finished');
    packets = c.packets.length;
  });
  return packets;
}

const VARIANTS: readonly (readonly [string, ConversationOptions])[] = [
  ['all options', {}],
  ['no options', { tcp: { timestamps: false, sack: false, windowScale: false } }],
];

describe('loss of single segments', () => {
  for (const scenario of SCENARIOS) {
    for (const [variant, options] of VARIANTS) {
      test(`${scenario.name}, ${variant}: loss of each segment`, () => {
        const packets = play(scenario, options);
        for (let i = 1; i <= packets; i++) play(scenario, { ...options, drop: [{ nth: i }] });
      });

      test(`${scenario.name}, ${variant}: loss of each pair of segments`, () => {
        const packets = play(scenario, options);
        for (let i = 1; i <= packets + 1; i++) {
          for (let j = i + 1; j <= packets + 2; j++) {
            play(scenario, { ...options, drop: [{ nth: i }, { nth: j }] });
          }
        }
      });
    }
  }
});

describe('sequence numbers modulo 2^32 (RFC 9293 §3.4)', () => {
  const ISNS = [0xffff_ffff, 0xffff_fffe, 0xffff_fff8, 0x7fff_ffff, 0x7fff_fffe, 0x7fff_fff8, 0];
  for (const isn of ISNS) {
    test(`every conversation with ISN ${isn.toString(16)}, and with each segment lost`, () => {
      for (const scenario of SCENARIOS) {
        for (const isns of [{ isnA: isn }, { isnB: isn }, { isnA: isn, isnB: isn }]) {
          const packets = play(scenario, isns);
          for (let i = 1; i <= packets; i++) play(scenario, { ...isns, drop: [{ nth: i }] });
        }
      }
    });

    test(`100,000 bytes both ways across ${isn.toString(16)}`, () => {
      const data = Buffer.alloc(100_000, 'abcdefghijklmnopqrstuvwxyz');
      for (const before of [1, 10_000, 99_999]) {
        const start = (isn - before) >>> 0;
        recorded(new Conversation({ isnA: start, isnB: start }), (c) => {
          c.establish();
          const first = c.packets.find((packet) => packet.flags === 'S')!;
          expect(first.rawSeq >>> 0).toBe(start);
          const answer = c.packets.find((packet) => packet.flags === 'S.')!;
          expect(answer.rawSeq >>> 0).toBe(start);
          c.userA.write(data);
          c.userB.write(data);
          c.userA.end();
          c.userB.end();
          c.finish();
          expect(c.userA.received.equals(data)).toBe(true);
          expect(c.userB.received.equals(data)).toBe(true);
          expect(c.a.counters.tcpRetransSegs).toBe(0);
          expect(c.b.counters.tcpRetransSegs).toBe(0);
        });
      }
    });
  }
});
