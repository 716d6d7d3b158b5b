import { seq } from '../../../src/base/seq.js';
import type { State } from '../../../src/tcp/state.js';
import type { Traced, TracedTcb } from '../../../src/tcp/trace.js';
import {
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  Segment,
} from '../../../src/wire/segment.js';

export const PEER = 0x0a070001;
export const HERE = 0x0a070002;

export interface Ends {
  peerPort?: number;
  herePort?: number;
}

export interface Fields extends Ends {
  flags: number;
  seq?: number;
  ack?: number;
  len?: number;
  wnd?: number;
  /** The options of a Linux SYN. */
  syn?: boolean;
  sack?: number[];
  segmentSize?: number;
}

/** A segment between 10.7.0.1 (the peer) and 10.7.0.2 (us). */
export function segment(fromPeer: boolean, fields: Fields): Segment {
  const one = new Segment();
  const { peerPort = 53122, herePort = 80 } = fields;
  one.srcAddr = fromPeer ? PEER : HERE;
  one.dstAddr = fromPeer ? HERE : PEER;
  one.srcPort = fromPeer ? peerPort : herePort;
  one.dstPort = fromPeer ? herePort : peerPort;
  one.flags = fields.flags;
  one.seq = seq(fields.seq ?? 0);
  one.ack = seq(fields.ack ?? 0);
  one.length = fields.len ?? 0;
  one.wnd = fields.wnd ?? 64240;
  one.segmentSize = fields.segmentSize ?? 0;
  if (fields.syn) {
    one.options = OPT_MSS | OPT_SACK_PERMITTED | OPT_TIMESTAMPS | OPT_WINDOW_SCALE;
    one.mss = 1460;
    one.windowScale = 7;
  }
  if (fields.sack !== undefined) {
    one.options |= OPT_SACK;
    one.sack.set(fields.sack);
    one.sackCount = fields.sack.length / 2;
  }
  return one;
}

export function connection(id: number, state: State, ends: Ends = {}): Traced {
  const { peerPort: remotePort = 53122, herePort: localPort = 80 } = ends;
  return { id, state, localAddr: HERE, localPort, remoteAddr: PEER, remotePort };
}

/** A connection that has a TCB, whose numbers nobody asks for. */
export function tcb(id: number, state: State, ends: Ends = {}): TracedTcb {
  const numbers = { iss: 0, irs: 0, sndUna: 0, sndNxt: 0, sndWnd: 0, rcvNxt: 0, flight: 0 };
  const sending = { cwnd: 0, pathMss: 1_460, ssthresh: 0, srtt: 0, rttvar: 0, rto: 0 };
  return { ...connection(id, state, ends), ...numbers, ...sending };
}
