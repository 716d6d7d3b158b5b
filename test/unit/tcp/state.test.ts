import { describe, expect, test } from 'vitest';
import { Counters } from '../../../src/base/counters.js';
import { State, stateName, transition } from '../../../src/tcp/state.js';
import type { Tcb } from '../../../src/tcp/tcb.js';

/** RFC 9293 figure 5, with CLOSED from everywhere by ABORT, RST or a timeout. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  CLOSED: ['LISTEN', 'SYN_SENT'],
  LISTEN: ['SYN_RECEIVED', 'CLOSED'],
  SYN_SENT: ['SYN_RECEIVED', 'ESTABLISHED', 'CLOSED'],
  SYN_RECEIVED: ['ESTABLISHED', 'FIN_WAIT_1', 'LISTEN', 'CLOSED'],
  ESTABLISHED: ['FIN_WAIT_1', 'CLOSE_WAIT', 'CLOSED'],
  FIN_WAIT_1: ['FIN_WAIT_2', 'CLOSING', 'CLOSED'],
  FIN_WAIT_2: ['TIME_WAIT', 'CLOSED'],
  CLOSE_WAIT: ['LAST_ACK', 'CLOSED'],
  CLOSING: ['TIME_WAIT', 'CLOSED'],
  LAST_ACK: ['CLOSED'],
  TIME_WAIT: ['CLOSED'],
};

describe('transition (RFC 9293 §3.3.2, figure 5)', () => {
  for (let from = State.CLOSED; from <= State.TIME_WAIT; from++) {
    for (let to = State.CLOSED; to <= State.TIME_WAIT; to++) {
      const allowed = ARROWS[stateName(from)]!.includes(stateName(to));
      test(`${stateName(from)} -> ${stateName(to)} ${allowed ? 'is an arrow' : 'throws'}`, () => {
        const heard: unknown[] = [];
        const trace = { transition: (...args: unknown[]) => heard.push(args.slice(1)) };
        const host = { trace, counters: new Counters([]) };
        const tcb = { state: from, host } as unknown as Tcb;
        if (allowed) {
          transition(tcb, to, 'why', 7);
          expect(tcb.state).toBe(to);
          expect(heard).toEqual([[from, to, 'why', 7]]);
        } else {
          expect(() => transition(tcb, to, 'why', 7)).toThrow(stateName(to));
          expect(tcb.state).toBe(from);
        }
      });
    }
  }
});
