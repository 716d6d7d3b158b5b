import type { StateName } from '../tcp/state.js';
import type { SegmentLine } from './ladder-line.js';

/** A state that an end has entered, by what is seen of it from outside. */
export interface Entered {
  to: StateName;
  /**
   * By a SYN or FIN that it has received before; otherwise by the segment at hand. Only an
   * acknowledgement tells that it was received.
   */
  by: 'SYN' | 'FIN' | null;
}

type Seen = Pick<SegmentLine, 'flags' | 'seq' | 'ack' | 'length'>;

const NOTHING: readonly Entered[] = [];

/**
 * The states of one end of a connection, inferred from the segments that pass (RFC 9293 §3.3.2,
 * figure 5): from those that it sends, and from those that it must have received.
 *
 * A SYN or FIN counts as received when the end acknowledges it. An ACK or RST, which nobody
 * acknowledges, counts as received when it was sent; when the end then repeats what was acknowledged,
 * it is put back where it was. The end of TIME_WAIT cannot be seen.
 */
export class InferredStates {
  /** Null until there is a segment to infer it from. */
  state: StateName | null = null;
  /** The state before the first segment; null when that is not known. */
  initial: StateName | null = null;
  /** The number after its FIN, and after the FIN sent to it. */
  #finEnd: number | null = null;
  #otherFinEnd: number | null = null;
  /** Where it goes back to when it repeats its FIN. */
  #beforeAckOfFin: StateName | null = null;
  #entered: Entered[] = [];

  /** The end has sent `segment`. Returns the states that it is known by that to have entered. */
  sends(segment: Seen): readonly Entered[] {
    this.#entered = [];
    const has = flagsOf(segment);
    if (has.rst) this.#reset();
    else if (has.syn) this.#sendsSyn(segment.ack !== null);
    else this.#sendsOther(segment, has.fin);
    return this.#result();
  }

  /** The other end has sent it `segment`. */
  hears(segment: Seen): readonly Entered[] {
    this.#entered = [];
    const has = flagsOf(segment);
    if (has.rst) {
      if (this.state !== null && this.state !== 'LISTEN') this.#reset();
      return this.#result();
    }
    if (segment.ack !== null) this.#hearsAck(segment.ack);
    if (has.fin) this.#otherFinEnd = (segment.seq + segment.length + 1) | 0;
    return this.#result();
  }

  #sendsSyn(acknowledges: boolean): void {
    if (acknowledges) {
      if (this.state === 'SYN_RECEIVED') return;
      if (this.state === null) this.initial = 'LISTEN';
      this.#enter('SYN_RECEIVED', 'SYN');
    } else if (this.state !== 'SYN_SENT') {
      if (this.state === null) this.initial = 'CLOSED';
      this.#enter('SYN_SENT');
    }
  }

  #sendsOther({ seq, ack, length }: Seen, fin: boolean): void {
    if (this.state === null) this.initial = this.state = 'ESTABLISHED';
    if (ack !== null) {
      if (this.state === 'SYN_SENT') this.#enter('ESTABLISHED', 'SYN');
      if (this.state === 'SYN_RECEIVED') this.#enter('ESTABLISHED');
      const otherFin = this.#otherFinEnd;
      if (otherFin !== null && ((ack - otherFin) | 0) >= 0) this.#receivedFin();
    }
    if (fin) this.#sendsFin((seq + length + 1) | 0);
  }

  #sendsFin(end: number): void {
    if (this.#finEnd === end) {
      if (this.#beforeAckOfFin !== null) this.#enter(this.#beforeAckOfFin);
      this.#beforeAckOfFin = null;
      return;
    }
    this.#finEnd = end;
    if (this.state === 'CLOSE_WAIT') this.#enter('LAST_ACK');
    else if (this.state === 'ESTABLISHED') this.#enter('FIN_WAIT_1');
  }

  #receivedFin(): void {
    this.#otherFinEnd = null;
    if (this.state === 'ESTABLISHED') this.#enter('CLOSE_WAIT', 'FIN');
    else if (this.state === 'FIN_WAIT_1') this.#enter('CLOSING', 'FIN');
    else if (this.state === 'FIN_WAIT_2') {
      this.#enter('TIME_WAIT', 'FIN');
      this.#beforeAckOfFin = null;
    }
  }

  #hearsAck(ack: number): void {
    if (this.state === 'SYN_RECEIVED') this.#enter('ESTABLISHED');
    if (this.#finEnd === null || ((ack - this.#finEnd) | 0) < 0) return;
    const before = this.state;
    if (before === 'FIN_WAIT_1') this.#enter('FIN_WAIT_2');
    else if (before === 'CLOSING') this.#enter('TIME_WAIT');
    else if (before === 'LAST_ACK') this.#enter('CLOSED');
    else return;
    this.#beforeAckOfFin = before;
  }

  #reset(): void {
    if (this.state === null) this.initial = this.state = 'CLOSED';
    else if (this.state !== 'CLOSED') this.#enter('CLOSED');
  }

  #enter(to: StateName, by: Entered['by'] = null): void {
    this.state = to;
    this.#entered.push({ to, by });
  }

  #result(): readonly Entered[] {
    return this.#entered.length === 0 ? NOTHING : this.#entered;
  }
}

function flagsOf({ flags }: Seen) {
  return {
    syn: flags.includes('SYN'),
    fin: flags.includes('FIN'),
    rst: flags.includes('RST'),
  };
}
