import { diff, type Seq, seq, toUint32 } from '../base/seq.js';
import { formatAddress } from './ipv4.js';
import {
  ACK,
  CWR,
  ECE,
  FIN,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  RST,
  type Segment,
  SYN,
  URG,
} from './segment.js';

/** Sequence numbers to count from: `seq` for what the segment sends, `ack` for what it acknowledges. */
export interface PrintBase {
  seq: Seq;
  ack: Seq;
}

/** In tcpdump's order. */
const FLAG_LETTERS: ReadonlyArray<readonly [bit: number, letter: string]> = [
  [FIN, 'F'],
  [SYN, 'S'],
  [RST, 'R'],
  [PSH, 'P'],
  [ACK, '.'],
  [URG, 'U'],
  [ECE, 'E'],
  [CWR, 'W'],
];

/** Control bits as tcpdump shows them: `S.` for SYN and ACK, `none` for none. */
export function formatFlags(flags: number): string {
  let text = '';
  for (const [bit, letter] of FLAG_LETTERS) if ((flags & bit) !== 0) text += letter;
  return text === '' ? 'none' : text;
}

/**
 * One line in the manner of tcpdump, such as `10.7.0.1.40000 > 10.7.0.2.80: Flags [S], seq 7, win
 * 65535, options [mss 1460], length 0`. With `base`, sequence numbers are relative to it.
 */
export function formatSegment(segment: Segment, base?: PrintBase): string {
  const { flags, dataLength } = segment;
  const first = number(segment.seq, base?.seq);
  const parts = [`Flags [${formatFlags(flags)}]`];
  if (dataLength > 0) {
    parts.push(`seq ${first}:${number(seq(segment.seq + dataLength), base?.seq)}`);
  } else if ((flags & (SYN | FIN | RST)) !== 0) {
    parts.push(`seq ${first}`);
  }
  if ((flags & ACK) !== 0) parts.push(`ack ${number(segment.ack, base?.ack)}`);
  parts.push(`win ${segment.wnd}`);
  if ((flags & URG) !== 0) parts.push(`urg ${segment.urg}`);
  const options = formatOptions(segment, base);
  if (options !== '') parts.push(`options [${options}]`);
  parts.push(`length ${dataLength}`);
  const from = `${formatAddress(segment.srcAddr)}.${segment.srcPort}`;
  const to = `${formatAddress(segment.dstAddr)}.${segment.dstPort}`;
  return `${from} > ${to}: ${parts.join(', ')}`;
}

/** The options in the order in which `writeTcp` writes them, with its padding. */
function formatOptions(segment: Segment, base: PrintBase | undefined): string {
  const { options } = segment;
  const parts: string[] = [];
  if ((options & OPT_MSS) !== 0) parts.push(`mss ${segment.mss}`);
  const sackPermitted = (options & OPT_SACK_PERMITTED) !== 0;
  const timestamps = (options & OPT_TIMESTAMPS) !== 0;
  if (sackPermitted !== timestamps) parts.push('nop', 'nop');
  if (sackPermitted) parts.push('sackOK');
  if (timestamps) {
    parts.push(`TS val ${toUint32(seq(segment.tsVal))} ecr ${toUint32(seq(segment.tsEcr))}`);
  }
  if ((options & OPT_WINDOW_SCALE) !== 0) parts.push('nop', `wscale ${segment.windowScale}`);
  if ((options & OPT_SACK) !== 0) {
    let blocks = '';
    for (let i = 0; i < segment.sackCount; i++) {
      const left = number(seq(segment.sack[i * 2]!), base?.ack);
      const right = number(seq(segment.sack[i * 2 + 1]!), base?.ack);
      blocks += `{${left}:${right}}`;
    }
    parts.push('nop', 'nop', `sack ${segment.sackCount} ${blocks}`);
  }
  return parts.join(',');
}

function number(value: Seq, base: Seq | undefined): number {
  return toUint32(base === undefined ? value : seq(diff(value, base)));
}
