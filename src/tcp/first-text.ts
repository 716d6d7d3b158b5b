import type { AckThrottle } from './ack-throttle.js';
import { AutotuneVariables, BLANK_AUTOTUNE } from './autotune-variables.js';
import { startCongestionControl } from './congestion-window.js';
import { BLANK_ECN, EcnVariables } from './ecn-variables.js';
import {
  DsackBlocks,
  KeepAlive,
  NO_DSACKS,
  NO_KEEP_ALIVE,
  NOTHING_URGENT,
  UrgentPointers,
} from './rare-variables.js';
import { NOTHING_OUT_OF_ORDER, Reassembly } from './reassembly.js';
import { ReceiveQueue } from './receive-queue.js';
import {
  BLANK_PATH_MTU,
  Delivery,
  Pacing,
  PathMtuVariables,
  RackVariables,
  RoundTrips,
  WindowUse,
} from './sender-variables.js';
import { SentSegments } from './sent-segments.js';
import type { Tcb } from './tcb.js';

/**
 * Gives a connection of its own what it shares with all others as long as it is idle, or has no need of it at all,
 * so that what most connections do most of the time costs little.
 */

/** Text or FIN is about to be sent for the first time. */
export function prepareToSend(tcb: Tcb, now: number): void {
  tcb.sent = new SentSegments();
  tcb.rack = new RackVariables();
  tcb.roundTrips = new RoundTrips(tcb.srtt, tcb.heardAt);
  tcb.windowUse = new WindowUse(tcb.sndUna);
  tcb.pacing = new Pacing();
  tcb.delivery = new Delivery();
  startCongestionControl(tcb, now);
}

/** Text has arrived for the first time. */
export function prepareToReceive(tcb: Tcb): void {
  tcb.receiveQueue = new ReceiveQueue();
  ownAutotune(tcb).space = Math.min(10 * tcb.rcvMss, tcb.host.config.receiveBuffer);
}

export function ownAutotune(tcb: Tcb): AutotuneVariables {
  if (tcb.autotune === BLANK_AUTOTUNE) tcb.autotune = new AutotuneVariables();
  return tcb.autotune;
}

export function ownEcn(tcb: Tcb): EcnVariables {
  if (tcb.ecn === BLANK_ECN) tcb.ecn = new EcnVariables();
  return tcb.ecn;
}

export function ownReassembly(tcb: Tcb): Reassembly {
  if (tcb.reassembly === NOTHING_OUT_OF_ORDER) tcb.reassembly = new Reassembly();
  return tcb.reassembly;
}

export function ownPathMtu(tcb: Tcb): PathMtuVariables {
  if (tcb.mtu === BLANK_PATH_MTU) tcb.mtu = new PathMtuVariables();
  return tcb.mtu;
}

export function ownKeepAlive(tcb: Tcb): KeepAlive {
  if (tcb.keepAlive === NO_KEEP_ALIVE) {
    tcb.keepAlive = new KeepAlive(tcb.host.config.keepAliveIdle);
  }
  return tcb.keepAlive;
}

export function ownUrgent(tcb: Tcb): UrgentPointers {
  if (tcb.urgent === NOTHING_URGENT) tcb.urgent = new UrgentPointers();
  return tcb.urgent;
}

export function ownThrottle(tcb: Tcb): AckThrottle {
  tcb.throttle ??= { throttledSince: -Infinity, throttledAcks: 0 };
  return tcb.throttle;
}

export function ownDsacks(tcb: Tcb): DsackBlocks {
  if (tcb.dsacks === NO_DSACKS) tcb.dsacks = new DsackBlocks();
  return tcb.dsacks;
}
