import { geq, leq, max, min, type Seq, seq } from '../base/seq.js';

/**
 * Variables of a connection that few have a use for. Those that have none refer to a blank, which nobody writes
 * to; `first-text.ts` gives them their own. Times are ms.
 */

/** Ranges that arrived twice, of one batch. */
const MOST_DSACKS = 32;

/** Keep-alive (RFC 9293 §3.8.4): see `timers.ts`. */
export class KeepAlive {
  /** MUST-25: off by default. */
  on = false;
  /** Probes that had no answer. */
  unanswered = 0;
  /** The timer; `Infinity`: it is off. */
  at = Infinity;

  /** `idle`: so long nothing is heard before the first probe. */
  constructor(public idle: number) {}
}

/** Urgent data (RFC 9293 §3.8.5, RFC 6093): SND.UP and RCV.UP, and whether they mean anything. */
export class UrgentPointers {
  sndUp: Seq = seq(0);
  /** What {@link sndUp} marks is not yet sent. */
  pending = false;
  rcvUp: Seq = seq(0);
  /** The user has not read as far as {@link rcvUp}. */
  mode = false;
}

/** A connection whose user has let go, which the host sees through to its end. */
export class Orphan {
  /** Ends FIN_WAIT_2; `Infinity`: the timer is off. */
  finWait2At = Infinity;
  /** The host has counted it. */
  counted = false;
  /** The host keeps the process running for its last words. */
  held = false;
}

/** What the next ACKs report to have arrived twice (RFC 2883). */
export class DsackBlocks {
  /** The octets of the next one; none when both are equal. */
  left: Seq = seq(0);
  right: Seq = seq(0);
  /** Edges of further ones of the same batch, each for an ACK of its own. */
  readonly #more: Seq[] = [];

  get areOwed(): boolean {
    return this.left !== this.right;
  }

  /** What adjoins a block makes one with it. */
  add(left: Seq, right: Seq): void {
    if (this.areOwed && leq(left, this.right) && geq(right, this.left)) {
      this.left = min(left, this.left);
      this.right = max(right, this.right);
      return;
    }
    if (this.areOwed && this.#more.length < 2 * MOST_DSACKS) this.#more.push(this.left, this.right);
    this.left = left;
    this.right = right;
  }

  /** The one at hand is reported. */
  next(): void {
    this.left = this.right;
    if (this.#more.length === 0) return;
    this.right = this.#more.pop()!;
    this.left = this.#more.pop()!;
  }
}

export const NO_DSACKS = new DsackBlocks();
export const NO_KEEP_ALIVE = new KeepAlive(Infinity);
export const NOTHING_URGENT = new UrgentPointers();
