import { add, diff, type Seq, seq } from '../../../src/base/seq.js';
import { checksum } from '../../../src/wire/checksum.js';
import { type Packet, writeIcmpPacket, writeSegment } from '../../support/packet.js';
import { strayOctet, streamBytes } from './pattern.js';
import type { IcmpLine, Option, Pattern, SegmentLine } from './script.js';

const DEFAULT_WINDOW = 65_535;
const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'];
const ICMP_QUOTED_BYTES = 28;

/** The two ends of a connection. */
export interface Ends {
  readonly peerAddr: number;
  readonly hostAddr: number;
  readonly peerPort: number;
  hostPort: number;
}

/** One connection of a script: what numbers in its lines mean on the wire, and the other way round. */
export class Flow {
  readonly #peerIss: Seq;
  #hostIss: Seq = seq(0);
  /** Taken from TSvals of the host, to get those in the script; null before the first. */
  #tsOffset: number | null = null;
  #lastTsVal = 0;

  constructor(
    readonly ends: Ends,
    peerIsn: number,
  ) {
    this.#peerIss = seq(peerIsn);
  }

  /** Takes notice of a packet from the host, before lines are compared with it. */
  note(packet: Packet): void {
    this.ends.hostPort = packet.srcPort;
    if (packet.flags.includes('S')) this.#hostIss = packet.rawSeq;
    if (packet.ts !== null) this.#lastTsVal = packet.ts[0];
  }

  /** The packet that a line sends. */
  write(line: SegmentLine): Uint8Array {
    const length = exact(line.length);
    const start = exact(line.seq);
    const { peerAddr, hostAddr, peerPort, hostPort } = this.ends;
    return writeSegment({
      srcAddr: peerAddr,
      dstAddr: hostAddr,
      srcPort: peerPort,
      dstPort: hostPort,
      flags: line.flags,
      seq: add(this.#peerIss, start),
      ack: line.ack === undefined ? 0 : add(this.#hostIss, exact(line.ack)),
      win: line.win === undefined ? DEFAULT_WINDOW : exact(line.win),
      urg: line.urg === undefined ? 0 : exact(line.urg),
      tos: line.ecn ?? 0,
      // The octet after a SYN is the first of the stream.
      data: streamBytes(line.flags.includes('S') ? start : start - 1, length),
      rawOptions: this.#writeOptions(line.options ?? []),
    });
  }

  writeIcmp(line: IcmpLine): Uint8Array {
    const { peerAddr, hostAddr, peerPort, hostPort } = this.ends;
    const about = writeSegment({
      srcAddr: hostAddr,
      dstAddr: peerAddr,
      srcPort: hostPort,
      dstPort: peerPort,
      flags: '.',
      seq: add(this.#hostIss, line.seq),
      data: new Uint8Array(line.length),
    }).subarray(0, ICMP_QUOTED_BYTES);
    const message = new Uint8Array(8 + about.length);
    const view = new DataView(message.buffer);
    message[0] = line.type;
    message[1] = line.code;
    view.setUint16(6, line.mtu);
    message.set(about, 8);
    view.setUint16(2, checksum(message, view, 0, message.length));
    return writeIcmpPacket(peerAddr, hostAddr, message);
  }

  #writeOptions(options: readonly Option[]): number[] {
    const bytes = options.flatMap((option) => this.#writeOption(option));
    while (bytes.length % 4 !== 0) bytes.push(0);
    return bytes;
  }

  #writeOption(option: Option): number[] {
    switch (option.kind) {
      case 'nop':
        return [1];
      case 'eol':
        return [0];
      case 'mss': {
        const mss = exact(option.value);
        return [2, 4, mss >> 8, mss & 0xff];
      }
      case 'wscale':
        return [3, 3, exact(option.value)];
      case 'sackOK':
        return [4, 2];
      case 'sack': {
        const edges = option.blocks.flat().map((edge) => add(this.#hostIss, edge));
        return [5, 2 + edges.length * 4, ...edges.flatMap(octets)];
      }
      case 'ts':
        return [8, 10, ...octets(exact(option.val)), ...octets(this.#ecr(option.ecr))];
      case 'raw':
        return [...option.bytes];
    }
  }

  #ecr(ecr: Pattern | 'last'): number {
    if (ecr === 'last') return this.#lastTsVal;
    const value = exact(ecr);
    return this.#tsOffset === null || value === 0 ? value : (value + this.#tsOffset) | 0;
  }

  /** How a packet is not what a line expects; empty when it is. `late` is what TSvals may be off, in ms. */
  compare(line: SegmentLine, packet: Packet, late: number): string[] {
    const wrong: string[] = [];
    // A sender is free to set PSH, so it may be missing in a line.
    const flags = line.flags.includes('P') ? lettersOf(packet) : packet.flags;
    if (flags !== line.flags) wrong.push(`flags are ${flags || '-'}, not ${line.flags || '-'}`);
    const start = diff(packet.rawSeq, this.#hostIss);
    const check = (name: string, pattern: Pattern | undefined, value: number): void => {
      if (pattern === undefined || fits(pattern, value)) return;
      wrong.push(`${name} is ${value}, not ${formatPattern(pattern)}`);
    };
    check('seq', line.seq, start);
    check('length', line.length, packet.data.length);
    if (flags.includes('.')) check('ack', line.ack, diff(packet.rawAck, this.#peerIss));
    check('win', line.win, packet.win);
    check('urg', line.urg, packet.urg);
    if (line.ecn !== null && line.ecn !== (packet.tos & 3)) {
      wrong.push(`the IP header has ${ECN_NAMES[packet.tos & 3]}, not ${ECN_NAMES[line.ecn]}`);
    }
    const stray = strayOctet(packet.data, start - (flags.includes('S') ? 0 : 1));
    if (stray >= 0) wrong.push(`octet ${stray} of the text is not what was written there`);
    if (line.options !== null) wrong.push(...this.#compareOptions(line.options, packet, late));
    return wrong;
  }

  /** Options may come in any order; nop and eol are not compared. */
  #compareOptions(options: readonly Option[], packet: Packet, late: number): string[] {
    const wrong: string[] = [];
    const wanted = new Map(options.map((option) => [option.kind as string, option]));
    for (const kind of ['mss', 'wscale', 'sackOK', 'ts', 'sack'] as const) {
      const option = wanted.get(kind);
      const text = optionText(packet, kind, this.#peerIss);
      if (option === undefined) {
        if (text !== null) wrong.push(`it has an option that the line has not: ${text}`);
      } else if (text === null) {
        wrong.push(`option ${kind === 'ts' ? 'TS' : kind} is missing`);
      } else if (!this.#sameOption(option, packet, late)) {
        wrong.push(`it has ${text}`);
      }
    }
    return wrong;
  }

  #sameOption(option: Option, packet: Packet, late: number): boolean {
    switch (option.kind) {
      case 'mss':
        return fits(option.value, packet.mss!);
      case 'wscale':
        return fits(option.value, packet.wscale!);
      case 'ts':
        return this.#sameTimestamps(option.val, option.ecr, packet.ts!, late);
      case 'sack': {
        const blocks = packet.sack.map((block) => block.map((edge) => diff(edge, this.#peerIss)));
        return JSON.stringify(blocks) === JSON.stringify(option.blocks);
      }
      default:
        return true;
    }
  }

  #sameTimestamps(
    val: Pattern,
    ecr: Pattern | 'last',
    seen: readonly [number, number],
    late: number,
  ): boolean {
    if (ecr !== 'last' && !fits(ecr, seen[1] >>> 0)) return false;
    if (val === null) return true;
    // The first that a script gives a number ties the host's clock to the script's.
    this.#tsOffset ??= (seen[0] - val.from) | 0;
    const value = (seen[0] - this.#tsOffset) | 0;
    return value >= val.from - late && value <= val.to + late;
  }

  /** A packet as a line of a script would have it. */
  format(packet: Packet): string {
    const [from, length] = [diff(packet.rawSeq, this.#hostIss), packet.data.length];
    const words = [`${lettersOf(packet) || '-'} ${from}:${from + length}(${length})`];
    if (packet.flags.includes('.')) words.push(`ack ${diff(packet.rawAck, this.#peerIss)}`);
    words.push(`win ${packet.win}`);
    if (packet.flags.includes('U')) words.push(`urg ${packet.urg}`);
    const options = (['mss', 'sackOK', 'ts', 'wscale', 'sack'] as const)
      .map((kind) => optionText(packet, kind, this.#peerIss))
      .filter((text) => text !== null);
    if (options.length > 0) words.push(`<${options.join(',')}>`);
    return words.join(' ');
  }
}

function lettersOf(packet: Packet): string {
  if (!packet.push) return packet.flags;
  return [...'FSRP.UEW'].filter((l) => l === 'P' || packet.flags.includes(l)).join('');
}

function optionText(
  packet: Packet,
  kind: 'mss' | 'wscale' | 'sackOK' | 'ts' | 'sack',
  base: Seq,
): string | null {
  switch (kind) {
    case 'mss':
      return packet.mss === null ? null : `mss ${packet.mss}`;
    case 'wscale':
      return packet.wscale === null ? null : `wscale ${packet.wscale}`;
    case 'sackOK':
      return packet.sackOk ? 'sackOK' : null;
    case 'ts':
      if (packet.ts === null) return null;
      return `TS val ${packet.ts[0] >>> 0} ecr ${packet.ts[1] >>> 0}`;
    case 'sack': {
      if (packet.sack.length === 0) return null;
      const blocks = packet.sack.map(([l, r]) => `${diff(l, base)}:${diff(r, base)}`);
      return `sack ${blocks.join(' ')}`;
    }
  }
}

export function fits(pattern: Pattern, value: number): boolean {
  return pattern === null || (value >= pattern.from && value <= pattern.to);
}

export function formatPattern(pattern: Pattern): string {
  if (pattern === null) return '*';
  const { from, to } = pattern;
  return from === to ? String(from) : `${from}~${to}`;
}

/** The parser has seen to it that it is one number. */
function exact(pattern: Pattern): number {
  return pattern!.from;
}

function octets(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
