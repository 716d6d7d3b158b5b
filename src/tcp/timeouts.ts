import { add } from '../base/seq.js';
import { ACK } from '../wire/segment.js';
import { enterClosed } from './end.js';
import { sendData, sendEmpty } from './output.js';
import { onRetransmitTimeout, retransmitSyn } from './recovery.js';
import { RTO, WINDOW_PROBE } from './retransmit-cause.js';
import { backOff } from './rtt.js';
import { State } from './state.js';
import { Event, type Failure, type Tcb } from './tcb.js';
import { armPersist, armRetransmit, setKeepAliveTimer, tell } from './timers.js';

/** TIMEOUTS (RFC 9293 §3.10.8): does what is due at `now`; output follows at the end of the batch. */
export function timeout(tcb: Tcb, now: number): void {
  if (tcb.delayedAckAt <= now) onDelayedAck(tcb, now);
  if (tcb.retransmitAt <= now) {
    if (tcb.persisting) onPersist(tcb, now);
    else onRetransmit(tcb, now);
  }
  if (tcb.keepAliveAt <= now) onKeepAlive(tcb, now);
  if (tcb.pacingAt <= now) {
    // Output, which follows, sends what it lets out.
    tell(
      tcb,
      'pacing',
      'fired',
      tcb.pacingAt,
      'the pacing rate lets more out: RFC 7661 §4.4.2',
      now,
    );
    tcb.pacingAt = Infinity;
  }
  if (tcb.finWait2At <= now) {
    tell(tcb, 'finWait2', 'fired', tcb.finWait2At, 'the peer does not close: RFC 9293 §3.6', now);
    tcb.finWait2At = Infinity;
    enterClosed(tcb, null, 'FIN_WAIT_2 timeout of a closed connection', now);
  }
}

function onDelayedAck(tcb: Tcb, now: number): void {
  const why = 'what was received has waited long enough: RFC 9293 §3.8.6.3';
  tell(tcb, 'delayedAck', 'fired', tcb.delayedAckAt, why, now);
  tcb.delayedAckAt = Infinity;
  if (tcb.lastAckSent === tcb.rcvNxt) return;
  tcb.host.counters.tcpDelayedAcks++;
  tcb.ackNow = 'the delayed-ACK timer fired: RFC 9293 §3.8.6.3';
}

/** RETRANSMISSION TIMEOUT with R1 and R2 (§3.8.3) and RFC 6298 §5.4 to 5.7. */
function onRetransmit(tcb: Tcb, now: number): void {
  tell(tcb, 'retransmit', 'fired', tcb.retransmitAt, RTO.why, now);
  tcb.retransmits++;
  tcb.host.counters.tcpTimeouts++;
  if (givesUp(tcb, now)) {
    lose(tcb, 'retransmission limit R2: RFC 9293 §3.8.3', now);
    return;
  }
  if (tcb.retransmits === tcb.host.config.retransmitR1) tcb.events |= Event.TROUBLE;
  if (tcb.state === State.SYN_SENT || tcb.state === State.SYN_RECEIVED) retransmitSyn(tcb, RTO);
  else onRetransmitTimeout(tcb, now);
  backOff(tcb);
  armRetransmit(tcb, now);
}

/** R2, or the user timeout when there is one (RFC 5482). A SYN is tried by time (MUST-23). */
function givesUp(tcb: Tcb, now: number): boolean {
  const { config } = tcb.host;
  const waited = now - tcb.waitingSince;
  if (tcb.userTimeout > 0) return waited >= tcb.userTimeout;
  if (tcb.state === State.SYN_SENT || tcb.state === State.SYN_RECEIVED) {
    return waited >= config.synTimeout;
  }
  // SHLD-17: with the window shut over outstanding data, a peer that answers is no lost peer.
  if (tcb.sndWnd === 0 && now - tcb.heardAt < tcb.rto * 2) return false;
  return tcb.retransmits > config.retransmitR2;
}

/** Probes a window that lets nothing out (§3.8.6.1), with back-off (SHLD-30). */
function onPersist(tcb: Tcb, now: number): void {
  tell(tcb, 'persist', 'fired', tcb.retransmitAt, WINDOW_PROBE.why, now);
  tcb.retransmits++;
  const limit =
    tcb.userTimeout > 0
      ? now - tcb.waitingSince >= tcb.userTimeout
      : tcb.retransmits > tcb.host.config.retransmitR2;
  if (limit) {
    lose(tcb, 'no answer to zero-window probes: RFC 9293 §3.8.6.1', now);
    return;
  }
  tcb.host.counters.tcpZeroWindowProbes++;
  // With a sliver of window this is the override of §3.8.6.2.1 (4), else one octet beyond it.
  const room = Math.max(1, Math.min(tcb.sndWnd, tcb.sndMss));
  tcb.lossCause = WINDOW_PROBE;
  sendData(tcb, tcb.sndUna, room, now);
  if (tcb.sndWnd > 0) return;
  backOff(tcb);
  armPersist(tcb, now);
}

/** §3.8.4: a probe without data (SHLD-12), one number behind, which the peer must answer. */
function onKeepAlive(tcb: Tcb, now: number): void {
  const { config } = tcb.host;
  const idle = 'nothing was heard for so long: RFC 9293 §3.8.4';
  tell(tcb, 'keepAlive', 'fired', tcb.keepAliveAt, idle, now);
  if (tcb.flight > 0) {
    const why = 'outstanding data has the retransmission timer: RFC 9293 §3.8.4 (MUST-26)';
    setKeepAliveTimer(tcb, tcb.keepAliveIdle, why, now);
    return;
  }
  if (tcb.keepAliveUnanswered >= config.keepAliveProbes) {
    lose(tcb, 'keep-alive probes without answer: RFC 9293 §3.8.4', now);
    return;
  }
  tcb.keepAliveUnanswered++;
  tcb.host.counters.tcpKeepalives++;
  sendEmpty(tcb, ACK, add(tcb.sndNxt, -1), now);
  const why = 'the next probe, unless this one is answered: RFC 9293 §3.8.4';
  setKeepAliveTimer(tcb, config.keepAliveInterval, why, now);
}

/** The peer is gone; a soft ICMP error says more than a timeout (RFC 9293 §3.9.2.2). */
function lose(tcb: Tcb, cause: string, now: number): void {
  const failure: Failure = tcb.softError ?? 'ETIMEDOUT';
  enterClosed(tcb, failure, cause, now);
}
