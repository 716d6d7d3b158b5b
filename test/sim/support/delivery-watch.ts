import { diff, gt, type Seq } from '../../../src/base/seq.js';
import type { Recorder } from '../../../src/stack/recorder.js';
import type { State } from '../../../src/tcp/state.js';
import { SilentTrace, type Traced } from '../../../src/tcp/trace.js';
import { ACK, type Segment, SYN, segmentsOnWire } from '../../../src/wire/segment.js';

/** Octets of one connection that have arrived, as ranges in order that do not touch. */
class Ranges {
  readonly #edges: number[] = [];

  /** Adds a range; true when all of it was there. */
  add(from: number, to: number): boolean {
    const edges = this.#edges;
    let first = edges.length;
    // Backwards, because most ranges come at the end.
    while (first > 0 && edges[first - 1]! >= from) first -= 2;
    let left = from;
    let right = to;
    let next = first;
    for (; next < edges.length && edges[next]! <= to; next += 2) {
      if (edges[next]! <= from && edges[next + 1]! >= to) return true;
      left = Math.min(left, edges[next]!);
      right = Math.max(right, edges[next + 1]!);
    }
    if (next === first + 2) {
      edges[first] = left;
      edges[first + 1] = right;
    } else edges.splice(first, next - first, left, right);
    return false;
  }
}

interface Seen {
  start: Seq;
  readonly ranges: Ranges;
}

/** Sees, at a receiver, which segments bring nothing new; passes everything on to a recorder. */
export class DeliveryWatch extends SilentTrace {
  /** Segments whose every octet had arrived before. */
  needless = 0;
  /** When a segment arrived last, whatever became of it; ms. */
  heardAt = 0;
  /** When a segment last acknowledged something new; ms. */
  ackedAt = 0;
  readonly #seen = new Map<number, Seen>();
  #acked: Seq | null = null;

  constructor(private readonly next: Recorder | null = null) {
    super();
  }

  override received(segment: Segment, connection: Traced | null, now: number): void {
    this.next?.received(segment, connection, now);
    this.heardAt = now;
    if ((segment.flags & ACK) !== 0 && (this.#acked === null || gt(segment.ack, this.#acked))) {
      this.#acked = segment.ack;
      this.ackedAt = now;
    }
    const key = segment.srcAddr * 0x1_0000 + segment.srcPort;
    if ((segment.flags & SYN) !== 0) {
      const seen = this.#seen.get(key);
      // A SYN that comes again begins nothing.
      if (seen?.start !== segment.seq) {
        this.#seen.set(key, { start: segment.seq, ranges: new Ranges() });
      }
      return;
    }
    const length = segment.dataLength;
    const seen = this.#seen.get(key);
    if (length === 0 || seen === undefined || connection === null) return;
    const from = diff(segment.seq, seen.start);
    if (seen.ranges.add(from, from + length)) this.needless += segmentsOnWire(segment);
  }

  override sent(segment: Segment, connection: Traced | null, now: number): void {
    this.next?.sent(segment, connection, now);
  }

  override transition(connection: Traced, from: State, to: State, why: string, now: number): void {
    this.next?.transition(connection, from, to, why, now);
  }
}
