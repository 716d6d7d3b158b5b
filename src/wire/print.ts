import { ICMP_ECHO, ICMP_ECHO_REPLY } from './icmp.js';
import { formatAddress, IPV4_HEADER_BYTES, PROTOCOL_ICMP, PROTOCOL_TCP } from './ipv4.js';
import { httpLine } from './print-http.js';
import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from './segment.js';
import { TCP_HEADER_BYTES } from './tcp.js';

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

const KIND_END = 0;
const KIND_NOP = 1;
const KIND_SACK = 5;

/** Stand at the end of a line that could go no further. */
const CUT_OFF = '[|tcp]';
const BAD_OPTION = '[bad opt]';

/** tcpdump's names of options, with the format of those whose value is one or two numbers. */
const OPTIONS: Readonly<Record<number, OptionFormat>> = {
  0: { name: 'eol', valueBytes: 0, value: () => '' },
  1: { name: 'nop', valueBytes: 0, value: () => '' },
  2: { name: 'mss', valueBytes: 2, value: (view, at) => ` ${view.getUint16(at)}` },
  3: { name: 'wscale', valueBytes: 1, value: (view, at) => ` ${view.getUint8(at)}` },
  4: { name: 'sackOK', valueBytes: 0, value: () => '' },
  6: { name: 'echo', valueBytes: 4, value: (view, at) => ` ${view.getUint32(at)}` },
  7: { name: 'echoreply', valueBytes: 4, value: (view, at) => ` ${view.getUint32(at)}` },
  8: {
    name: 'TS',
    valueBytes: 8,
    value: (view, at) => ` val ${view.getUint32(at)} ecr ${view.getUint32(at + 4)}`,
  },
};

interface OptionFormat {
  name: string;
  valueBytes: number;
  value(view: DataView, at: number): string;
}

/** The initial sequence numbers of a conversation, that of the end with the lower port first. */
interface Origin {
  low: number;
  high: number;
}

/** Where the numbers of one segment count from; 0 for the numbers as they are. */
interface Base {
  seq: number;
  ack: number;
  /** What SACK blocks count from. */
  sack: number;
}

export interface PrinterOptions {
  /** Sequence numbers as they stand in the packets, as with `tcpdump -S`. */
  absolute?: boolean;
}

/** Conversations whose initial sequence numbers are remembered; the oldest is forgotten. */
const MAX_CONVERSATIONS = 65_536;

/**
 * Prints IPv4 packets as `tcpdump -n` does, without the time: `IP 10.7.0.1.40000 > 10.7.0.2.80: Flags
 * [S], seq 7, win 65535, options [mss 1460], length 0`. Like tcpdump it counts sequence numbers from
 * those of the first segment with an ACK that it saw of a conversation, or of the latest SYN with one.
 */
export class LinePrinter {
  readonly #absolute: boolean;
  readonly #origins = new Map<string, Origin>();

  constructor(options: PrinterOptions = {}) {
    this.#absolute = options.absolute ?? false;
  }

  /**
   * The line of the packet whose first `length` bytes are at `offset`, without a line feed. What was
   * not captured or contradicts itself is marked with brackets: `[|tcp]`, `[bad opt]`.
   */
  line(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
    if (length < IPV4_HEADER_BYTES) return 'IP [|ip]';
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    const version = view.getUint8(0);
    if (version >> 4 !== 4) return `IP${version >> 4} [unknown version]`;
    const header = (version & 15) << 2;
    if (header < IPV4_HEADER_BYTES) return `IP bad-hlen ${header}`;
    const total = view.getUint16(2);
    if (total < header) return `IP bad-len ${total}`;
    const protocol = view.getUint8(9);
    const from = formatAddress(view.getInt32(12));
    const to = formatAddress(view.getInt32(16));
    const payload = total - header;
    if ((view.getUint16(6) & 0x1fff) !== 0) return `IP ${from} > ${to}: ${protocolName(protocol)}`;
    if (protocol === PROTOCOL_TCP) return this.#tcp(view, header, payload, from, to);
    if (protocol === PROTOCOL_ICMP) return `IP ${from} > ${to}: ${icmp(view, header, payload)}`;
    return `IP ${from} > ${to}: ${protocolName(protocol)} ${payload}`;
  }

  #tcp(view: DataView, at: number, length: number, from: string, to: string): string {
    if (at + TCP_HEADER_BYTES > view.byteLength) return `IP ${from} > ${to}: ${CUT_OFF}`;
    const srcPort = view.getUint16(at);
    const dstPort = view.getUint16(at + 2);
    const ends = `IP ${from}.${srcPort} > ${to}.${dstPort}: `;
    const header = (view.getUint8(at + 12) >> 4) << 2;
    if (header < TCP_HEADER_BYTES) {
      return `${ends}tcp ${length - header} [bad hdr length ${header} - too short, < 20]`;
    }
    const flags = view.getUint8(at + 13);
    const base = this.#base(view, at, flags, from, to);
    const seq = (view.getUint32(at + 4) - base.seq) >>> 0;
    const ack = (view.getUint32(at + 8) - base.ack) >>> 0;
    if (header > length) {
      return `${ends}tcp ${length - header} [bad hdr length ${header} - too long, > ${length}]`;
    }
    const data = length - header;
    let line = `${ends}Flags [${formatFlags(flags)}]`;
    if (data > 0) line += `, seq ${seq}:${(seq + data) >>> 0}`;
    else if ((flags & (SYN | FIN | RST)) !== 0) line += `, seq ${seq}`;
    if ((flags & ACK) !== 0) line += `, ack ${ack}`;
    line += `, win ${view.getUint16(at + 14)}`;
    if ((flags & URG) !== 0) line += `, urg ${view.getUint16(at + 18)}`;
    if (header > TCP_HEADER_BYTES) {
      const from = at + TCP_HEADER_BYTES;
      const options = formatOptions(view, from, at + header, base);
      line += `, options [${options}`;
      if (options === CUT_OFF || options.includes(BAD_OPTION)) return line;
    }
    line += `, length ${data}`;
    return data > 0 ? line + httpLine(view, at + header, data, srcPort, dstPort) : line;
  }

  /** tcpdump knows a conversation by its segments with ACK; the others are shown as they are. */
  #base(view: DataView, at: number, flags: number, from: string, to: string): Base {
    if (this.#absolute || (flags & ACK) === 0) return { seq: 0, ack: 0, sack: 0 };
    const srcPort = view.getUint16(at);
    const dstPort = view.getUint16(at + 2);
    const src = view.getUint32(12);
    const dst = view.getUint32(16);
    const reversed = srcPort > dstPort || (srcPort === dstPort && src > dst);
    const key = reversed
      ? `${to}.${dstPort}-${from}.${srcPort}`
      : `${from}.${srcPort}-${to}.${dstPort}`;
    const known = this.#origins.get(key);
    if (known !== undefined && (flags & SYN) === 0) {
      return reversed
        ? { seq: known.high, ack: known.low, sack: known.low }
        : { seq: known.low, ack: known.high, sack: known.high };
    }
    const seq = view.getUint32(at + 4);
    const before = (view.getUint32(at + 8) - 1) >>> 0;
    const origin = reversed ? { low: before, high: seq } : { low: seq, high: before };
    this.#remember(key, origin);
    return { seq: 0, ack: 0, sack: before };
  }

  #remember(key: string, origin: Origin): void {
    if (this.#origins.size >= MAX_CONVERSATIONS && !this.#origins.has(key)) {
      const [oldest] = this.#origins.keys();
      this.#origins.delete(oldest!);
    }
    this.#origins.set(key, origin);
  }
}

/**
 * The options from `start` to `end` in the order in which they stand, padding included. tcpdump takes
 * as many bytes as an option should have, whatever length it says, and so does this.
 */
function formatOptions(view: DataView, start: number, end: number, base: Base): string {
  if (end > view.byteLength) return CUT_OFF;
  let text = '';
  for (let at = start; at < end; ) {
    if (at > start) text += ',';
    const kind = view.getUint8(at);
    if (kind === KIND_END || kind === KIND_NOP) {
      text += OPTIONS[kind]!.name;
      if (kind === KIND_END) break;
      at++;
      continue;
    }
    const length = at + 1 < end ? view.getUint8(at + 1) : 0;
    const bad = at > start ? `${BAD_OPTION}]` : BAD_OPTION;
    if (length < 2 || at + length > end) return text + bad;
    const format = OPTIONS[kind];
    if (format === undefined) {
      text += kind === KIND_SACK ? sack(view, at, length, base) : unknown(view, at, length);
      at += length;
      continue;
    }
    const expected = 2 + format.valueBytes;
    text += format.name;
    if (at + expected > end) return text + bad;
    text += format.value(view, at + 2);
    if (length !== expected) text += `[len ${length}]`;
    at += expected;
  }
  return `${text}]`;
}

function unknown(view: DataView, at: number, length: number): string {
  let text = `unknown-${view.getUint8(at)}`;
  for (let i = at + 2; i < at + length; i++) {
    text += (i === at + 2 ? ' 0x' : '') + view.getUint8(i).toString(16).padStart(2, '0');
  }
  return text;
}

function sack(view: DataView, at: number, length: number, base: Base): string {
  const bytes = length - 2;
  if (bytes % 8 !== 0) return 'sack invalid sack';
  let text = `sack ${bytes / 8} `;
  for (let i = at + 2; i < at + length; i += 8) {
    const left = (view.getUint32(i) - base.sack) >>> 0;
    const right = (view.getUint32(i + 4) - base.sack) >>> 0;
    text += `{${left}:${right}}`;
  }
  return text;
}

/** Echoes as tcpdump shows them; of the others the type and code. */
function icmp(view: DataView, at: number, length: number): string {
  if (at + 8 > view.byteLength) return '[|icmp]';
  const type = view.getUint8(at);
  if (type === ICMP_ECHO || type === ICMP_ECHO_REPLY) {
    const kind = type === ICMP_ECHO ? 'request' : 'reply';
    const id = view.getUint16(at + 4);
    return `ICMP echo ${kind}, id ${id}, seq ${view.getUint16(at + 6)}, length ${length}`;
  }
  return `ICMP type ${type} code ${view.getUint8(at + 1)}, length ${length}`;
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case PROTOCOL_TCP:
      return 'tcp';
    case PROTOCOL_ICMP:
      return 'icmp';
    case 17:
      return 'udp';
    default:
      return `ip-proto-${protocol}`;
  }
}
