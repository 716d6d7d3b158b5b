import { Random } from '../../../src/base/random.js';
import { diff, type Seq, seq } from '../../../src/base/seq.js';

/** A prime, so that bytes at a wrong place show. */
const PERIOD = 65_521;
/** Set in text that was sent in place of another. */
export const ALTERED = 0x80;
const PATTERN = new Random(0x51ab).bytes(PERIOD).map((byte) => byte & 0x7f);
const REPEATED = Buffer.concat([PATTERN, PATTERN, PATTERN]);

/** The number that the pattern of a peer's text is counted from, by the port that it comes from. */
export function originOf(port: number): Seq {
  return seq(Math.imul(port, 0x9e3779b9));
}

/** The number of the first byte of the pattern for the octet `seq` of a stream that began at `origin`. */
function placeOf(seq: Seq, origin: Seq): number {
  const at = diff(seq, origin) % PERIOD;
  return at < 0 ? at + PERIOD : at;
}

/** Writes the octets from `seq` on of the stream that began at `origin`. */
export function fillPattern(
  target: Uint8Array,
  at: number,
  length: number,
  seq: Seq,
  origin: Seq,
): void {
  const place = placeOf(seq, origin);
  target.set(REPEATED.subarray(place, place + length), at);
}

/** Where `bytes` first differ from the pattern, as {@link fillPattern} counts; -1: nowhere. */
export function firstDifference(
  bytes: Uint8Array,
  at: number,
  length: number,
  seq: Seq,
  origin: Seq,
): number {
  const place = placeOf(seq, origin);
  if (REPEATED.compare(bytes, at, at + length, place, place + length) === 0) return -1;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== REPEATED[place + i]) return i;
  return -1;
}

/** The same, when the text may have been altered on its way. */
export function firstDisplacement(bytes: Uint8Array, seq: Seq, origin: Seq): number {
  const place = placeOf(seq, origin);
  for (let i = 0; i < bytes.length; i++) {
    if ((bytes[i]! & ~ALTERED) !== REPEATED[place + i]) return i;
  }
  return -1;
}

/** What the host's users write: the octets from `offset` on. */
export function written(offset: number, length: number): Uint8Array {
  const place = offset % PERIOD;
  return REPEATED.subarray(place, place + length);
}
