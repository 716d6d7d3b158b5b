import type { Counters } from '../base/counters.js';
import { Drop } from '../wire/drop-reason.js';
import { ECN_CE } from '../wire/ecn.js';
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, type Ipv4Header, writeIpv4 } from '../wire/ipv4.js';

/** What a stored fragment costs besides its payload, about, in bytes. */
const FRAGMENT_OVERHEAD = 200;

/** Bounds of IPv4 reassembly; all are 1 or more. */
export interface FragmentLimits {
  /** Most memory for fragments, in bytes, bookkeeping included. Default 4 MiB, as Linux's
   * ipfrag_high_thresh. */
  maxBytes: number;
  /** Most datagrams in the making. Default 256. */
  maxDatagrams: number;
  /** How long in ms a datagram may take from its first fragment to arrive on. Default 30,000, as on
   * Linux; RFC 791 §3.2 has 15 s. */
  timeout: number;
}

export const DEFAULT_FRAGMENT_LIMITS: Readonly<FragmentLimits> = {
  maxBytes: 4 * 1024 * 1024,
  maxDatagrams: 256,
  timeout: 30_000,
};

/**
 * The defaults with `changes` laid over them.
 * @throws RangeError (ERR_OUT_OF_RANGE) that names the field
 */
export function fragmentLimits(changes: Partial<FragmentLimits> = {}): FragmentLimits {
  const limits = { ...DEFAULT_FRAGMENT_LIMITS };
  for (const name of ['maxBytes', 'maxDatagrams', 'timeout'] as const) {
    const value = changes[name];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 1) {
      throw Object.assign(
        new RangeError(
          `The value of "fragments.${name}" is out of range. It must be an integer >= 1. Received ${value}`,
        ),
        { code: 'ERR_OUT_OF_RANGE' },
      );
    }
    limits[name] = value;
  }
  return limits;
}

interface Fragment {
  start: number;
  end: number;
  bytes: Uint8Array;
}

/** A datagram of which something has arrived. */
class Datagram {
  /** In order of position; they do not overlap. */
  fragments: Fragment[] = [];
  /** Bytes of payload stored. */
  received = 0;
  /** Length of the payload in bytes; -1 until the last fragment is here. */
  length = -1;
  /** Set when the datagram was given up; what still comes of it is dropped for the same reason. */
  verdict = Drop.NONE;
  tos = 0;
  ttl = 0;
  congestion = false;

  constructor(
    readonly key: string,
    readonly deadline: number,
  ) {}

  get cost(): number {
    return this.received + this.fragments.length * FRAGMENT_OVERHEAD;
  }
}

/**
 * Puts fragmented datagrams together (RFC 791 §3.2, RFC 815), within bounds on memory and time. A
 * datagram whose fragments overlap is given up as a whole: nobody sends such, except to slip past a
 * filter (RFC 1858, RFC 5722). An exact duplicate of a fragment is let pass.
 */
export class Fragments {
  readonly #limits: FragmentLimits;
  readonly #counters: Counters;
  /** In order of deadline, since all have the same time. */
  readonly #datagrams = new Map<string, Datagram>();
  #bytes = 0;

  constructor(limits: FragmentLimits, counters: Counters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  /** Memory that waits for the rest of its datagrams, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Datagrams that are not complete, those given up and not yet forgotten included. */
  get size(): number {
    return this.#datagrams.size;
  }

  /**
   * Takes a copy of a fragment's payload. When that completes the datagram, returns all of it, with
   * a header of 20 bytes in front; otherwise null.
   */
  add(
    bytes: Uint8Array,
    header: Ipv4Header,
    payloadOffset: number,
    payloadLength: number,
    now: number,
  ): Uint8Array | null {
    this.#counters.ipReasmReqds++;
    this.expire(now);
    const start = header.fragmentOffset;
    const end = start + payloadLength;
    if (payloadLength <= 0 || (header.moreFragments && payloadLength % 8 !== 0)) {
      return this.#drop(Drop.FRAGMENT_LENGTH);
    }
    const datagram = this.#find(header, now);
    if (datagram.verdict !== Drop.NONE) return this.#drop(datagram.verdict);
    const payload = bytes.subarray(payloadOffset, payloadOffset + payloadLength);
    const index = position(datagram.fragments, start);
    if (isDuplicate(datagram.fragments[index], start, payload)) return null;
    const reason = judge(datagram, index, start, end, header.moreFragments);
    if (reason !== Drop.NONE) {
      this.#giveUp(datagram, reason);
      return this.#drop(reason);
    }
    if (!this.#makeRoom(datagram, payloadLength)) return this.#drop(Drop.FRAGMENT_LIMIT);
    this.#store(datagram, index, header, { start, end, bytes: payload.slice() });
    if (datagram.received !== datagram.length) return null;
    this.#forget(datagram);
    this.#counters.ipReasmOKs++;
    return assemble(datagram, header);
  }

  /** Gives up what was not complete in time. */
  expire(now: number): void {
    for (const datagram of this.#datagrams.values()) {
      if (datagram.deadline > now) return;
      this.#giveUp(datagram, Drop.FRAGMENT_TIMEOUT);
      this.#forget(datagram);
    }
  }

  /** When {@link expire} has something to do, in ms; Infinity when nothing waits. */
  next(): number {
    for (const datagram of this.#datagrams.values()) return datagram.deadline;
    return Infinity;
  }

  #find(header: Ipv4Header, now: number): Datagram {
    const key = `${header.srcAddr} ${header.dstAddr} ${header.protocol} ${header.id}`;
    let datagram = this.#datagrams.get(key);
    if (datagram === undefined) {
      if (this.#datagrams.size >= this.#limits.maxDatagrams) this.#evict(null);
      datagram = new Datagram(key, now + this.#limits.timeout);
      this.#datagrams.set(key, datagram);
    }
    return datagram;
  }

  #store(datagram: Datagram, index: number, header: Ipv4Header, fragment: Fragment): void {
    datagram.fragments.splice(index, 0, fragment);
    datagram.received += fragment.bytes.length;
    this.#bytes += fragment.bytes.length + FRAGMENT_OVERHEAD;
    if (!header.moreFragments) datagram.length = fragment.end;
    if (fragment.start === 0) {
      datagram.tos = header.tos;
      datagram.ttl = header.ttl;
    }
    if ((header.tos & ECN_CE) === ECN_CE) datagram.congestion = true;
  }

  /** Evicts the oldest datagrams until a fragment of `datagram` fits; false when it never does. */
  #makeRoom(datagram: Datagram, payloadLength: number): boolean {
    const needed = payloadLength + FRAGMENT_OVERHEAD;
    if (datagram.cost + needed > this.#limits.maxBytes) {
      this.#giveUp(datagram, Drop.FRAGMENT_LIMIT);
      return false;
    }
    while (this.#bytes + needed > this.#limits.maxBytes) this.#evict(datagram);
    return true;
  }

  /** Forgets the oldest datagram that is not `except`. */
  #evict(except: Datagram | null): void {
    for (const datagram of this.#datagrams.values()) {
      if (datagram === except) continue;
      this.#giveUp(datagram, Drop.FRAGMENT_LIMIT);
      this.#forget(datagram);
      return;
    }
  }

  /** Counts and frees what is stored of a datagram and remembers the verdict until its deadline. */
  #giveUp(datagram: Datagram, reason: Drop): void {
    if (datagram.verdict !== Drop.NONE) return;
    this.#counters.ipReasmFails++;
    this.#counters.countDrop(reason, datagram.fragments.length);
    this.#bytes -= datagram.cost;
    datagram.fragments = [];
    datagram.received = 0;
    datagram.verdict = reason;
  }

  #forget(datagram: Datagram): void {
    this.#bytes -= datagram.cost;
    this.#datagrams.delete(datagram.key);
  }

  #drop(reason: Drop): null {
    this.#counters.countDrop(reason);
    return null;
  }
}

/** Index of the first fragment that starts at or behind `start`. */
function position(fragments: readonly Fragment[], start: number): number {
  let low = 0;
  let high = fragments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fragments[middle]!.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isDuplicate(twin: Fragment | undefined, start: number, payload: Uint8Array): boolean {
  return twin !== undefined && twin.start === start && Buffer.compare(twin.bytes, payload) === 0;
}

/** Why a fragment that belongs at `index` cannot be part of its datagram, or NONE. */
function judge(
  datagram: Datagram,
  index: number,
  start: number,
  end: number,
  moreFragments: boolean,
): Drop {
  if (IPV4_HEADER_BYTES + end > IPV4_MAX_BYTES) return Drop.FRAGMENT_TOO_LONG;
  const { fragments, length } = datagram;
  const before = fragments[index - 1];
  const behind = fragments[index];
  if (before !== undefined && before.end > start) return Drop.FRAGMENT_OVERLAP;
  if (behind !== undefined && behind.start < end) return Drop.FRAGMENT_OVERLAP;
  if (moreFragments) return length >= 0 && end >= length ? Drop.FRAGMENT_END : Drop.NONE;
  return length >= 0 || behind !== undefined ? Drop.FRAGMENT_END : Drop.NONE;
}

function assemble(datagram: Datagram, header: Ipv4Header): Uint8Array {
  const whole = new Uint8Array(IPV4_HEADER_BYTES + datagram.length);
  for (const fragment of datagram.fragments) {
    whole.set(fragment.bytes, IPV4_HEADER_BYTES + fragment.start);
  }
  // One fragment that met congestion marks the whole datagram (RFC 3168 §5.3).
  const tos = datagram.congestion ? datagram.tos | ECN_CE : datagram.tos;
  const { id, protocol, srcAddr, dstAddr } = header;
  const view = new DataView(whole.buffer);
  writeIpv4(view, 0, tos, whole.length, id, 0, datagram.ttl, protocol, srcAddr, dstAddr);
  return whole;
}
