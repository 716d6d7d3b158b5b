import { type Seq, seq } from '../base/seq.js';

/**
 * Variables of a connection that few have a use for. Those that have none refer to a blank, which nobody writes
 * to; `first-text.ts` gives them their own. Times are ms.
 */

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

export const NO_KEEP_ALIVE = new KeepAlive(Infinity);
export const NOTHING_URGENT = new UrgentPointers();
