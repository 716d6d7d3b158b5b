import { type Seq, seq } from '../base/seq.js';

/**
 * Explicit congestion notification (`ecn.ts`). Connections whose SYN has not spoken of it refer to a
 * blank that all of these share, which nobody writes to.
 */
export class EcnVariables {
  /** A SYN of ours asked for ECN; one after it did not (RFC 3168 §6.1.1). */
  asked = false;
  withdrawn = false;
  /** The peer's packets were ECN-capable. */
  seen = false;
  /** ECE is on what we acknowledge with. */
  echo = false;
  /** The next new text carries CWR. */
  cwrPending = false;
  /** The window was lowered for what was sent before {@link cwrEnd}. */
  inCwr = false;
  cwrEnd: Seq = seq(0);
}

export const BLANK_ECN = new EcnVariables();
