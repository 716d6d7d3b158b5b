import type { Tcb } from './tcb.js';

/** Something is outstanding again after nothing was: time spent idle says nothing of the path. */
export function startDelivery(tcb: Tcb, now: number): void {
  tcb.deliveryAt = now;
  tcb.deliveryFrom = tcb.bytesAcked;
}

/** Bytes were acknowledged: takes their rate over a round trip, which smooths bursts of ACKs. */
export function noteDelivered(tcb: Tcb, now: number): void {
  const elapsed = now - tcb.deliveryAt;
  if (elapsed < tcb.srtt || elapsed <= 0) return;
  tcb.deliveryRate = ((tcb.bytesAcked - tcb.deliveryFrom) / elapsed) * 1_000;
  startDelivery(tcb, now);
}
