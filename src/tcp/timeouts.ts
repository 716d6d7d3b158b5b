import { add, diff, min, type Seq } from '../base/seq.js';
import { ACK } from '../wire/segment.js';
import { beginSample } from './delivery-rate.js';
import { enterClosed } from './end.js';
import { sendData, sendEmpty, sendReset } from './output.js';
import { applyDeferred, suspectBlackHole } from './path-mtu.js';
import { onReorderTimeout, onRetransmitTimeout, retransmitSyn } from './recovery.js';
import { RACK, RTO, TLP, WINDOW_PROBE } from './retransmit-cause.js';
import { backOff } from './rtt.js';
import { unsent } from './sender.js';
import { State } from './state.js';
import { probeAllowed } from './tail-loss.js';
import { Event, type Failure, LossTimer, type Tcb } from './tcb.js';
import { armPersist, armRetransmit, setKeepAliveTimer, tell } from './timers.js';

/** TIMEOUTS (RFC 9293 §3.10.8): does what is due at `now`; output follows at the end of the batch. */
export function timeout(tcb: Tcb, now: number): void {
  if (tcb.delayedAckAt <= now) onDelayedAck(tcb, now);
  if (tcb.retransmitAt <= now) {
    onLossTimer(tcb, now);
  }
  if (tcb.keepAlive.at <= now) onKeepAlive(tcb, now);
  if (tcb.pacing.at <= now) {
    // Output, which follows, sends what it lets out.
    tell(
      tcb,
      'pacing',
      'fired',
      tcb.pacing.at,
      'the pacing rate lets more out: RFC 7661 §4.4.2',
      now,
    );
    tcb.pacing.at = Infinity;
  }
  const { orphan } = tcb;
  if (orphan !== null && orphan.finWait2At <= now) {
    tell(
      tcb,
      'finWait2',
      'fired',
      orphan.finWait2At,
      'the peer does not close: RFC 9293 §3.6',
      now,
    );
    orphan.finWait2At = Infinity;
    enterClosed(tcb, null, 'FIN_WAIT_2 timeout of a closed connection', now);
  }
}

function onLossTimer(tcb: Tcb, now: number): void {
  switch (tcb.lossTimer) {
    case LossTimer.RETRANSMIT:
      onRetransmit(tcb, now);
      return;
    case LossTimer.PERSIST:
      onPersist(tcb, now);
      return;
    case LossTimer.REORDER:
      onReorder(tcb, now);
      return;
    case LossTimer.PROBE:
      onProbe(tcb, now);
      return;
  }
}

/** What was only late has had its time (RFC 8985 §6.2). */
function onReorder(tcb: Tcb, now: number): void {
  tell(tcb, 'reorder', 'fired', tcb.retransmitAt, RACK.why, now);
  tcb.retransmitAt = Infinity;
  const { rateSample } = tcb.host;
  beginSample(tcb, rateSample);
  onReorderTimeout(tcb, rateSample, now);
}

/** RFC 8985 §7.3: new data if there is any that may go, else the last segment again. */
function onProbe(tcb: Tcb, now: number): void {
  tell(tcb, 'probe', 'fired', tcb.retransmitAt, TLP.why, now);
  tcb.retransmitAt = Infinity;
  if (!applyDeferred(tcb, now) && probeAllowed(tcb)) sendProbe(tcb, now);
  armRetransmit(tcb, now);
}

function sendProbe(tcb: Tcb, now: number): void {
  const { sndNxt } = tcb;
  const fresh = Math.min(unsent(tcb), tcb.sndMss, tcb.sndWnd - tcb.flight);
  tcb.rack.probeRetransmits = fresh <= 0;
  tcb.lossCause = TLP;
  const start = fresh > 0 ? sndNxt : lastSegment(tcb);
  tcb.rack.probeOut = true;
  sendData(tcb, start, fresh > 0 ? fresh : diff(sndNxt, start), now);
  tcb.host.counters.tcpLossProbes++;
  tcb.rack.probeEnd = tcb.sndNxt;
  tcb.rack.rttSinceProbe = false;
}

/** Where the segment that was sent last begins: the row is cut into full ones from its start. */
function lastSegment(tcb: Tcb): Seq {
  const { sent, sndNxt, sndMss } = tcb;
  const start = sent.start(sent.length - 1);
  const octets = Math.max(diff(min(sndNxt, tcb.sendEnd), start), 1);
  return add(start, octets - 1 - ((octets - 1) % sndMss));
}

function onDelayedAck(tcb: Tcb, now: number): void {
  const why = 'what was received has waited long enough: RFC 9293 §3.8.6.3';
  tell(tcb, 'delayedAck', 'fired', tcb.delayedAckAt, why, now);
  tcb.delayedAckAt = Infinity;
  if (tcb.lastAckSent === tcb.rcvNxt) return;
  tcb.host.counters.tcpDelayedAcks++;
  tcb.ackNow = 'the delayed-ACK timer fired: RFC 9293 §3.8.6.3';
}

/** RETRANSMISSION TIMEOUT with R1 and R2 (§3.8.3, MUST-20, SHLD-9) and RFC 6298 §5.4 to 5.7. */
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
  else {
    if (!applyDeferred(tcb, now)) suspectBlackHole(tcb, now);
    beginSample(tcb, tcb.host.rateSample);
    onRetransmitTimeout(tcb, tcb.host.rateSample, now);
  }
  backOff(tcb);
  armRetransmit(tcb, now);
}

/**
 * R2, or the user timeout when there is one (RFC 5482). A SYN is tried by time (MUST-22, MUST-23).
 */
function givesUp(tcb: Tcb, now: number): boolean {
  const { config } = tcb.host;
  const waited = now - tcb.waitingSince;
  if (tcb.userTimeout > 0) return waited >= tcb.userTimeout;
  if (tcb.state === State.SYN_SENT || tcb.state === State.SYN_RECEIVED) {
    const passive = tcb.state === State.SYN_RECEIVED && tcb.passive;
    return waited >= config.synTimeout || (passive && tcb.retransmits > config.synAckRetries);
  }
  // SHLD-17: with the window shut over outstanding data, a peer that answers is no lost peer.
  if (tcb.orphan === null && tcb.sndWnd === 0 && now - tcb.heardAt < tcb.rto * 2) return false;
  return tcb.retransmits > retries(tcb);
}

/** Nobody waits for what a closed connection still sends, so that it does not try as long. */
function retries(tcb: Tcb): number {
  const { retransmitR2, orphanRetries } = tcb.host.config;
  return tcb.orphan !== null ? Math.min(orphanRetries, retransmitR2) : retransmitR2;
}

/** Probes a window that lets nothing out (§3.8.6.1, MUST-36), with back-off (SHLD-30). */
function onPersist(tcb: Tcb, now: number): void {
  tell(tcb, 'persist', 'fired', tcb.retransmitAt, WINDOW_PROBE.why, now);
  tcb.retransmits++;
  tcb.persistProbes++;
  const limit =
    tcb.userTimeout > 0
      ? now - tcb.waitingSince >= tcb.userTimeout
      : tcb.retransmits > retries(tcb);
  if (limit) {
    lose(tcb, 'no answer to zero-window probes: RFC 9293 §3.8.6.1', now);
    return;
  }
  if (tcb.orphan !== null && tcb.persistProbes > retries(tcb)) {
    const cause = 'the user has gone and the peer takes nothing: RFC 9293 §3.8.6.1, RFC 6429 §4';
    sendReset(tcb, now);
    lose(tcb, cause, now);
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

/**
 * §3.8.4: a probe without data (SHLD-12), one number behind, which the peer must answer (MAY-5,
 * MUST-29).
 */
function onKeepAlive(tcb: Tcb, now: number): void {
  const { config } = tcb.host;
  const idle = 'nothing was heard for so long: RFC 9293 §3.8.4';
  tell(tcb, 'keepAlive', 'fired', tcb.keepAlive.at, idle, now);
  if (tcb.flight > 0) {
    const why = 'outstanding data has the retransmission timer: RFC 9293 §3.8.4 (MUST-26)';
    setKeepAliveTimer(tcb, tcb.keepAlive.idle, why, now);
    return;
  }
  if (tcb.keepAlive.unanswered >= config.keepAliveProbes) {
    lose(tcb, 'keep-alive probes without answer: RFC 9293 §3.8.4', now);
    return;
  }
  tcb.keepAlive.unanswered++;
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
