import { geq, gt } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import type { RateSample } from './delivery-rate.js';
import { LossDetection, Recovery, type Tcb } from './tcb.js';
import { armProbe } from './timers.js';

/** Tail loss probes (RFC 8985 §7). Its variables are those of `RackVariables`. */

/** TLP.max_ack_delay: by how long a peer may delay the ACK of a single segment; as on Linux. ms. */
const MAX_ACK_DELAY = 200;
/** On short paths what delays an ACK is neither the path nor its variation, but two busy hosts. ms. */
const PTO_MIN = 10;
/** Added for the granularity of timers on both sides. ms. */
const GRANULARITY = 2;
/** §7.2: PTO before the first sample. ms. */
const PTO_INITIAL = 1_000;

/** §7.2: whether the end of the flight is to be probed rather than left to the timeout. */
export function mayProbe(tcb: Tcb): boolean {
  const { sent } = tcb;
  return (
    tcb.lossDetection === LossDetection.RACK &&
    tcb.recovery === Recovery.OPEN &&
    !tcb.rack.probeOut &&
    tcb.retransmits === 0 &&
    sent.length > 0 &&
    sent.sacked === 0 &&
    sent.lost === 0
  );
}

/** §7.2, TLP_calc_PTO; the timer itself sees to it that the probe is not later than the RTO. */
export function scheduleProbe(tcb: Tcb, now: number): void {
  if (tcb.srtt === 0) {
    armProbe(tcb, PTO_INITIAL, now);
    return;
  }
  const delayed = tcb.flight <= tcb.sndMss ? MAX_ACK_DELAY : 0;
  armProbe(tcb, Math.max(2 * tcb.srtt + delayed + GRANULARITY, PTO_MIN), now);
}

/** §7.3: the conditions for a probe at the time it is due. */
export function probeAllowed(tcb: Tcb): boolean {
  return !tcb.rack.probeOut && tcb.rack.rttSinceProbe;
}

/**
 * §7.4.2, TLP_process_ack: true when the probe has repaired a loss that nothing else shows, so that
 * congestion control has to react to it.
 */
export function repairedByProbe(
  tcb: Tcb,
  segment: Segment,
  sample: RateSample,
  duplicate: boolean,
): boolean {
  if (!tcb.rack.probeOut || !geq(segment.ack, tcb.rack.probeEnd)) return false;
  if (!tcb.rack.probeRetransmits || (sample.dsack && sample.dsackRight === tcb.rack.probeEnd)) {
    tcb.rack.probeOut = false;
  } else if (gt(segment.ack, tcb.rack.probeEnd)) {
    tcb.rack.probeOut = false;
    return true;
  } else if (duplicate && segment.sackCount === 0) {
    tcb.rack.probeOut = false;
  }
  return false;
}
