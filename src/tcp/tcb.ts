import { ByteRing } from '../base/byte-ring.js';
import type { Counters } from '../base/counters.js';
import { add, diff, type Seq, seq } from '../base/seq.js';
import { TimerNode } from '../base/timer-wheel.js';
import type { Segment } from '../wire/segment.js';
import type { AckThrottle } from './ack-throttle.js';
import { BLANK_AUTOTUNE } from './autotune-variables.js';
import type { TcpConfig } from './config.js';
import { blankCongestionControl, type CongestionControl } from './congestion.js';
import type { RateSample } from './delivery-rate.js';
import { BLANK_ECN } from './ecn-variables.js';
import { windowShiftFor } from './negotiation.js';
import { NO_DSACKS, NO_KEEP_ALIVE, NOTHING_URGENT, type Orphan } from './rare-variables.js';
import { NOTHING_OUT_OF_ORDER } from './reassembly.js';
import { NOTHING_RECEIVED } from './receive-queue.js';
import { RTO } from './retransmit-cause.js';
import {
  BLANK_DELIVERY,
  BLANK_EPISODE,
  BLANK_PACING,
  BLANK_PATH_MTU,
  BLANK_RACK,
  BLANK_ROUND_TRIPS,
  BLANK_WINDOW_USE,
} from './sender-variables.js';
import { NOTHING_SENT } from './sent-segments.js';
import { State } from './state.js';
import type { RetransmitCause, Trace } from './trace.js';

/** What TCP needs from the host around it. */
export interface TcpHost {
  readonly config: TcpConfig;
  readonly counters: Counters;
  readonly trace: Trace | null;
  /** The one segment that output fills. */
  readonly segmentOut: Segment;
  /** What the ACK at hand tells of the path; filled again for each. */
  readonly rateSample: RateSample;
  /** When the process last went on after it had been stopped, in ms; -Infinity: it never was. */
  readonly wokeAt: number;
  /**
   * Sends a segment; its payload is read before the next one is made. A payload longer than
   * `segmentSize` is cut below.
   */
  transmit(segment: Segment, tcb: Tcb | null, now: number): void;
  /** Largest payload in bytes that {@link transmit} takes at once; at least {@link Tcb.sndMss}. */
  maxBurst(tcb: Tcb): number;
  /** False while the link cannot take more; the host calls output again when it can. */
  canTransmit(tcb: Tcb): boolean;
  /** The connection has something to send, or an event to report, at the end of the batch. */
  markDirty(tcb: Tcb): void;
  /**
   * The handshake of a passive connection is complete by `segment`: gives it a place in the accept queue
   * of its listener; false: that is full, and the segment is as if it had not arrived.
   */
  admit(tcb: Tcb, segment: Segment, now: number): boolean;
  /** The connections of the host hold more memory than they may: {@link LEAST_BUFFER} is left to each. */
  readonly memoryExceeded: boolean;
  /** {@link Tcb.pathMss} is what the path carries, for other connections by it as well. */
  pathMtuFound(tcb: Tcb): void;
}

/** Why a connection was lost. */
export type Failure =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ENETDOWN'
  | 'EPROTO';

/** What the user is to be told at the end of the batch; bits of {@link Tcb.events}. */
export const enum Event {
  ESTABLISHED = 1,
  READABLE = 2,
  WRITABLE = 4,
  FINISHED = 8,
  CLOSED = 16,
  URGENT = 32,
  /** R1 was reached (RFC 9293 §3.8.3). */
  TROUBLE = 64,
}

/** How far loss recovery is; see `recovery.ts`. */
export const enum Recovery {
  OPEN = 0,
  /** Fast recovery: RFC 6582, RFC 6675 or RFC 8985, by {@link Tcb.lossDetection}. */
  FAST = 1,
  /** After a retransmission timeout: everything outstanding is sent again in slow start. */
  LOSS = 2,
}

/** How loss is told from ACKs: by what both ends have agreed on, and the configuration. */
export const enum LossDetection {
  /** Duplicate ACKs: RFC 5681, RFC 6582. */
  NEWRENO = 0,
  /** Octets SACKed above a hole: RFC 6675. */
  SACK = 1,
  /** The time since it was sent: RFC 8985. */
  RACK = 2,
}

/** What the timer for outstanding octets is set for; one at a time, as RFC 8985 §8 has it. */
export const enum LossTimer {
  RETRANSMIT = 0,
  PERSIST = 1,
  /** RACK: what may only be late will be taken for lost. */
  REORDER = 2,
  /** Tail loss probe. */
  PROBE = 3,
}

/** Forward RTO-Recovery (RFC 5682): which ACK after the timeout is waited for. */
export const enum Frto {
  OFF = 0,
  FIRST_ACK = 1,
  SECOND_ACK = 2,
}

/** Shared by all connections to which nothing was ever written. */
export const NOTHING_WRITTEN = new ByteRing(0);

/** So much each connection may hold in each direction even when memory is short. Bytes. */
export const LEAST_BUFFER = 16 * 1024;

let lastId = 0;

/**
 * Transmission control block: the variables of one connection (RFC 9293 §3.3.1), and no behaviour.
 * Sequence numbers are {@link Seq}, lengths bytes, times ms; a deadline of `Infinity` is off.
 */
export class Tcb {
  readonly id = ++lastId;
  readonly host: TcpHost;
  readonly localAddr: number;
  readonly localPort: number;
  readonly remoteAddr: number;
  readonly remotePort: number;
  /** By which of the host's interfaces its segments leave. */
  interfaceIndex = 0;
  /** Assigned by `transition()` alone. */
  readonly state: State;
  /** Opened by LISTEN, so that a RST in SYN_RECEIVED returns there (RFC 9293 MUST-11). */
  readonly passive: boolean;
  /** Not null: the user has let go; nobody reads any more, and closing has limits in time. */
  orphan: Orphan | null = null;
  /** Set when the connection ended other than by FIN from both sides. */
  failure: Failure | null = null;
  /** The last ICMP error that did not end the connection (RFC 9293 §3.9.2.2, MUST-56). */
  softError: Failure | null = null;

  iss: Seq = seq(0);
  sndUna: Seq = seq(0);
  /** The next number never sent before. */
  sndNxt: Seq = seq(0);
  /** SND.WND in bytes, scaled (RFC 9293 REC-1). */
  sndWnd = 0;
  sndWl1: Seq = seq(0);
  sndWl2: Seq = seq(0);
  /** Largest window the peer ever offered (RFC 5961 §5.2; silly windows). */
  maxSndWnd = 0;
  sndWindowShift = 0;
  /** What was written and not acknowledged; its first byte is number {@link sendStart}. */
  sendBuffer = NOTHING_WRITTEN;
  sendStart: Seq = seq(0);
  /** What is outstanding, but a SYN. */
  sent = NOTHING_SENT;
  /** The user has closed: FIN follows the last byte of the send buffer. */
  finQueued = false;
  /** The user was refused room in the send buffer and waits for {@link Event.WRITABLE}. */
  writeBlocked = false;

  irs: Seq = seq(0);
  rcvNxt: Seq = seq(0);
  /** The furthest right edge that was announced: up to here octets are taken (RFC 7323 §2.4). */
  rcvAdv: Seq = seq(0);
  urgent = NOTHING_URGENT;
  rcvWindowShift = 0;
  /** Grows; see `autotune.ts`. */
  rcvBufferLimit: number;
  /** How {@link rcvBufferLimit} grows. */
  autotune = BLANK_AUTOTUNE;
  /** Full segments of the peer, as they arrive, have so many octets; and the latest one had. */
  rcvFullSize: number;
  rcvLastSize = 0;
  receiveQueue = NOTHING_RECEIVED;
  reassembly = NOTHING_OUT_OF_ORDER;
  /** The peer's FIN has been taken into {@link rcvNxt}. */
  finReceived = false;

  /** Largest payload that we send in one segment, options deducted (RFC 9293 MUST-16). */
  sndMss = 536;
  /** The peer's MSS option, or 536 (MUST-15). */
  peerMss = 536;
  /** What the path lets us send in one segment: our MTU, or what ICMP has said since (RFC 1191). */
  pathMss: number;
  mtu = BLANK_PATH_MTU;
  /** The path carries less than we are willing to send, so that packets may be cut up. */
  mayFragment = false;
  /** What our MTU allows the peer to send us in one segment: our MSS option (RFC 6691). */
  readonly rcvMss: number;
  noDelay: boolean;
  /**
   * DiffServ and ECN bits of what is sent (RFC 9293 MUST-48, SHLD-21, SHLD-22); ECN's are TCP's
   * own.
   */
  tos = 0;
  /** RFC 9293 MUST-49. */
  readonly ttl: number;

  windowScaleOk = false;
  sackOk = false;
  timestampsOk = false;
  /** Added to our clock for TSval, so that it tells no one the uptime (RFC 7323 §7.1). */
  tsOffset = 0;
  tsRecent = 0;
  /** When {@link tsRecent} was set; PAWS trusts it for 24 days (RFC 7323 §5.5). */
  tsRecentAt = 0;
  lastAckSent: Seq = seq(0);

  /** Why an ACK goes out at the end of the batch; null when none is owed at once. */
  ackNow: string | null = null;
  throttle: AckThrottle | null = null;
  /** For a peer without SACK each segment out of order gets its own duplicate ACK: so many. */
  duplicateAcks = 0;
  dsacks = NO_DSACKS;
  /** Bytes received and not acknowledged. */
  ackPending = 0;
  quickAcks: number;

  /** RFC 6298; 0 before the first sample. */
  srtt = 0;
  rttvar = 0;
  rto: number;
  /** Expirations of the retransmission timer since the last progress. */
  retransmits = 0;
  /** Our SYN went out once, when {@link waitingSince} says. */
  synTimed = false;
  roundTrips = BLANK_ROUND_TRIPS;

  /** By name, and its object; before the first text a blank, which only says of which kind it is. */
  congestionControl: string;
  congestion: CongestionControl;
  cwnd = 0;
  ssthresh = 0x7fffffff;
  recovery: Recovery = Recovery.OPEN;
  /** SND.NXT when recovery began; recovery ends when it is acknowledged. */
  recover: Seq = seq(0);
  dupAcks = 0;
  /** So many of {@link dupAcks} may inflate cwnd. */
  dupAckLimit = 0;
  lossDetection = LossDetection.NEWRENO;
  /** Why what is taken for lost goes out again. */
  lossCause: RetransmitCause = RTO;
  /** Our SYN is to go out again. */
  synLost = false;
  /** The highest number (S)ACKed (RFC 8985 §5.3), and the end of what was sent again. */
  fack: Seq = seq(0);
  highRxt: Seq = seq(0);

  rack = BLANK_RACK;
  /** The latest one; it is over when {@link recovery} is open. */
  episode = BLANK_EPISODE;
  frto = Frto.OFF;
  /** End of the last segment sent that was short of a full one (Minshall's Nagle). */
  shortEnd: Seq = seq(0);
  /** The window was in full use within the last round trip, so that it may grow (RFC 7661). */
  cwndLimited = false;
  windowUse = BLANK_WINDOW_USE;
  pacing = BLANK_PACING;

  /** Both ends do explicit congestion notification (RFC 3168 §6.1.1). */
  ecnOk = false;
  ecn = BLANK_ECN;

  /** The timer for what is outstanding, or in zero-window state for probes; what for says {@link lossTimer}. */
  retransmitAt = Infinity;
  lossTimer = LossTimer.RETRANSMIT;
  /** Since when RFC 6298 would have it run, whatever it is set for. */
  rtoSince = -0;
  /** Zero-window probes since the window was shut. */
  persistProbes = 0;
  delayedAckAt = Infinity;
  keepAlive = NO_KEEP_ALIVE;
  userTimeout: number;
  /** When the peer was last heard. */
  heardAt = 0;
  /** When the oldest outstanding octet began to wait, for the user timeout and R2 of SYN. */
  waitingSince = 0;

  /** {@link Event} bits that the host has yet to deliver. */
  events = 0;
  /** Bytes that the host has counted as held by this connection. */
  charged = 0;
  /** In the host's list of connections to be looked at when the batch ends. */
  dirty = false;
  /** One node in the wheel serves all timers of the connection, at the earliest deadline. */
  readonly timer: TimerNode<Tcb>;
  /** Whoever the host knows this connection by. */
  user: unknown = null;

  delivery = BLANK_DELIVERY;
  segmentsSent = 0;
  segmentsReceived = 0;
  retransmitted = 0;

  constructor(
    host: TcpHost,
    state: State.CLOSED | State.LISTEN,
    localAddr: number,
    localPort: number,
    remoteAddr: number,
    remotePort: number,
    mtuMss: number,
  ) {
    const config = host.config;
    this.host = host;
    this.state = state;
    this.passive = state === State.LISTEN;
    this.localAddr = localAddr;
    this.localPort = localPort;
    this.remoteAddr = remoteAddr;
    this.remotePort = remotePort;
    this.rcvMss = config.mss === 0 ? mtuMss : Math.min(config.mss, mtuMss);
    this.pathMss = this.rcvMss;
    this.rcvBufferLimit = config.receiveBuffer;
    this.rcvFullSize = this.rcvMss;
    this.noDelay = config.noDelay;
    this.ttl = config.ttl;
    this.quickAcks = config.quickAcks;
    this.rto = config.rtoInitial;
    this.userTimeout = config.userTimeout;
    this.rcvWindowShift = config.windowScale ? windowShiftFor(config.receiveBufferMax) : 0;
    this.congestionControl = config.congestionControl;
    this.congestion = blankCongestionControl(config.congestionControl);
    this.timer = new TimerNode<Tcb>(this);
  }

  /** Text or FIN was sent, or is about to be: see `first-text.ts`. */
  get hasSent(): boolean {
    return this.sent !== NOTHING_SENT;
  }

  /** Text has arrived. */
  get hasReceived(): boolean {
    return this.receiveQueue !== NOTHING_RECEIVED;
  }

  /** Bytes per ms; 0: not paced. */
  get pacingRate(): number {
    return this.pacing.rate;
  }

  set pacingRate(rate: number) {
    this.pacing.rate = rate;
  }

  get appLimited(): number {
    return this.delivery.appLimited;
  }

  set appLimited(delivered: number) {
    this.delivery.appLimited = delivered;
  }

  get bytesAcked(): number {
    return this.delivery.bytesAcked;
  }

  get bytesReceived(): number {
    return this.receiveQueue.total;
  }

  /** Shortest round trip of the last minutes, ms; 0 before the first. Only that of the SYN precedes text. */
  get minRtt(): number {
    return this.hasSent ? this.roundTrips.min : this.srtt;
  }

  /** Bytes that are known to have arrived, in order or not. */
  get delivered(): number {
    return this.delivery.delivered;
  }

  /** Octets outstanding: sent and not acknowledged, SYN and FIN counted. */
  get flight(): number {
    return diff(this.sndNxt, this.sndUna);
  }

  /** Our SYN is not acknowledged; {@link iss} comes round again after 4 GiB. */
  get synOutstanding(): boolean {
    return this.sndUna === this.iss && this.bytesAcked === 0;
  }

  get persisting(): boolean {
    return this.lossTimer === LossTimer.PERSIST;
  }

  /**
   * Octets that are probably in the network (`pipe` of RFC 6675 §4): outstanding ones but those that
   * the peer has by SACK or that are taken for lost.
   */
  get inFlight(): number {
    const { sent } = this;
    return diff(this.sndNxt, this.sndUna) - sent.sacked - sent.lost + sent.twice;
  }

  /** The number after the last byte written. */
  get sendEnd(): Seq {
    return add(this.sendStart, this.sendBuffer.length);
  }
}
