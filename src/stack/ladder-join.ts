import type { StateName } from '../tcp/state.js';
import type { Conversation } from './conversation.js';
import type { LadderLine, SegmentLine, TimerLine, TransitionLine } from './ladder-line.js';
import {
  fold,
  type Ladder,
  type LadderRow,
  type NoteRow,
  noteRow,
  type SegmentRow,
  type Side,
  segmentRow,
} from './ladder-model.js';

/** What one end noted, on the scale of time that both share. */
interface Event {
  side: Side;
  at: number;
  line: LadderLine;
}

/** A segment between the two, as far as either knows of it. */
interface Passage {
  departure: Event;
  arrival: Event | null;
  row: SegmentRow | null;
}

/**
 * The ladder of a connection whose ends were both recorded, with clocks that agree: every state is
 * known, when each segment was sent and arrived, and which did not.
 */
export function joinLadders(left: Conversation, right: Conversation): Ladder {
  const origin = Math.min(left.start, right.start);
  const events = {
    left: eventsOf(left, 'left', origin),
    right: eventsOf(right, 'right', origin),
  };
  const rows = new Joiner(events).rows();
  return {
    left: endOf(left, events.left),
    right: endOf(right, events.right),
    joined: true,
    rows: fold(rows),
  };
}

function eventsOf(conversation: Conversation, side: Side, origin: number): Event[] {
  const shift = conversation.start - origin;
  let at = shift;
  return conversation.lines().map((line) => {
    if (line.kind !== 'gap') at = line.time + shift;
    return { side, at, line };
  });
}

function endOf({ localAddress, localPort }: Conversation, events: Event[]) {
  const line = events.map((event) => event.line).find(hasState);
  const initial: StateName | null = line?.transitions[0]?.from ?? line?.state ?? null;
  return { label: `${localAddress}:${localPort}`, inferred: false, initial };
}

function hasState(line: LadderLine): line is Exclude<LadderLine, { kind: 'gap' | 'timer' }> {
  return line.kind === 'segment' || line.kind === 'transition';
}

class Joiner {
  readonly #queues: Record<Side, Event[]>;
  readonly #passages = new Map<Event, Passage>();
  readonly #rows: LadderRow[] = [];
  /** The longest that a segment was on its way, and when the latest event was. */
  #longest = 0;
  #end = 0;

  constructor(events: Record<Side, Event[]>) {
    this.#queues = { left: [...events.left], right: [...events.right] };
    for (const side of ['left', 'right'] as const) {
      this.#match(events[side], events[opposite(side)]);
      this.#end = Math.max(this.#end, events[side].at(-1)?.at ?? 0);
    }
  }

  rows(): LadderRow[] {
    for (let event = this.#next(); event !== null; event = this.#next()) {
      const { line, side, at } = event;
      if (line.kind === 'gap') this.#rows.push(line);
      else if (line.kind !== 'segment') this.#rows.push(this.#note(event));
      else if (line.sent) this.#departs(event);
      else this.#arrives(event, line, side, at);
    }
    return this.#rows;
  }

  /** Finds for each arrival when it was sent: of segments that look the same, when it takes as long
   *  from there as others do. */
  #match(from: Event[], to: Event[]): void {
    const alike = new Map<string, { sent: Passage[]; arrived: Event[] }>();
    for (const event of from) {
      if (event.line.kind !== 'segment' || !event.line.sent) continue;
      const passage = { departure: event, arrival: null, row: null };
      this.#passages.set(event, passage);
      const key = keyOf(event.line);
      if (!alike.has(key)) alike.set(key, { sent: [], arrived: [] });
      alike.get(key)!.sent.push(passage);
    }
    for (const event of to) {
      if (event.line.kind !== 'segment' || event.line.sent) continue;
      alike.get(keyOf(event.line))?.arrived.push(event);
    }
    const usual = usualDelay(alike.values());
    for (const { sent, arrived } of alike.values()) {
      for (const event of arrived) this.#pair(sent, event, usual);
    }
  }

  #pair(sent: Passage[], event: Event, usual: number): void {
    const oddness = ({ departure }: Passage) => Math.abs(event.at - departure.at - usual);
    let found: Passage | null = null;
    for (const one of sent) {
      if (one.arrival !== null || one.departure.at > event.at) continue;
      if (found === null || oddness(one) <= oddness(found)) found = one;
    }
    if (found === null) return;
    found.arrival = event;
    this.#passages.set(event, found);
    this.#longest = Math.max(this.#longest, event.at - found.departure.at);
  }

  /** The earliest event that nothing before it at either end is missing for. */
  #next(): Event | null {
    const heads = [this.#queues.left[0], this.#queues.right[0]].filter((one) => one !== undefined);
    heads.sort((a, b) => a.at - b.at || Number(isDeparture(a)) - Number(isDeparture(b)));
    const next = heads.find((event) => this.#isReady(event)) ?? heads[0];
    if (next === undefined) return null;
    this.#queues[next.side].shift();
    return next;
  }

  #isReady(event: Event): boolean {
    const passage = this.#passages.get(event);
    return passage === undefined || passage.departure === event || passage.row !== null;
  }

  #note({ line, side, at }: Event): NoteRow {
    const row = noteRow(line as TransitionLine | TimerLine);
    const states = row.right;
    return { ...row, side, time: at, left: [], right: [], [side]: states };
  }

  #departs(event: Event): void {
    const passage = this.#passages.get(event)!;
    const line = event.line as SegmentLine;
    const row = segmentRow(line, opposite(event.side));
    row.time = event.at;
    row[event.side] = statesOf(line);
    if (passage.arrival === null) {
      if (event.at + this.#longest < this.#end) row.lost = 'yes';
      else row.part = 'departure';
    }
    passage.row = row;
    this.#rows.push(row);
  }

  #arrives(event: Event, line: SegmentLine, side: Side, at: number): void {
    const passage = this.#passages.get(event);
    const states = statesOf(line);
    const row = passage?.row;
    if (row && this.#isArrivalPlain(row, line, states, side)) {
      row.arrival = at;
      row.line = { ...row.line, dropped: line.dropped };
      row[side] = states;
      return;
    }
    // What nobody sent was doubled on the way.
    const arrival = { ...segmentRow(line, side), part: 'arrival' as const, arrival: at };
    arrival.time = row?.time ?? at;
    arrival[side] = states;
    if (row) {
      row.part = 'departure';
      arrival.sentIn = row;
      arrival.line = { ...row.line, dropped: line.dropped };
    }
    this.#rows.push(arrival);
  }

  /** Whether the row where it was sent may tell of its arrival too: it changes nothing, or nothing
   *  has happened since at the end where it arrives. */
  #isArrivalPlain(row: SegmentRow, line: SegmentLine, states: StateName[], side: Side): boolean {
    if (states.length === 0 && line.dropped === null) return true;
    for (let i = this.#rows.length - 1; this.#rows[i] !== row; i--) {
      const since = this.#rows[i];
      if (since === undefined) return false;
      if (since.kind === 'segment' && since.to === side && since[side].length === 0) continue;
      if (since.kind === 'note' && since.side !== side) continue;
      return false;
    }
    return true;
  }
}

/** How long segments take that cannot be mistaken for others; ms. */
function usualDelay(alike: Iterable<{ sent: Passage[]; arrived: Event[] }>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { sent, arrived } of alike) {
    if (sent.length !== 1 || arrived.length !== 1) continue;
    least = Math.min(least, arrived[0]!.at - sent[0]!.departure.at);
  }
  return Number.isFinite(least) ? Math.max(0, least) : 0;
}

function isDeparture({ line }: Event): boolean {
  return line.kind === 'segment' && line.sent;
}

/** What both ends see of a segment. */
function keyOf({ flags, seq, ack, length, window, options }: SegmentLine): string {
  return `${flags} ${seq} ${ack} ${length} ${window} ${options}`;
}

function statesOf({ transitions }: SegmentLine): StateName[] {
  return transitions.map(({ to }) => to);
}

function opposite(side: Side): Side {
  return side === 'left' ? 'right' : 'left';
}
