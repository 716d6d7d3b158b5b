import { type Seq, seq } from '../base/seq.js';

/**
 * Variables of a connection, beside those of the `Tcb`, that only a sender needs: one class for each
 * concern. A connection that has sent no text has none of its own, since most that are idle have not;
 * {@link Tcb} then refers to a blank that all of them share, which nobody writes to.
 *
 * As in the `Tcb`, times are ms and lengths bytes. -0 is a double: a field that began as an integer would change the
 * shape of the object, and so throw away the code compiled for it, in the middle of a transfer that passes 2^31.
 */

/** RACK and tail loss probes (RFC 8985 §5.3, §7.1): see `rack.ts` and `tail-loss.ts`. */
export class RackVariables {
  /** RACK.xmit_ts, RACK.end_seq and RACK.rtt. */
  sentAt = -0;
  end: Seq = seq(0);
  rtt = -0;
  /** Segments that arrived after later ones without having been sent again. */
  reorderings = 0;
  /** RACK.reo_wnd_mult, RACK.reo_wnd_persist, and RACK.dsack_round while there is one. */
  reoWndMult = 1;
  reoWndPersist = 0;
  dsackRound: Seq = seq(0);
  inDsackRound = false;
  /** D-SACK blocks that the peer has sent. */
  dsacks = 0;

  /** TLP.end_seq while {@link probeOut}, and TLP.is_retrans. */
  probeOut = false;
  probeEnd: Seq = seq(0);
  probeRetransmits = false;
  rttSinceProbe = true;
}

/** What is remembered of round trips: see `rtt.ts`. */
export class RoundTrips {
  /** When {@link Tcb.srtt} took its latest sample. */
  takenAt: number;
  /** The shortest of the last minutes; 0 before the first. */
  min: number;
  /** The shortest of the half window that runs, which may be the next {@link min}, and since when. */
  minNext: number;
  minSince: number;

  constructor(rtt: number, now: number) {
    this.takenAt = -0;
    this.min = -0;
    this.minNext = -0;
    this.minSince = -0;
    this.takenAt = now;
    this.min = rtt;
    this.minNext = rtt;
    this.minSince = now;
  }
}

/** Whether the congestion window is in use (RFC 7661): see `congestion-window.ts`. */
export class WindowUse {
  /** Most outstanding within the round trip that ends at {@link end}. */
  mostFlight = 0;
  end: Seq;
  /** RFC 7661 §4.2: bytes that arrived in a round trip of late, the most; -1: not measured. Of each
   * half of the sampling period, and since when the second runs. */
  pipeAck = -0;
  pipeAckNow = -0;
  pipeAckBefore = -0;
  pipeAckSince = -0;
  /** RFC 7661 §4.4.1: what a window that a loss found not validated had in use, -1: it was
   * validated; and {@link Delivery.bytesRetransmitted} then. */
  lossUsed = -0;
  lossResentFrom = -0;
  /** When the window was last in use. */
  validatedAt = -0;

  constructor(sndUna: Seq) {
    this.end = sndUna;
    this.pipeAck = -1;
    this.lossUsed = -1;
  }
}

/** See `pacing.ts`. */
export class Pacing {
  /** Bytes per ms; 0: not paced. What was sent takes until {@link until} at that rate. */
  rate = -0;
  until = -0;
  /** The timer: when the rate lets more out; `Infinity`: it is off. */
  at = Infinity;
}

/** What has become of all that was sent, the C. of delivery-rate estimation: see `delivery-rate.ts`. */
export class Delivery {
  /** C.delivered, C.delivered_time and C.first_sent_time. */
  delivered = -0;
  deliveredAt = -0;
  firstSentAt = -0;
  /** C.lost: bytes ever taken for lost. */
  lost = -0;
  /** Bytes per second that the peer acknowledged of late; 0 before the first measure. */
  rate = -0;
  /** Bytes ever sent, of these those that had been sent before, and those that were acknowledged. */
  bytesSent = -0;
  bytesRetransmitted = -0;
  bytesAcked = -0;
  /** When text or FIN was last sent. */
  sentAt = -0;
  /** C.app_limited: until {@link delivered} has passed it; 0: the application keeps up. */
  appLimited = -0;

  constructor() {
    // What the first flight tells of the path is a lower bound.
    this.appLimited = 1;
  }
}

/** An episode of loss recovery, of which a connection without loss has none: see `recovery.ts`. */
export class LossEpisode {
  /** prr_delivered, prr_out and RecoverFS of RFC 6937 §3. */
  prrDelivered = 0;
  prrOut = 0;
  prrFlight = 0;

  /** What may prove it spurious is remembered: cwnd and ssthresh before it; see `spurious.ts`. */
  undoable = false;
  cwnd = 0;
  ssthresh = 0;
  /** SND.UNA and SND.NXT when it began. */
  from: Seq = seq(0);
  to: Seq = seq(0);
  /** Octets sent again in it that no D-SACK has reported as duplicates. */
  octets = 0;
  /** It began with a timeout. */
  timeout = false;
  /** RetransmitTS of RFC 3522 while the first acceptable ACK is waited for. */
  eifelWaits = false;
  eifelSent = false;
  /** Nothing was outstanding that had been sent again before the episode. */
  eifelAlone = false;
  eifelTs = 0;
  srtt = -0;
  rttvar = -0;
  /** SRTT_prev and RTTVAR_prev of RFC 4015 until the next sample after a spurious timeout. */
  lateSrtt = -0;
  lateRttvar = -0;
}

/** Path MTUs that are searched for, or were heard of: see `mtu-probe.ts` and `path-mtu.ts`. */
export class PathMtuVariables {
  /** What the path may carry at most, while larger segments are probed for. */
  high = 0xffff;
  /** The next probe is of that size. */
  tryHigh = false;
  /** When the search goes on, or is due again; `Infinity`: segments are as large as can be. */
  searchAt = Infinity;
  /** Size and first number of the probe that is outstanding; 0: none is. */
  probe = 0;
  probeSeq: Seq = seq(0);
  /** Size at which the path has carried segments, at most (maxsizeacked of RFC 5927 §7.2). */
  ackedMss = 0;
  /** What an ICMP message has told, and the number it quoted, until a timer or an ACK decides; 0: none. */
  deferredMss = 0;
  deferredSeq: Seq = seq(0);
}

export const BLANK_RACK = new RackVariables();
export const BLANK_ROUND_TRIPS = new RoundTrips(0, 0);
export const BLANK_WINDOW_USE = new WindowUse(seq(0));
export const BLANK_PACING = new Pacing();
export const BLANK_DELIVERY = new Delivery();
export const BLANK_EPISODE = new LossEpisode();
export const BLANK_PATH_MTU = new PathMtuVariables();
