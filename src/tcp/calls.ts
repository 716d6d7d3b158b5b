import { ByteRing } from '../base/byte-ring.js';
import { add, diff, type Seq } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import { blankCongestionControl, checkCongestionControl } from './congestion.js';
import { startCongestionControl } from './congestion-window.js';
import { enterClosed } from './end.js';
import { ownKeepAlive, ownUrgent } from './first-text.js';
import { sendAck, sendReset } from './output.js';
import { isOutstanding } from './path-mtu.js';
import { Orphan } from './rare-variables.js';
import { windowUpdateDue } from './receiver.js';
import { canSend, State, transition, unreachable } from './state.js';
import { type Failure, LEAST_BUFFER, NOTHING_WRITTEN, type Tcb } from './tcb.js';
import { armFinWait2, armKeepAlive, stopKeepAlive } from './timers.js';

/** Sets the send variables for `iss`; for both kinds of OPEN (RFC 9293 §3.10.1). */
export function initialize(tcb: Tcb, iss: Seq, tsOffset: number, now: number): void {
  tcb.iss = iss;
  tcb.sndUna = iss;
  tcb.sndNxt = iss;
  tcb.sendStart = add(iss, 1);
  tcb.recover = iss;
  tcb.fack = iss;
  tcb.highRxt = iss;
  tcb.shortEnd = iss;
  tcb.tsOffset = tsOffset;
  tcb.heardAt = now;
}

/** Active OPEN (§3.10.1): SYN goes out at the end of the batch. */
export function open(tcb: Tcb, now: number): void {
  transition(tcb, State.SYN_SENT, 'active OPEN: RFC 9293 §3.10.1', now);
  tcb.host.counters.tcpActiveOpens++;
  tcb.host.markDirty(tcb);
}

/** SEND (§3.10.2): copies into the send buffer what it has room for; returns the octets taken. */
export function send(tcb: Tcb, bytes: Uint8Array, offset: number, urgent: boolean): number {
  if (!canSend(tcb.state) || tcb.finQueued) return 0;
  const offered = bytes.length - offset;
  if (tcb.sendBuffer === NOTHING_WRITTEN) tcb.sendBuffer = new ByteRing(tcb.host.config.sendBuffer);
  const taken = tcb.sendBuffer.push(bytes, offset, Math.min(offered, sendRoom(tcb)));
  if (taken < offered) tcb.writeBlocked = true;
  if (urgent && taken > 0) {
    ownUrgent(tcb).sndUp = tcb.sendEnd;
    tcb.urgent.pending = true;
  }
  if (taken > 0) tcb.host.markDirty(tcb);
  return taken;
}

/** What the buffer itself does not limit: when memory is short, each connection has little. */
function sendRoom(tcb: Tcb): number {
  if (!tcb.host.memoryExceeded) return Infinity;
  return Math.max(LEAST_BUFFER - tcb.sendBuffer.length, 0);
}

/** RECEIVE (§3.10.3): the next chunk in order, or null. A larger window is announced when it pays. */
export function receive(tcb: Tcb): Uint8Array | null {
  const chunk = tcb.receiveQueue.shift();
  if (tcb.urgent.mode && urgentLength(tcb) === 0) tcb.urgent.mode = false;
  if (chunk !== null && !tcb.dirty && tellsOfRead(tcb)) tcb.host.markDirty(tcb);
  return chunk;
}

/** Not for each chunk of a batch: what is left is counted as the host's memory until the last one. */
function tellsOfRead(tcb: Tcb): boolean {
  return tcb.receiveQueue.length === 0 || tcb.host.memoryExceeded || windowUpdateDue(tcb);
}

/** Octets from the next that the user reads to the end of the urgent data (§3.8.5, MUST-33). */
export function urgentLength(tcb: Tcb): number {
  if (!tcb.urgent.mode) return 0;
  const read = add(tcb.rcvNxt, -tcb.receiveQueue.length);
  return Math.max(diff(tcb.urgent.rcvUp, read), 0);
}

/** CLOSE (§3.10.4): FIN after everything written. The other direction stays open. */
export function close(tcb: Tcb, now: number): void {
  if (tcb.finQueued) return;
  switch (tcb.state) {
    case State.CLOSED:
    case State.LISTEN:
      return;
    case State.SYN_SENT:
      // The RFC deletes the TCB, as shutdown(2) of Linux does. Sockets of Node let one write and end
      // before the handshake is complete, so the FIN waits; abort() is what gives up.
      tcb.finQueued = true;
      return;
    case State.SYN_RECEIVED:
      // With data to send first, the close waits for ESTABLISHED.
      tcb.finQueued = true;
      if (tcb.sendBuffer.length > 0) return;
      transition(tcb, State.FIN_WAIT_1, 'CLOSE: RFC 9293 §3.10.4', now);
      break;
    case State.ESTABLISHED:
      tcb.finQueued = true;
      transition(tcb, State.FIN_WAIT_1, 'CLOSE: RFC 9293 §3.10.4', now);
      break;
    case State.CLOSE_WAIT:
      tcb.finQueued = true;
      transition(tcb, State.LAST_ACK, 'CLOSE: RFC 9293 §3.10.4', now);
      break;
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
    case State.CLOSING:
    case State.LAST_ACK:
    case State.TIME_WAIT:
      return;
    default:
      unreachable(tcb.state);
  }
  if (tcb.flight === 0) tcb.waitingSince = now;
  tcb.host.markDirty(tcb);
}

/** ABORT (§3.10.5): RST to a peer that knows of the connection, everything dropped. */
export function abort(tcb: Tcb, now: number): void {
  switch (tcb.state) {
    case State.CLOSED:
      return;
    case State.TIME_WAIT:
      // The record that has taken the TCB's place stays for its 2 MSL.
      tcb.receiveQueue.clear();
      return;
    case State.SYN_RECEIVED:
    case State.ESTABLISHED:
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
    case State.CLOSE_WAIT:
      // A peer in SYN_RECEIVED must hear that its SYN arrived, or it never had a connection.
      if (tcb.ackNow !== null) sendAck(tcb, now);
      sendReset(tcb, now);
      break;
    case State.LISTEN:
    case State.SYN_SENT:
    case State.CLOSING:
    case State.LAST_ACK:
      break;
    default:
      unreachable(tcb.state);
  }
  tcb.receiveQueue.clear();
  enterClosed(tcb, null, 'ABORT: RFC 9293 §3.10.5', now);
}

/**
 * The user lets go of the connection, as by close(2): FIN after everything written, and nobody reads
 * any more (MAY-1). Octets that were not read are lost, which the peer is told by RST (§3.6.1,
 * SHLD-3).
 */
export function release(tcb: Tcb, now: number): void {
  if (tcb.orphan !== null) return;
  const orphan = letGo(tcb);
  if (tcb.state === State.SYN_SENT || tcb.receiveQueue.length > 0) {
    abort(tcb, now);
    return;
  }
  close(tcb, now);
  if (tcb.state === State.FIN_WAIT_2) armFinWait2(tcb, orphan, now);
  tcb.host.markDirty(tcb);
}

/** Nobody reads or writes any more. */
export function letGo(tcb: Tcb): Orphan {
  tcb.orphan ??= new Orphan();
  return tcb.orphan;
}

/**
 * Keep-alive on or off for this connection (RFC 9293 §3.8.4, MUST-24, MUST-27). `idle` in ms; 0:
 * unchanged.
 */
export function setKeepAlive(tcb: Tcb, on: boolean, idle: number, now: number): void {
  const keepAlive = ownKeepAlive(tcb);
  keepAlive.on = on;
  if (idle > 0) keepAlive.idle = idle;
  const isOpen = tcb.state >= State.ESTABLISHED && tcb.state < State.TIME_WAIT;
  if (on && isOpen) armKeepAlive(tcb, now);
  else stopKeepAlive(tcb, 'keep-alive is off: RFC 9293 §3.8.4', now);
  tcb.host.markDirty(tcb);
}

/**
 * Another congestion control for this connection. What the old one knew of the path is lost, but for
 * cwnd and ssthresh.
 * @throws TypeError (ERR_INVALID_ARG_VALUE)
 */
export function setCongestionControl(tcb: Tcb, name: string, now: number): void {
  checkCongestionControl(name);
  tcb.congestionControl = name;
  if (tcb.hasSent) startCongestionControl(tcb, now);
  else tcb.congestion = blankCongestionControl(name);
}

/**
 * An ICMP error that quotes a segment of this connection (RFC 9293 §3.9.2.2, SHLD-25, SHLD-26).
 * Hard errors end a connection that is being opened; later they are soft as well, because anyone
 * can forge them (RFC 5461 §4, RFC 5927 §5). The quoted number must be outstanding (RFC 5927 §4).
 */
export function icmpError(
  tcb: Tcb,
  quoted: Segment,
  failure: Failure,
  hard: boolean,
  now: number,
): boolean {
  if (!isOutstanding(tcb, quoted.seq)) return false;
  if (hard && (tcb.state === State.SYN_SENT || tcb.state === State.SYN_RECEIVED)) {
    enterClosed(tcb, failure, 'ICMP: RFC 9293 §3.9.2.2', now);
  } else {
    tcb.softError = failure;
  }
  return true;
}
