import { add, diff, geq, gt, leq, type Seq, seq } from '../../../src/base/seq.js';
import {
  ACK,
  FIN,
  OPT_MSS,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  RST,
  type Segment,
  SYN,
} from '../../../src/wire/segment.js';
import type { FuzzUser } from './user.js';

/** What went over the wire between two sockets: all that a bystander can know of the conversation. */
export class Flow {
  /** The connection that a user has, or had last. */
  user: FuzzUser | null = null;

  /** Text has arrived in place of the usual. */
  altered = false;

  /** Numbers of the SYNs that arrived. */
  readonly syns: Seq[] = [];
  /** Every segment that arrived, as first number and the one behind its last. */
  readonly arrived: Seq[] = [];
  /** Numbers behind the FINs that arrived. */
  readonly fins: Seq[] = [];
  /** The furthest right edge that was offered to the host, by the largest scale that was. */
  rightEdge: Seq | null = null;
  /** The largest window that a SYN offered, to whatever ISS the host had. */
  synWindow = 0;
  offeredScale = false;
  offeredShift = 0;
  offeredMss = 0;
  offeredSack = false;
  offeredTimestamps = false;

  /** The host's SYN, of this incarnation. */
  hostSyn = false;
  hostIss: Seq = seq(0);
  /** The number behind the last that the host has sent. */
  hostEnd: Seq = seq(0);
  hostShift = 0;
  hostScales = false;
  hostSack = false;
  hostTimestamps = false;
  hostTs = 0;
  hostAck: Seq = seq(0);
  hostAcks = false;
  /** The furthest right edge of the host's window. */
  edge: Seq | null = null;
  hostFin = false;
  hostReset = false;
  /** SYNs that do not say the same have arrived, so that what was agreed on is not known. */
  isAmbiguous = false;
  /** The host's connection that sent a SYN last, and whether it is another than before. */
  connectionId = 0;
  isAnother = false;
  #offer = -1;

  /** A segment has arrived that is what it says, checksum and all. */
  noteArrival(segment: Segment): void {
    const { flags } = segment;
    if ((flags & RST) !== 0) return;
    this.arrived.push(segment.seq, add(segment.seq, segment.segLen));
    if ((flags & FIN) !== 0) this.fins.push(add(segment.seq, segment.segLen));
    if ((flags & SYN) !== 0) {
      const offer = segment.options * 16 + segment.windowScale;
      const isSame = this.#offer < 0 || (this.#offer === offer && this.syns.includes(segment.seq));
      if (!isSame) this.isAmbiguous = true;
      this.#offer = offer;
      if (!this.syns.includes(segment.seq)) this.syns.push(segment.seq);
      const { options } = segment;
      if ((options & OPT_WINDOW_SCALE) !== 0) {
        this.offeredScale = true;
        this.offeredShift = Math.max(this.offeredShift, segment.windowScale);
      }
      if ((options & OPT_MSS) !== 0) this.offeredMss = Math.max(this.offeredMss, segment.mss);
      this.offeredSack ||= (options & OPT_SACK_PERMITTED) !== 0;
      this.offeredTimestamps ||= (options & OPT_TIMESTAMPS) !== 0;
    }
    if ((flags & SYN) !== 0) this.synWindow = Math.max(this.synWindow, segment.wnd);
    if ((flags & ACK) === 0 || !this.hostSyn) return;
    // What was never sent offers nothing.
    if (!geq(segment.ack, this.hostIss) || gt(segment.ack, this.hostEnd)) return;
    const right = add(segment.ack, segment.wnd << this.offeredShift);
    if (this.rightEdge === null || gt(right, this.rightEdge)) this.rightEdge = right;
  }

  /** Whether the host was ever offered to send up to `end`. */
  wasOffered(end: Seq): boolean {
    if (this.rightEdge !== null && leq(end, this.rightEdge)) return true;
    return diff(end, add(this.hostIss, 1)) <= this.synWindow;
  }

  /** Whether `ack` could have been reached by what has arrived. */
  hasArrived(ack: Seq): boolean {
    const { arrived } = this;
    for (let i = arrived.length - 2; i >= 0; i -= 2) {
      if (diff(ack, arrived[i]!) > 0 && diff(arrived[i + 1]!, ack) >= 0) return true;
    }
    return false;
  }

  /** Whether the end of the stream is at `end`. */
  endsAt(end: Seq): boolean {
    return this.fins.includes(end);
  }

  /** The host has begun anew. */
  beginIncarnation(iss: Seq): void {
    this.hostSyn = true;
    this.isAnother = false;
    this.hostIss = iss;
    this.hostEnd = add(iss, 1);
    this.edge = null;
    this.hostAcks = false;
    this.hostFin = false;
    this.hostReset = false;
  }
}

/** The flows of a host. */
export class Flows {
  readonly #byPeer = new Map<number, Map<number, Flow>>();

  /** Begins one when there is none. */
  of(peerAddr: number, peerPort: number, hostPort: number): Flow {
    const key = (peerAddr >>> 0) * 0x1_0000 + peerPort;
    let ofPeer = this.#byPeer.get(key);
    if (ofPeer === undefined) {
      ofPeer = new Map();
      this.#byPeer.set(key, ofPeer);
    }
    let flow = ofPeer.get(hostPort);
    if (flow === undefined) {
      flow = new Flow();
      ofPeer.set(hostPort, flow);
    }
    return flow;
  }
}
