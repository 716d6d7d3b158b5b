import type { CountersSnapshot } from '../../../src/base/counters.js';
import type { State } from '../../../src/tcp/state.js';
import type {
  CookieOutcome,
  ListenQueue,
  RetransmitCause,
  TimerAction,
  TimerName,
  Trace,
  Traced,
  TracedTcb,
} from '../../../src/tcp/trace.js';
import type { Drop } from '../../../src/wire/drop-reason.js';
import { ACK, FIN, RST, type Segment, SYN, URG } from '../../../src/wire/segment.js';

const NO_STATE = 11;

/**
 * What TCP was seen to do: pairs of a state and a drop, a transition with its cause, an ACK with its
 * reason, a timer, a retransmission, and counters that went up. Each is a key, by which cases are told
 * apart cheaply.
 */
export class Coverage implements Trace {
  readonly keys = new Set<string>();
  readonly #known = new Set<number>();
  readonly #words = new Map<string, number>();
  /** Called for each segment that is sent, as TCP's own variables stand at that moment. */
  onSent: ((segment: Segment, connection: Traced | null, now: number) => void) | null = null;

  note(kind: number, a: number, b: number, word: string): void {
    let id = this.#words.get(word);
    if (id === undefined) {
      id = this.#words.size;
      this.#words.set(word, id);
    }
    const key = ((kind * 64 + a) * 256 + b) * 4096 + id;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.keys.add(`${KINDS[kind]} ${a} ${b} ${word}`);
  }

  received(segment: Segment, connection: Traced | null): void {
    this.note(0, stateOf(connection), kindOf(segment), '');
  }

  dropped(segment: Segment, connection: Traced | null, reason: Drop): void {
    this.note(1, stateOf(connection), reason, '');
    if (connection === null) this.note(1, NO_STATE, reason, String(kindOf(segment)));
  }

  sent(segment: Segment, connection: Traced | null, now: number): void {
    this.note(2, stateOf(connection), kindOf(segment), '');
    this.onSent?.(segment, connection, now);
  }

  transition(_connection: Traced, from: State, to: State, cause: string): void {
    this.note(3, from, to, cause);
  }

  acknowledges(connection: TracedTcb, why: string): void {
    this.note(4, connection.state, 0, why);
  }

  retransmits(connection: TracedTcb, cause: RetransmitCause): void {
    this.note(5, connection.state, 0, cause.name);
  }

  timer(connection: TracedTcb, timer: TimerName, action: TimerAction): void {
    if (action === 'armed') return;
    this.note(6, connection.state, action === 'fired' ? 1 : 0, timer);
  }

  rttSample(): void {}

  sendWindow(connection: TracedTcb, before: number): void {
    const kind = (before === 0 ? 1 : 0) + (connection.sndWnd === 0 ? 2 : 0);
    this.note(7, connection.state, kind, '');
  }

  congestion(_connection: TracedTcb, _cwnd: number, _ssthresh: number, why: string): void {
    this.note(8, 0, 0, why);
  }

  pathMtu(connection: TracedTcb, _before: number, why: string): void {
    this.note(9, connection.state, 0, why);
  }

  challenge(connection: TracedTcb, answered: boolean, why: string): void {
    this.note(10, connection.state, answered ? 1 : 0, why);
  }

  listenerOverflow(_segment: Segment, queue: ListenQueue): void {
    this.note(11, 0, 0, queue);
  }

  synCookie(_segment: Segment, outcome: CookieOutcome): void {
    this.note(14, 0, 0, outcome);
  }

  /** Counters that are not 0 at the end of a case. */
  counters(counters: CountersSnapshot): void {
    for (const [name, value] of Object.entries(counters)) {
      if (typeof value === 'number' && value > 0) this.note(12, 0, 0, name);
    }
    for (const [name, value] of Object.entries(counters.drops))
      if (value > 0) this.note(13, 0, 0, name);
  }
}

const KINDS = [
  'received',
  'dropped',
  'sent',
  'transition',
  'acknowledges',
  'retransmits',
  'timer',
  'sendWindow',
  'congestion',
  'pathMtu',
  'challenge',
  'overflow',
  'counter',
  'drop',
  'cookie',
];

function stateOf(connection: Traced | null): number {
  return connection === null ? NO_STATE : connection.state;
}

/** Control bits but PSH and ECN's, and whether there is text. */
function kindOf(segment: Segment): number {
  const { flags } = segment;
  return (
    (flags & (FIN | SYN | RST)) |
    ((flags & ACK) >> 1) |
    ((flags & URG) >> 1) |
    (segment.dataLength > 0 ? 32 : 0)
  );
}
