import { add, leq, type Seq, seq } from '../base/seq.js';
import type { Segment } from '../wire/segment.js';
import type { FourTuple } from './connection-table.js';

/** Connections that are remembered; a power of two. */
const PLACES = 1_024;
/** ms. Far more than a packet is on its way from one thread to another. */
const LIFETIME = 2_000;

/**
 * The connections that have ended last, so that segments of theirs are known that came by another shard,
 * and were overtaken by the end. A newer connection may take the place of an older one.
 */
export class LateSegments {
  readonly #localAddr = new Int32Array(PLACES);
  readonly #remoteAddr = new Int32Array(PLACES);
  readonly #ports = new Int32Array(PLACES);
  readonly #rcvNxt = new Int32Array(PLACES);
  readonly #until = new Float64Array(PLACES).fill(-Infinity);

  /** @param rcvNxt RCV.NXT when it ended */
  ended(tuple: FourTuple, rcvNxt: Seq, now: number): void {
    const { localAddr, localPort, remoteAddr, remotePort } = tuple;
    const place = placeOf(remoteAddr, localPort, remotePort);
    this.#localAddr[place] = localAddr;
    this.#remoteAddr[place] = remoteAddr;
    this.#ports[place] = (remotePort << 16) | localPort;
    this.#rcvNxt[place] = rcvNxt;
    this.#until[place] = now + LIFETIME;
  }

  /** Whether all that a segment carries had arrived when its connection ended. */
  has(segment: Segment, now: number): boolean {
    const { dstAddr, dstPort, srcAddr, srcPort } = segment;
    const place = placeOf(srcAddr, dstPort, srcPort);
    return (
      now <= this.#until[place]! &&
      this.#localAddr[place] === dstAddr &&
      this.#remoteAddr[place] === srcAddr &&
      this.#ports[place] === ((srcPort << 16) | dstPort) &&
      leq(add(segment.seq, segment.segLen), seq(this.#rcvNxt[place]!))
    );
  }
}

function placeOf(remoteAddr: number, localPort: number, remotePort: number): number {
  const mixed = Math.imul(remoteAddr ^ ((remotePort << 16) | localPort), 0x9e3779b1);
  return (mixed ^ (mixed >>> 16)) & (PLACES - 1);
}
