/** What {@link mayAnswer} counts: for one connection, or for what TIME_WAIT keeps of it. */
export interface AckThrottle {
  /** When the second that is counted began, ms. */
  throttledSince: number;
  /** ACKs asked for in it. */
  throttledAcks: number;
}

/**
 * ACK throttling (RFC 5961 §7): whether one more ACK may go out in answer to a segment that no honest
 * peer needs answered at once: challenges, and answers to segments without text that lie outside the
 * window. `limit`: ACKs per second. So two ends that do not agree on their numbers cannot answer each
 * other's ACKs for ever.
 *
 * The count is each connection's own. One for the whole host, as the RFC has it, would be a channel:
 * who has spent it on a connection of their own and counts what comes back learns whether a forged
 * segment hit another one (CVE-2016-5696).
 */
export function mayAnswer(throttle: AckThrottle, limit: number, now: number): boolean {
  if (now - throttle.throttledSince >= 1_000) {
    throttle.throttledSince = now;
    throttle.throttledAcks = 0;
  }
  if (throttle.throttledAcks >= limit) return false;
  throttle.throttledAcks++;
  return true;
}
