import { leq, lt } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import { retransmitAll } from './recovery.js';
import { WINDOW_OPENED } from './retransmit-cause.js';
import { setRto } from './rtt.js';
import type { Tcb } from './tcb.js';
import { armRetransmit, stopRetransmit } from './timers.js';

/**
 * SND.WND, SND.WL1 and SND.WL2, unless the segment is older than the last that set them. `isNews`: it is
 * not, whatever its number, or the window would move right with SND.UNA, beyond what was ever offered.
 */
export function updateSendWindow(tcb: Tcb, segment: Segment, isNews: boolean, now: number): void {
  if (lt(segment.ack, tcb.sndUna)) return;
  const shut = tcb.sndWnd === 0;
  const isAgain = tcb.sndWl1 === segment.seq && leq(tcb.sndWl2, segment.ack);
  if (isNews || isAgain || lt(tcb.sndWl1, segment.seq)) setSendWindow(tcb, segment, now);
  // Shut over what is outstanding, retransmissions were the probes.
  const reopened = shut && tcb.sndWnd > 0 && tcb.retransmits > 0;
  if (tcb.persisting || reopened) onProbeAnswered(tcb, now);
}

/** Takes the window that the segment offers, whatever its number. */
export function setSendWindow(tcb: Tcb, segment: Segment, now: number): void {
  const before = tcb.sndWnd;
  tcb.sndWnd = segment.wnd << tcb.sndWindowShift;
  if (tcb.sndWnd > tcb.maxSndWnd) tcb.maxSndWnd = tcb.sndWnd;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  const { trace } = tcb.host;
  if (trace !== null && tcb.sndWnd !== before) trace.sendWindow(tcb, before, now);
}

/**
 * The peer lives (MUST-37), but takes nothing: only the user's own timeout, if there is one, limits that
 * (RFC 6429 §4). Once its window opens, a probe that it did not take is sent again.
 */
function onProbeAnswered(tcb: Tcb, now: number): void {
  // Of what outlives its user only progress counts, or a window that opens and shuts would keep it.
  if (tcb.persisting || tcb.orphan === null) tcb.retransmits = 0;
  if (tcb.sndWnd === 0) return;
  tcb.waitingSince = now;
  setRto(tcb);
  if (tcb.flight === 0) {
    stopRetransmit(tcb, now);
  } else {
    retransmitAll(tcb, WINDOW_OPENED);
    armRetransmit(tcb, now);
  }
}
