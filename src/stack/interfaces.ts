import { TxBatch } from '../base/batch.js';
import type { Counters } from '../base/counters.js';
import type { Link } from '../link/link.js';
import { IPV4_HEADER_BYTES, isBroadcast, isLoopback, isMulticast } from '../wire/ipv4.js';
import { TCP_HEADER_BYTES } from '../wire/tcp.js';

export interface InterfaceAddress {
  readonly address: number;
  /** Bits of the network's prefix, 0 to 32. */
  readonly prefix: number;
}

/** A link with our addresses on it, and the batch of packets that leave by it. */
export class Interface {
  readonly tx = new TxBatch();
  /** False when the link has ended; nothing is routed by it any more. */
  isUp = true;
  /** What the link had discarded when {@link countDiscards} last looked. */
  #discarded = 0;

  constructor(
    readonly index: number,
    readonly link: Link,
    readonly addresses: readonly InterfaceAddress[],
    readonly isLoopback: boolean,
    readonly counters: Counters,
  ) {}

  /**
   * Our MSS option: what the interface's MTU lets in, less two headers (RFC 6691, RFC 9293 MUST-67),
   * and whatever the path to this peer may carry (RFC1191-3.1-b).
   */
  get mss(): number {
    return this.link.mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES;
  }

  /** Makes room for a packet with `arenaBytes` in the batch's arena. */
  reserve(arenaBytes: number): void {
    if (!this.tx.fits(arenaBytes)) this.flush();
  }

  flush(): void {
    if (this.tx.count === 0) return;
    try {
      this.link.send(this.tx);
    } finally {
      // What is left would go out again later, when its bytes may be others.
      this.tx.reset();
      this.countDiscards();
    }
  }

  /** Counts what the link has discarded of this batch, or of earlier ones that waited in it. */
  countDiscards(): void {
    const discarded = this.link.discarded ?? 0;
    this.counters.ipOutDiscards += discarded - this.#discarded;
    this.#discarded = discarded;
  }
}

/** The interfaces of a host: which addresses are ours, and which interface leads where. */
export class Interfaces {
  readonly all: Interface[] = [];
  /** Every datagram that arrives is for us, whatever its destination. */
  readonly acceptAny: boolean;
  readonly #counters: Counters;
  #own = new Int32Array(0);
  /** Broadcast addresses of our own networks. */
  #broadcasts = new Int32Array(0);
  #loopback: Interface | null = null;

  constructor(acceptAny: boolean, counters: Counters) {
    this.acceptAny = acceptAny;
    this.#counters = counters;
  }

  add(link: Link, addresses: readonly InterfaceAddress[], loopback: boolean): Interface {
    const added = new Interface(this.all.length, link, addresses, loopback, this.#counters);
    this.all.push(added);
    if (loopback) this.#loopback = added;
    this.#own = Int32Array.from(this.all.flatMap((i) => i.addresses.map((a) => a.address)));
    this.#broadcasts = Int32Array.from(this.all.flatMap(directedBroadcasts));
    return added;
  }

  isOwn(address: number): boolean {
    const own = this.#own;
    for (let i = 0; i < own.length; i++) if (own[i] === address) return true;
    return false;
  }

  /** An address that a local socket may have: one of ours, or any of 127.0.0.0/8. */
  isLocal(address: number): boolean {
    return this.isOwn(address) || (this.#loopback !== null && isLoopback(address));
  }

  /** Whether a datagram for `address` that came by `by` is for us; broadcasts are not (MUST-57). */
  accepts(address: number, by: Interface): boolean {
    if (this.isOwn(address)) return true;
    if (by.isLoopback) return isLoopback(address);
    return this.acceptAny && !isLoopback(address) && !this.isGroup(address);
  }

  /**
   * RFC 1122 §3.2.1.3: what cannot be the address of one other host (RFC 9293 MUST-63). Nor does
   * another host send to itself by way of us, as in a "land" attack on {@link acceptAny}.
   */
  isBadSource(address: number, destination: number, by: Interface): boolean {
    if (by.isLoopback) return false;
    if (address >>> 24 === 0 || address === destination || isLoopback(address)) return true;
    return this.isGroup(address) || this.isOwn(address);
  }

  /** Multicast, reserved (class E) and broadcast addresses, those of our networks among them. */
  isGroup(address: number): boolean {
    const broadcasts = this.#broadcasts;
    for (let i = 0; i < broadcasts.length; i++) if (broadcasts[i] === address) return true;
    return isGroup(address);
  }

  /**
   * The interface towards `address`: by longest prefix, else the first that is not the loopback.
   * 127.0.0.0/8 never leaves the host (RFC 1122 §3.2.1.3).
   */
  route(address: number): Interface | null {
    if (this.isOwn(address) || isLoopback(address)) {
      return this.#loopback?.isUp === true ? this.#loopback : null;
    }
    let best: Interface | null = null;
    let bestPrefix = -1;
    for (const candidate of this.all) {
      if (candidate.isLoopback || !candidate.isUp) continue;
      best ??= candidate;
      for (const own of candidate.addresses) {
        if (own.prefix > bestPrefix && samePrefix(own.address, address, own.prefix)) {
          best = candidate;
          bestPrefix = own.prefix;
        }
      }
    }
    return best;
  }

  /** The address that a connection by `leaving` to `remote` has on our side (RFC 9293 MUST-44). */
  sourceFor(leaving: Interface, remote: number): number | null {
    if (leaving.isLoopback && this.isOwn(remote)) return remote;
    for (const own of leaving.addresses) {
      if (samePrefix(own.address, remote, own.prefix)) return own.address;
    }
    return leaving.addresses[0]?.address ?? null;
  }

  flush(): void {
    for (const each of this.all) each.flush();
  }
}

/** Multicast, reserved (class E) and the limited broadcast address. */
export function isGroup(address: number): boolean {
  return isMulticast(address) || isBroadcast(address) || address >>> 28 === 15;
}

/** Networks of fewer than four addresses have none (RFC 3021). */
function directedBroadcasts(by: Interface): number[] {
  if (by.isLoopback) return [];
  return by.addresses
    .filter(({ prefix }) => prefix <= 30)
    .map(({ address, prefix }) => address | (0xffff_ffff >>> prefix));
}

function samePrefix(a: number, b: number, prefix: number): boolean {
  return prefix === 0 || (a ^ b) >>> (32 - prefix) === 0;
}
