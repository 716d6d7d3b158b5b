import type { Tcb } from './tcb.js';

/**
 * TSval of RFC 7323 §4.1 and §5.4: a clock of 1 ms with an offset of the connection's own
 * (RFC7323-7-a).
 */
export function timestamp(tcb: Tcb, now: number): number {
  return (Math.floor(now) + tcb.tsOffset) | 0;
}
