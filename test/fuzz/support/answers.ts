import { diff } from '../../../src/base/seq.js';
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
import type { PeerEnd } from './peer.js';

/** What a TCP answered to one step, in numbers that do not depend on its ISN. */
export class Answer {
  /** Segments that say something: retransmissions and nothing else are not counted. */
  segments = 0;
  /** `SYN` or `SYN ACK` with its options, sent for the first time; or empty. */
  syn = '';
  /** `RST` or `RST ACK` with its numbers, or empty. */
  reset = '';
  /** The highest number acknowledged and the end of what was sent, in all so far; -1: none. */
  ack = -1;
  sent = -1;
  /** A FIN was sent so far. */
  fin = false;

  /** The answer to the next step: what holds in all so far stays. */
  follow(): Answer {
    const answer = new Answer();
    answer.ack = this.ack;
    answer.sent = this.sent;
    answer.fin = this.fin;
    return answer;
  }

  toString(): string {
    const parts = [`ack ${this.ack}`, `sent ${this.sent}`];
    if (this.syn !== '') parts.push(this.syn);
    if (this.reset !== '') parts.push(this.reset);
    if (this.fin) parts.push('FIN');
    if (this.segments === 0) parts.push('silent');
    return parts.join(', ');
  }
}

/** Takes a segment that the TCP under test has sent into its answer, and into what the peer knows. */
export function noteAnswer(answer: Answer, peer: PeerEnd, segment: Segment): void {
  const { flow } = peer;
  const { flags } = segment;
  if ((flags & RST) !== 0) {
    answer.segments++;
    const seq = segment.seq === peer.lastAck ? 'SEG.ACK' : `ISS+${diff(segment.seq, flow.hostIss)}`;
    const ack = (flags & ACK) !== 0 ? ` ack ${diff(segment.ack, peer.iss)}` : '';
    answer.reset = `RST${ack === '' ? '' : ' ACK'} seq ${segment.seq === 0 ? '0' : seq}${ack}`;
    flow.hostReset = true;
    return;
  }
  if ((flags & SYN) !== 0) {
    const isNew = !flow.hostSyn || segment.seq !== flow.hostIss;
    if (isNew) {
      flow.beginIncarnation(segment.seq);
      answer.sent = -1;
      answer.fin = false;
    }
    const names = [
      (segment.options & OPT_MSS) !== 0 ? ' mss' : '',
      (segment.options & OPT_SACK_PERMITTED) !== 0 ? ' sok' : '',
      (segment.options & OPT_TIMESTAMPS) !== 0 ? ' ts' : '',
      (segment.options & OPT_WINDOW_SCALE) !== 0 ? ' ws' : '',
    ];
    if (isNew || (flags & ACK) !== 0)
      answer.syn = `SYN${(flags & ACK) !== 0 ? ' ACK' : ''}${names.join('')}`;
    flow.hostTimestamps = (segment.options & OPT_TIMESTAMPS) !== 0;
    flow.hostSack = (segment.options & OPT_SACK_PERMITTED) !== 0;
    flow.hostShift = (segment.options & OPT_WINDOW_SCALE) !== 0 ? segment.windowScale : 0;
  }
  if ((segment.options & OPT_TIMESTAMPS) !== 0) flow.hostTs = segment.tsVal;
  const end = diff(segment.seq, flow.hostIss) + segment.segLen;
  const isAck = segment.segLen === 0;
  const isNews = (flags & ACK) !== 0 && diff(segment.ack, peer.iss) > answer.ack;
  if (isAck || end > answer.sent || isNews) answer.segments++;
  answer.sent = Math.max(answer.sent, end);
  if (diff(flow.hostEnd, flow.hostIss) < end) flow.hostEnd = ((flow.hostIss + end) | 0) as never;
  if ((flags & FIN) !== 0) {
    answer.fin = true;
    flow.hostFin = true;
  }
  if ((flags & ACK) === 0) return;
  answer.ack = Math.max(answer.ack, diff(segment.ack, peer.iss));
  flow.hostAck = segment.ack;
  flow.hostAcks = true;
  const scaled = peer.offersScale && (flags & SYN) === 0;
  const edge = ((segment.ack + (segment.wnd << (scaled ? flow.hostShift : 0))) | 0) as never;
  if (flow.edge === null || diff(edge, flow.edge) > 0) flow.edge = edge;
}
