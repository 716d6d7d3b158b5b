import { STATE_NAMES, type StateName } from '../../../src/tcp/state.js';

/** The eleven states of RFC 9293 §3.3.2, in its order. */
export const STATES = STATE_NAMES;

/** The step in which §3.10.7 sees to a segment: in LISTEN, in SYN_SENT, and in the others. */
type Steps = readonly [listen: string, synSent: string, others: string];

export interface CellEvent {
  /** As the cases are called; `NAME, WORDS` is a variant. */
  readonly name: string;
  readonly kind: 'segment' | 'call' | 'timeout';
  /** The clause, if it is one for all states. */
  readonly clause?: string;
  readonly steps?: Steps;
}

function segment(name: string, ...steps: Steps): CellEvent {
  return { name, kind: 'segment', steps };
}

/** Everything that §3.10 has a connection react to. */
export const EVENTS: readonly CellEvent[] = [
  segment('SYN', 'third', 'fourth', 'fourth'),
  segment('SYN-ACK', 'second', 'fourth', 'fourth'),
  segment('acceptable ACK', 'second', 'fifth', 'fifth'),
  segment('old ACK', 'second', 'first', 'fifth'),
  segment('future ACK', 'second', 'first', 'fifth'),
  segment('data in the window', 'second', 'fifth', 'seventh'),
  segment('data before the window', 'second', 'fifth', 'first'),
  segment('data across the left edge', 'second', 'fifth', 'first'),
  segment('data across the right edge', 'second', 'fifth', 'first'),
  segment('data beyond the window', 'second', 'fifth', 'first'),
  segment('FIN', 'second', 'fifth', 'eighth'),
  segment('RST at RCV.NXT', 'first', 'second', 'second'),
  segment('RST in the window', 'first', 'second', 'second'),
  segment('RST outside the window', 'first', 'first', 'first'),
  segment('urgent', 'second', 'fifth', 'sixth'),
  { name: 'bad options', kind: 'segment', clause: '§3.1, MUST-7' },
  { name: 'OPEN', kind: 'call', clause: '§3.10.1' },
  { name: 'SEND', kind: 'call', clause: '§3.10.2' },
  { name: 'RECEIVE', kind: 'call', clause: '§3.10.3' },
  { name: 'SHUTDOWN', kind: 'call', clause: '§3.10.4' },
  { name: 'CLOSE', kind: 'call', clause: '§3.10.4, §3.6.1' },
  { name: 'ABORT', kind: 'call', clause: '§3.10.5' },
  { name: 'STATUS', kind: 'call', clause: '§3.10.6' },
  { name: 'retransmission timeout', kind: 'timeout', clause: '§3.10.8, §3.8.1' },
  { name: 'last retransmission timeout (R2)', kind: 'timeout', clause: '§3.8.3' },
  { name: 'user timeout', kind: 'timeout', clause: '§3.10.8, §3.8.3' },
  { name: 'persist timeout', kind: 'timeout', clause: '§3.8.6.1' },
  { name: 'keep-alive timeout', kind: 'timeout', clause: '§3.8.4' },
  { name: 'delayed ACK', kind: 'timeout', clause: '§3.8.6.3' },
  { name: 'FIN_WAIT_2 timeout', kind: 'timeout', clause: '§3.6' },
  { name: 'TIME-WAIT timeout', kind: 'timeout', clause: '§3.10.8, §3.4.2' },
];

const NUMBERS: Readonly<Partial<Record<StateName, string>>> = {
  CLOSED: '§3.10.7.1',
  LISTEN: '§3.10.7.2',
  SYN_SENT: '§3.10.7.3',
};

/** The clause of RFC 9293 that says what a state makes of an event. */
export function clauseOf(state: StateName, { clause, steps }: CellEvent): string {
  if (clause !== undefined || steps === undefined) return clause ?? '';
  if (state === 'CLOSED') return NUMBERS.CLOSED!;
  const step = { LISTEN: steps[0], SYN_SENT: steps[1] }[state as string] ?? steps[2];
  return `${NUMBERS[state] ?? '§3.10.7.4'}, ${step}`;
}

export interface Impossible {
  readonly states: readonly StateName[];
  readonly events: readonly string[];
  readonly reason: string;
}

const TIMEOUTS = EVENTS.filter(({ kind }) => kind === 'timeout').map(({ name }) => name);
const OF_OUTSTANDING = [
  'retransmission timeout',
  'last retransmission timeout (R2)',
  'user timeout',
  'persist timeout',
];

/** Cells in which nothing can happen, since the event cannot come in this state. */
export const IMPOSSIBLE: readonly Impossible[] = [
  {
    states: ['CLOSED', 'LISTEN'],
    events: TIMEOUTS,
    reason: 'there is no connection, and so no timer',
  },
  {
    states: ['SYN_SENT', 'SYN_RECEIVED'],
    events: ['persist timeout', 'keep-alive timeout'],
    reason: 'the SYN is outstanding, whose retransmission asks whether the peer lives',
  },
  {
    states: ['SYN_SENT', 'SYN_RECEIVED'],
    events: ['delayed ACK'],
    reason: 'the ACK of a SYN goes with ours, and text is acknowledged after the handshake',
  },
  {
    states: ['FIN_WAIT_2'],
    events: OF_OUTSTANDING,
    reason: 'all that was sent is acknowledged, FIN included',
  },
  {
    states: ['CLOSING'],
    events: ['persist timeout'],
    reason: 'all text is acknowledged or outstanding, or FIN would not have been sent',
  },
  {
    states: ['FIN_WAIT_1', 'CLOSING', 'LAST_ACK'],
    events: ['keep-alive timeout'],
    reason: 'FIN is outstanding, whose retransmission asks whether the peer lives',
  },
  {
    states: ['CLOSING', 'LAST_ACK'],
    events: ['delayed ACK'],
    reason: 'the peer has sent its FIN, so that no text comes whose ACK could wait',
  },
  {
    states: ['TIME_WAIT'],
    events: [...OF_OUTSTANDING, 'keep-alive timeout', 'delayed ACK'],
    reason: 'all other timers were turned off on the way to this state (§3.10.7.4)',
  },
  {
    states: STATES.filter((state) => !['CLOSED', 'LISTEN', 'FIN_WAIT_2'].includes(state)),
    events: ['FIN_WAIT_2 timeout'],
    reason: 'the timer runs in FIN_WAIT_2 alone',
  },
  {
    states: STATES.filter((state) => !['CLOSED', 'LISTEN', 'TIME_WAIT'].includes(state)),
    events: ['TIME-WAIT timeout'],
    reason: 'the timer runs in TIME_WAIT alone',
  },
];

/** Why a cell has no script; null: it needs one. */
export function whyImpossible(state: StateName, event: string): string | null {
  const found = IMPOSSIBLE.find(
    (each) => each.states.includes(state) && each.events.includes(event),
  );
  return found?.reason ?? null;
}
