/**
 * Sequence numbers modulo 2^32 (RFC 9293 §3.4), kept as signed 32-bit integers because those stay
 * unboxed in V8. The signed value has no meaning of its own: compare only with the functions here,
 * print only through {@link toUint32}. `scripts/check` refuses `<`, `>`, `<=` and `>=` on a `Seq`.
 */
declare const seqBrand: unique symbol;
export type Seq = number & { readonly [seqBrand]: 'Seq' };

export function seq(value: number): Seq {
  return (value | 0) as Seq;
}

/** `a + n` modulo 2^32; `n` is a count of octets and may be negative. */
export function add(a: Seq, n: number): Seq {
  return ((a + n) | 0) as Seq;
}

/** The signed distance from `b` to `a`: positive when `a` is ahead. */
export function diff(a: Seq, b: Seq): number {
  return (a - b) | 0;
}

export function lt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0;
}

export function leq(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0;
}

export function gt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) > 0;
}

export function geq(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) >= 0;
}

export function max(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) >= 0 ? a : b;
}

export function min(a: Seq, b: Seq): Seq {
  return ((a - b) | 0) <= 0 ? a : b;
}

/** The number as the wire and people show it: 0 to 2^32 - 1. */
export function toUint32(a: Seq): number {
  return a >>> 0;
}
