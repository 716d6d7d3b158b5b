import { add, type Seq } from '../../../src/base/seq.js';
import { checksum, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { PROTOCOL_ICMP, PROTOCOL_TCP, writeIpv4 } from '../../../src/wire/ipv4.js';
import { fillPattern, originOf } from './pattern.js';
import { HOST_ADDRESS, type PeerEnd } from './peer.js';
import type { Change, IcmpStep, Option, TcpStep } from './step.js';

/** A packet on its way to the host. */
export interface Built {
  length: number;
  vouched: boolean;
  segmentSize: number;
  twice: boolean;
  /** Payload bytes of each fragment, 0: whole; and the order that they arrive in. */
  fragment: number;
  order: number;
  /** The text is not the peer's usual. */
  altered: boolean;
}

const MAX = 65_535;
const scratch = new Uint8Array(MAX + 4_096);
const scratchView = new DataView(scratch.buffer);

/** Makes the bytes of packets, one at a time, in {@link bytes}. */
export class PacketBuilder {
  readonly bytes = scratch;
  readonly view = scratchView;
  readonly built: Built = {
    length: 0,
    vouched: false,
    segmentSize: 0,
    twice: false,
    fragment: 0,
    order: 0,
    altered: false,
  };
  #id = 1;

  tcp(step: TcpStep, peer: PeerEnd, now: number): void {
    const start = peer.seqOf(step.seqBase, step.seq);
    const { view } = this;
    const optionBytes = this.#options(step.options, 40, peer, now);
    const headers = 40 + optionBytes;
    const length = Math.max(0, Math.min(step.len, MAX - headers));
    writeIpv4(
      view,
      0,
      step.tos,
      headers + length,
      this.#id++,
      0,
      64,
      PROTOCOL_TCP,
      peer.addr,
      HOST_ADDRESS,
    );
    view.setUint16(20, peer.port);
    view.setUint16(22, peer.hostPort);
    view.setInt32(24, start);
    view.setInt32(28, (step.flags & 0x10) !== 0 ? peer.ackOf(step.ackBase, step.ack) : 0);
    view.setUint16(32, ((headers - 20) << 10) | (step.flags & 0xff));
    view.setUint16(34, step.win);
    view.setInt32(36, step.urg);
    this.#finish(headers + length, step.changes);
    peer.noteSent(step, start, length + (step.flags & 1) + ((step.flags >> 1) & 1));
  }

  icmp(step: IcmpStep, peer: PeerEnd): void {
    const { view, bytes } = this;
    const quoted = 28;
    bytes.fill(0, 20, quoted + 60);
    bytes[20] = step.type;
    bytes[21] = step.code;
    view.setInt32(24, step.rest);
    writeIpv4(
      view,
      quoted,
      0,
      step.total & 0xffff,
      7,
      0x4000,
      60,
      PROTOCOL_TCP,
      HOST_ADDRESS,
      peer.addr,
    );
    view.setUint16(quoted + 20, peer.hostPort);
    view.setUint16(quoted + 22, peer.port);
    view.setInt32(quoted + 24, peer.ackOf('u', step.seq));
    const length = quoted + Math.min(step.quote, 60);
    writeIpv4(view, 0, 0, length, this.#id++, 0, 64, PROTOCOL_ICMP, peer.addr, HOST_ADDRESS);
    this.#finish(length, step.changes);
  }

  raw(packet: Uint8Array, changes: readonly Change[]): void {
    this.bytes.set(packet);
    this.#begin(packet.length);
    if (changes.length > 0) this.#finish(packet.length, changes);
  }

  #begin(length: number): void {
    const { built } = this;
    built.length = length;
    built.vouched = false;
    built.segmentSize = 0;
    built.twice = false;
    built.fragment = 0;
    built.altered = false;
  }

  /** Writes options at `start`, padded to whole words; returns their length, 40 at most. */
  #options(options: readonly Option[], start: number, peer: PeerEnd, now: number): number {
    const { bytes, view } = this;
    let at = start;
    const end = start + 40;
    for (const option of options) {
      const [name] = option;
      const size = OPTION_BYTES[name] ?? 2 + (option.length - 1) * 4;
      if (name === 'raw') {
        for (let i = 1; i < option.length && at < end; i++) bytes[at++] = Number(option[i]);
        continue;
      }
      if (at + size > end) break;
      switch (name) {
        case 'mss':
          view.setInt32(at, (2 << 24) | (4 << 16) | (option[1]! & 0xffff));
          break;
        case 'ws':
          view.setInt16(at, 0x0303);
          bytes[at + 2] = option[1]!;
          break;
        case 'sok':
          view.setInt16(at, 0x0402);
          break;
        case 'ts':
          view.setInt16(at, 0x080a);
          view.setInt32(at + 2, Math.floor(now) + peer.tsBase + option[1]!);
          view.setInt32(at + 6, peer.flow.hostTs + option[2]!);
          break;
        case 'sack':
          view.setInt16(at, (5 << 8) | size);
          for (let i = 1; i < option.length; i++) {
            view.setInt32(at + 2 + (i - 1) * 4, peer.ackOf('u', Number(option[i])));
          }
          break;
      }
      at += size;
    }
    while ((at - start) % 4 !== 0) bytes[at++] = 1;
    return at - start;
  }

  #finish(total: number, changes: readonly Change[]): void {
    const { built } = this;
    this.#begin(total);
    let sums = true;
    let ipSum = true;
    for (const change of changes) {
      if (change[0] === 'badsum') sums = false;
      else if (change[0] === 'badip') ipSum = false;
      else this.#change(change);
    }
    if (built.fragment > 0) {
      // Each fragment gets a header of its own, and nobody vouches for it.
      ipSum = true;
      built.vouched = false;
      this.bytes[0] = 0x40 | (this.bytes[0]! & 15);
      this.view.setUint16(2, Math.min(built.length, MAX));
    }
    this.#repair(sums, ipSum);
  }

  #change(change: Change): void {
    const { built, bytes, view } = this;
    const value = change[1] ?? 0;
    switch (change[0]) {
      case 'byte':
        bytes[value % Math.max(1, Math.min(built.length, 120))] = change[2] ?? 0;
        return;
      case 'cut':
        built.length = Math.max(0, built.length - value);
        return;
      case 'pad':
        bytes.fill(0, built.length, built.length + value);
        built.length = Math.min(built.length + value, scratch.length);
        return;
      case 'total':
        view.setUint16(2, view.getUint16(2) + value);
        return;
      case 'doff':
        bytes[32] = (value << 4) | (bytes[32]! & 15);
        return;
      case 'frag':
        built.fragment = Math.max(8, value & ~7);
        built.order = change[2] ?? 0;
        return;
      case 'ipopt':
        this.#insertIpOptions(change.slice(1) as number[]);
        return;
      case 'twice':
        built.twice = true;
        return;
      case 'vouch':
        built.vouched = true;
        return;
      case 'gso':
        built.segmentSize = value & 0xffff;
        return;
      case 'alter':
        built.altered = true;
        return;
      case 'ttl':
        bytes[8] = value;
        return;
      case 'proto':
        bytes[9] = value;
        return;
      case 'src':
        view.setInt32(12, value);
        return;
      case 'dst':
        view.setInt32(16, value);
        return;
      case 'sport':
        view.setUint16(20, value);
        return;
      case 'dport':
        view.setUint16(22, value);
        return;
    }
  }

  #insertIpOptions(options: readonly number[]): void {
    const { built, bytes, view } = this;
    const length = Math.min(40, (options.length + 3) & ~3);
    if (built.length < 20 || built.length + length > MAX || (bytes[0]! & 15) !== 5) return;
    bytes.copyWithin(20 + length, 20, built.length);
    bytes.fill(0, 20, 20 + length);
    bytes.set(options.slice(0, length), 20);
    bytes[0] = 0x45 + (length >> 2);
    view.setUint16(2, view.getUint16(2) + length);
    built.length += length;
  }

  /** Writes the text that belongs at the final numbers, and checksums as far as there is a place. */
  #repair(sums: boolean, ipSum: boolean): void {
    const { built, bytes, view } = this;
    const ip = (bytes[0]! & 15) << 2;
    if (built.length < 20 || ip < 20 || ip > built.length) return;
    const total = Math.min(view.getUint16(2), built.length);
    const length = total - ip;
    if (bytes[9] === PROTOCOL_TCP && length >= 20) {
      const text = (bytes[ip + 12]! >> 4) << 2;
      if (text >= 20 && text < length) {
        const syn = (bytes[ip + 13]! >> 1) & 1;
        const first = add(view.getInt32(ip + 4) as Seq, syn);
        fillPattern(bytes, ip + text, length - text, first, originOf(view.getUint16(ip)));
        if (built.altered) for (let at = ip + text; at < total; at++) bytes[at]! |= 0x80;
      }
      view.setUint16(ip + 16, 0);
      const pseudo = pseudoHeaderSum(view.getInt32(12), view.getInt32(16), PROTOCOL_TCP, length);
      const sum = checksum(bytes, view, ip, length, pseudo);
      view.setUint16(ip + 16, sums ? sum : sum ^ 0x0101);
    } else if (bytes[9] === PROTOCOL_ICMP && length >= 8) {
      view.setUint16(ip + 2, 0);
      const sum = checksum(bytes, view, ip, length);
      view.setUint16(ip + 2, sums ? sum : sum ^ 0x0101);
    }
    view.setUint16(10, 0);
    const sum = checksum(bytes, view, 0, ip);
    view.setUint16(10, ipSum ? sum : sum ^ 0x0101);
  }
}

const OPTION_BYTES: Readonly<Record<string, number>> = { mss: 4, ws: 3, sok: 2, ts: 10 };
