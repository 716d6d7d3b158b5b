import { SIMULTANEOUS_OPEN, WINDOW_OPENED, WINDOW_PROBE } from '../tcp/retransmit-cause.js';
import type { SegmentLine } from './ladder-line.js';

/** Causes that tell of no loss. */
const WITHOUT_LOSS: readonly unknown[] = [SIMULTANEOUS_OPEN, WINDOW_OPENED, WINDOW_PROBE];

/** A segment that may turn out to be lost. */
interface Sent {
  line: SegmentLine;
  lost: 'no' | 'presumed' | 'yes';
}

/**
 * Finds what one end sent that must be presumed lost, because all of it was sent again. Not if the
 * other end had acknowledged it by then, or a SACK block had named a part of it; and not if a D-SACK
 * says later that it came twice (RFC 2018 §3, RFC 2883 §4).
 */
export class PresumedLosses {
  /** The latest segment from each number on. */
  readonly #sent = new Map<number, Sent>();
  #presumed: Sent[] = [];
  #sacked: [number, number][] = [];
  #acknowledged: number | null = null;

  /** This end sent it. */
  sends(one: Sent): void {
    const { line } = one;
    const length = extentOf(line);
    if (length === 0) return;
    if (line.retransmission && !WITHOUT_LOSS.includes(line.cause)) {
      this.#isSentAgain(line, line.seq + length);
    }
    this.#sent.set(line.seq, one);
  }

  /** The other end sent it. */
  hears({ ack, sack }: SegmentLine): void {
    if (ack === null) return;
    if (this.#acknowledged === null || ((ack - this.#acknowledged) | 0) > 0) {
      this.#acknowledged = ack;
      this.#sacked = this.#sacked.filter(([, right]) => ((right - ack) | 0) > 0);
      this.#presumed = this.#presumed.slice(-64);
    }
    for (const [left, right] of sack) {
      if (((right - ack) | 0) <= 0) this.#cameTwice(left, right);
      else {
        this.#sacked = this.#sacked.filter(([start]) => start !== left);
        this.#sacked.push([left, right]);
      }
    }
  }

  #isSentAgain(again: SegmentLine, to: number): void {
    for (let seq = again.seq; seq < to; ) {
      const earlier = this.#sent.get(seq);
      if (earlier === undefined) return;
      const end = seq + extentOf(earlier.line);
      if (end > to) return;
      // A SYN that meets another one is repeated with an ACK.
      if (earlier.line.ack === null && again.ack !== null) return;
      if (earlier.lost === 'no' && !this.#isReceived(seq, end)) {
        earlier.lost = 'presumed';
        this.#presumed.push(earlier);
      }
      seq = end;
    }
  }

  #isReceived(from: number, to: number): boolean {
    if (this.#acknowledged !== null && ((this.#acknowledged - to) | 0) >= 0) return true;
    return this.#sacked.some(([left, right]) => overlap(left, right, from, to));
  }

  #cameTwice(left: number, right: number): void {
    for (const one of this.#presumed) {
      const { seq } = one.line;
      if (overlap(left, right, seq, seq + extentOf(one.line))) one.lost = 'no';
    }
  }
}

function extentOf({ flags, length }: SegmentLine): number {
  return length + (flags.includes('SYN') ? 1 : 0) + (flags.includes('FIN') ? 1 : 0);
}

function overlap(left: number, right: number, from: number, to: number): boolean {
  return ((left - to) | 0) < 0 && ((right - from) | 0) > 0;
}
