/** Copying so few bytes one by one is cheaper than making a view of them. */
const COPY_BY_HAND = 64;

/** Copies `length` bytes of `source` from `offset` on to `target` at `at`; up to 64 without an allocation. */
export function copyBytes(
  source: Uint8Array,
  offset: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  if (length <= COPY_BY_HAND) {
    for (let i = 0; i < length; i++) target[at + i] = source[offset + i]!;
  } else if (offset === 0 && length === source.length) {
    target.set(source, at);
  } else {
    target.set(source.subarray(offset, offset + length), at);
  }
}
