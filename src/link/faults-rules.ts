import { diff, seq } from '../base/seq.js';
import { IPV4_HEADER_BYTES, PROTOCOL_TCP } from '../wire/ipv4.js';
import { ACK, FIN, RST, SYN, URG } from '../wire/segment.js';
import { TCP_HEADER_BYTES } from '../wire/tcp.js';
import { inRange } from './faults-options.js';
import type { WaitingPacket } from './faults-packet.js';

/** `up`: what the host above the link sends; `down`: what it receives. */
export type FaultDirection = 'up' | 'down';

/** What an exact fault does to a packet; `delay` in ms. */
export type FaultAction = 'drop' | 'corrupt' | 'duplicate' | 'mark' | { delay: number };

/**
 * An exact fault. A packet that fits all that is given counts; the `nth` that counts is the first
 * that the action is done to. `{ direction: 'up', data: true, nth: 3 }` drops the third data segment.
 */
export interface FaultRule {
  /** Default: both, counted together. */
  direction?: FaultDirection;
  /** TCP segments with exactly these control bits in tcpdump's letters: `S`, `S.`, `F.`, `R`. Those of
   * PSH, ECE and CWR (`P`, `E`, `W`) matter only when they are named. */
  flags?: string;
  /** TCP segments with text, or without. */
  data?: boolean;
  /**
   * TCP segments with octets from `[from, to)`, counted from the first octet of text, 0; each
   * connection and direction whose SYN has passed since the rule was added.
   */
  range?: readonly [number, number];
  /** TCP segments with this port at either end. */
  port?: number;
  /** Packets that this says true to; it keeps nothing of what it gets. */
  when?: (packet: FaultPacket) => boolean;
  /** 1: the first. */
  nth?: number;
  /** Packets from the `nth` on that it is done to. Default 1. */
  count?: number;
  /** Default: drop. */
  action?: FaultAction;
}

const LETTERS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'] as const;
/** Control bits that matter whether they are named or not. */
const ALWAYS = FIN | SYN | RST | ACK | URG;

/** A packet as rules and listeners see it; one object is filled again and again. */
export class FaultPacket {
  direction: FaultDirection = 'up';
  /** ms on the runtime's scale. */
  now = 0;
  /** The IPv4 packet: `length` bytes from `offset` on. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
  /** False: the fields below say nothing. */
  isTcp = false;
  srcPort = 0;
  dstPort = 0;
  /** SEG.SEQ and SEG.ACK as int32. */
  seq = 0;
  ack = 0;
  /** Control bits of the TCP header. */
  flags = 0;
  /** Octets of text. */
  dataLength = 0;
  /** Of both addresses and ports, for whoever tells connections apart. */
  flow = 0;

  /** @internal */
  read(packet: WaitingPacket, direction: FaultDirection, now: number): void {
    const { bytes, view, offset, length } = packet;
    this.direction = direction;
    this.now = now;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.isTcp = false;
    if (!packet.isIpv4 || bytes[offset + 9] !== PROTOCOL_TCP) return;
    const header = (bytes[offset]! & 15) << 2;
    const total = Math.min(view.getUint16(offset + 2), length);
    const isFragment = (view.getUint16(offset + 6) & 0x1fff) !== 0;
    if (isFragment || header < IPV4_HEADER_BYTES || total < header + TCP_HEADER_BYTES) return;
    const tcp = offset + header;
    this.isTcp = true;
    this.srcPort = view.getUint16(tcp);
    this.dstPort = view.getUint16(tcp + 2);
    this.seq = view.getInt32(tcp + 4);
    this.ack = view.getInt32(tcp + 8);
    this.flags = bytes[tcp + 13]!;
    this.dataLength = Math.max(0, total - header - ((bytes[tcp + 12]! >> 4) << 2));
    const addresses = Math.imul(view.getInt32(offset + 12), 31) ^ view.getInt32(offset + 16);
    this.flow = view.getUint32(tcp) * 0x10_0000 + (addresses & 0xf_ffff);
  }
}

/** A rule that counts. */
interface Running {
  readonly rule: FaultRule;
  /** Control bits that a segment has to have, and those that matter; 0: any. */
  readonly flags: number;
  readonly mask: number;
  readonly first: number;
  readonly last: number;
  seen: number;
}

/** The exact faults of a link. */
export class FaultRules {
  readonly packet = new FaultPacket();
  readonly #running: Running[] = [];
  /** Initial sequence numbers by flow, once a rule asks for a range. */
  #starts: Map<number, number> | null = null;

  get isEmpty(): boolean {
    return this.#running.length === 0;
  }

  /** @throws RangeError (ERR_OUT_OF_RANGE), TypeError (ERR_INVALID_ARG_VALUE) for unknown flags */
  add(rule: FaultRule): void {
    const first = inRange('rule.nth', rule.nth ?? 1, 1, Infinity);
    const last = first + inRange('rule.count', rule.count ?? 1, 1, Infinity) - 1;
    if (typeof rule.action === 'object') inRange('rule.action.delay', rule.action.delay, 0, 1e9);
    if (rule.range !== undefined) this.#starts ??= new Map();
    const flags = rule.flags === undefined ? 0 : controlBits(rule.flags);
    const mask = rule.flags === undefined ? 0 : flags | ALWAYS;
    this.#running.push({ rule, flags, mask, first, last, seen: 0 });
  }

  /** What is to be done to the packet by the first rule whose turn it is; null: nothing. */
  actionFor(waiting: WaitingPacket, direction: FaultDirection, now: number): FaultAction | null {
    const packet = this.packet;
    packet.read(waiting, direction, now);
    if (this.#starts !== null && packet.isTcp && (packet.flags & SYN) !== 0) {
      this.#starts.set(packet.flow, packet.seq + 1);
    }
    let action: FaultAction | null = null;
    for (let i = 0; i < this.#running.length; i++) {
      const one = this.#running[i]!;
      if (one.seen >= one.last || !this.#fits(one, packet)) continue;
      if (++one.seen >= one.first) action ??= one.rule.action ?? 'drop';
    }
    return action;
  }

  #fits(one: Running, packet: FaultPacket): boolean {
    const { direction, data, range, port, when } = one.rule;
    if (direction !== undefined && direction !== packet.direction) return false;
    const asksTcp =
      one.mask !== 0 || data !== undefined || range !== undefined || port !== undefined;
    if (asksTcp && !packet.isTcp) return false;
    if (one.mask !== 0 && (packet.flags & one.mask) !== one.flags) return false;
    if (data !== undefined && data !== packet.dataLength > 0) return false;
    if (port !== undefined && port !== packet.srcPort && port !== packet.dstPort) return false;
    if (range !== undefined && !this.#hasOctets(packet, range)) return false;
    return when === undefined || when(packet);
  }

  #hasOctets(packet: FaultPacket, range: readonly [number, number]): boolean {
    const start = this.#starts?.get(packet.flow);
    if (start === undefined || (packet.flags & SYN) !== 0) return false;
    const from = diff(seq(packet.seq), seq(start));
    return from < range[1] && from + packet.dataLength + (packet.flags & FIN) > range[0];
  }
}

function controlBits(letters: string): number {
  let bits = 0;
  for (const letter of letters) {
    const bit = (LETTERS as readonly string[]).indexOf(letter);
    if (bit < 0) {
      const message = `The value of "rule.flags" must be of the letters ${LETTERS.join('')}. Received '${letters}'`;
      throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
    }
    bits |= 1 << bit;
  }
  return bits;
}
