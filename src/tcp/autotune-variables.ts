import { type Seq, seq } from '../base/seq.js';

/**
 * How the receive buffer of a connection grows (`autotune.ts`). One that has received no text refers to
 * a blank that all of these share, which nobody writes to. Times are ms, and -0 is a double.
 */
export class AutotuneVariables {
  /** Most bytes that the user has read in a round trip; where and when this one began. */
  space = -0;
  from = -0;
  since = -0;
  /** Round trip as a receiver sees it, from echoes of the timestamp {@link echo}; 0: none. */
  rtt = -0;
  echo = 0;
  /** Shortest time that a whole window took to arrive; 0: none yet. Of the one under way, the right
   * edge, and when that was announced. */
  windowTime = -0;
  timedTo: Seq = seq(0);
  timedFrom = -0;
}

export const BLANK_AUTOTUNE = new AutotuneVariables();
