import { State } from '../tcp/state.js';
import {
  type RetransmitCause,
  SilentTrace,
  type TimerAction,
  type TimerName,
  type Traced,
  type TracedTcb,
} from '../tcp/trace.js';
import type { Drop } from '../wire/drop-reason.js';
import type { Segment } from '../wire/segment.js';
import { ACK, RST, SYN } from '../wire/segment.js';
import { Conversation } from './conversation.js';
import type { LadderLine } from './ladder-line.js';

export interface RecorderOptions {
  /** Segments kept per connection: the first eight, and the latest of the others. Default 64, at least 16. */
  segments?: number;
  /** Connections kept; the one that was quiet for longest makes room. Default 256, at least 2. */
  connections?: number;
  /** Hears each line as soon as it is complete, that is, with the transitions that belong to it. */
  onLine?: (line: LadderLine, conversation: Conversation) => void;
  /**
   * Calls `task` soon, after the work at hand; completes the last line when nothing more happens.
   * Without it the last line waits for the next event or for {@link Recorder.flush}.
   */
  defer?: (task: () => void) => void;
}

/**
 * Remembers the latest segments of the latest connections, in bounded memory and without allocating
 * per segment, for whoever wants to see a conversation as a ladder.
 *
 * A transition belongs to the segment that caused it, which `Trace` announces just before. One
 * that a call or a timer caused belongs to the segment that is sent next (FIN, RST, SYN), or stands on
 * a line of its own when there is none.
 */
export class Recorder extends SilentTrace {
  readonly #segments: number;
  readonly #connections: number;
  readonly #onLine: RecorderOptions['onLine'];
  readonly #defer: RecorderOptions['defer'];
  readonly #all: Conversation[] = [];
  readonly #byId = new Map<number, Conversation>();
  readonly #flush = () => this.flush();
  #clock = 0;
  /** The conversation of the latest segment, as long as nothing else has happened. */
  #current: Conversation | null = null;
  /** The latest segment has not been given to `onLine` yet. */
  #unheard = false;
  #deferred = false;

  constructor(options: RecorderOptions = {}) {
    super();
    this.#segments = Math.max(16, options.segments ?? 64);
    this.#connections = Math.max(2, options.connections ?? 256);
    this.#onLine = options.onLine;
    this.#defer = options.defer;
  }

  override received(segment: Segment, connection: Traced | null, now: number): void {
    this.#emit();
    // A SYN that arrives in TIME_WAIT most likely begins another connection (RFC 6191).
    const another =
      connection === null || (connection.state === State.TIME_WAIT && isOpening(segment));
    const conversation = another ? this.#stranger(segment, false) : this.#of(connection, segment);
    this.#standAlone(conversation);
    conversation.record(segment, false, another ? State.CLOSED : connection.state, now);
    this.#note(conversation);
  }

  override sent(segment: Segment, connection: Traced | null, now: number): void {
    this.#emit();
    const conversation =
      connection === null ? this.#stranger(segment, true) : this.#of(connection, segment);
    conversation.record(segment, true, connection === null ? State.CLOSED : connection.state, now);
    conversation.attachPending();
    this.#note(conversation);
  }

  override dropped(segment: Segment, _connection: Traced | null, reason: Drop): void {
    this.#current?.drop(segment, reason);
  }

  override retransmits(connection: TracedTcb, cause: RetransmitCause): void {
    this.#of(connection, null).retransmits(cause);
  }

  override acknowledges(connection: TracedTcb, why: string): void {
    this.#of(connection, null).acknowledges(why);
  }

  override timer(
    connection: TracedTcb,
    timer: TimerName,
    action: TimerAction,
    _at: number,
    _why: string,
    now: number,
  ): void {
    this.#byId.get(connection.id)?.timer(timer, action, now);
  }

  override transition(
    connection: Traced,
    from: State,
    to: State,
    cause: string,
    now: number,
  ): void {
    // A listener talks to no one.
    if (connection.remotePort === 0 || (from === State.CLOSED && to === State.LISTEN)) return;
    const conversation = this.#of(connection, null);
    const explained =
      this.#current === conversation && explains(conversation.lastFlags, conversation, from, to);
    conversation.transition(from, to, cause, now, explained);
    if (!explained) this.#schedule();
  }

  /** The lines of a connection, oldest first; empty when it is not (or no longer) known. */
  linesOf(connectionId: number): LadderLine[] {
    return this.#byId.get(connectionId)?.lines() ?? [];
  }

  /** The latest conversation between these ends. */
  find(remoteAddress: string, remotePort: number, localPort: number): Conversation | null {
    let found: Conversation | null = null;
    for (const one of this.#all) {
      if (one.remotePort !== remotePort || one.localPort !== localPort) continue;
      if (one.remoteAddress !== remoteAddress) continue;
      if (found === null || one.touched > found.touched) found = one;
    }
    return found;
  }

  /** All conversations that are remembered, the one that began first in front. */
  conversations(): Conversation[] {
    return [...this.#all].sort((a, b) => a.born - b.born);
  }

  /** Gives what is complete to `onLine`. */
  flush(): void {
    this.#deferred = false;
    this.#emit();
    for (const one of this.#all) {
      if (one.pendingEnd) this.#standAlone(one);
    }
  }

  #note(conversation: Conversation): void {
    conversation.touched = ++this.#clock;
    this.#current = conversation;
    if (this.#onLine !== undefined) {
      this.#unheard = true;
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#onLine === undefined || this.#defer === undefined || this.#deferred) return;
    this.#deferred = true;
    this.#defer(this.#flush);
  }

  #emit(): void {
    if (this.#unheard && this.#current !== null) {
      this.#unheard = false;
      const conversation = this.#current;
      for (const line of conversation.lastLines()) this.#onLine?.(line, conversation);
    }
    this.#current = null;
  }

  /** Puts transitions that no segment stands for on lines of their own. */
  #standAlone(conversation: Conversation): void {
    for (const line of conversation.detachPending()) this.#onLine?.(line, conversation);
  }

  #of(connection: Traced, segment: Segment | null): Conversation {
    const current = this.#current;
    if (current !== null && current.id === connection.id) return current;
    const known = this.#byId.get(connection.id);
    if (known !== undefined) return known;
    // The SYN that made this connection may have been announced before there was one.
    const orphan =
      segment !== null && isOpening(segment)
        ? null
        : this.#latestBetween(
            connection.localAddr,
            connection.localPort,
            connection.remoteAddr,
            connection.remotePort,
          );
    const fresh = orphan?.awaitsConnection ? orphan : this.#make(connection);
    fresh.id = connection.id;
    this.#byId.set(connection.id, fresh);
    return fresh;
  }

  /** Segments that belong to no connection: to a closed port, or after the end of one. */
  #stranger(segment: Segment, sent: boolean): Conversation {
    const ends = sent
      ? {
          localAddr: segment.srcAddr,
          localPort: segment.srcPort,
          remoteAddr: segment.dstAddr,
          remotePort: segment.dstPort,
        }
      : {
          localAddr: segment.dstAddr,
          localPort: segment.dstPort,
          remoteAddr: segment.srcAddr,
          remotePort: segment.srcPort,
        };
    const known = this.#latestBetween(
      ends.localAddr,
      ends.localPort,
      ends.remoteAddr,
      ends.remotePort,
    );
    if (known !== null && (sent || !isOpening(segment))) return known;
    return this.#make(ends);
  }

  #latestBetween(
    localAddr: number,
    localPort: number,
    remoteAddr: number,
    remotePort: number,
  ): Conversation | null {
    let found: Conversation | null = null;
    for (const one of this.#all) {
      if (one.remotePort !== remotePort || one.localPort !== localPort) continue;
      if (one.remoteAddr !== remoteAddr || one.localAddr !== localAddr) continue;
      if (found === null || one.touched > found.touched) found = one;
    }
    return found;
  }

  #make(ends: Omit<Traced, 'id' | 'state'>): Conversation {
    let conversation: Conversation;
    if (this.#all.length < this.#connections) {
      conversation = new Conversation(this.#segments);
      this.#all.push(conversation);
    } else {
      conversation = this.#all[0]!;
      for (const one of this.#all) if (one.touched < conversation.touched) conversation = one;
      if (conversation.id !== null) this.#byId.delete(conversation.id);
    }
    conversation.begin(ends);
    conversation.born = conversation.touched = ++this.#clock;
    return conversation;
  }
}

function isOpening(segment: Segment): boolean {
  return (segment.flags & (SYN | ACK | RST)) === SYN;
}

/**
 * Whether the latest segment of `conversation`, with which nothing else happened since, stands for
 * the transition. By the figure of RFC 9293 §3.3.2, calls alone lead to SYN_SENT, FIN_WAIT_1 and
 * LAST_ACK; CLOSED is reached by RST, by the last ACK, or else by a call or a timer.
 */
function explains(flags: number, conversation: Conversation, from: State, to: State): boolean {
  if (conversation.lastSent) return to === State.CLOSED && (flags & RST) !== 0;
  switch (to) {
    case State.SYN_SENT:
    case State.FIN_WAIT_1:
    case State.LAST_ACK:
      return false;
    case State.CLOSED:
      return (flags & RST) !== 0 || from === State.LAST_ACK || from === State.LISTEN;
    default:
      return true;
  }
}
