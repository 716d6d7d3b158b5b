/** Packet `i` of those that a link writes to its device, put together from its pieces. */
export function writtenPacket(
  buffers: readonly Uint8Array[],
  pieces: Int32Array,
  pieceEnd: Int32Array,
  i: number,
): Buffer {
  const parts: Uint8Array[] = [];
  for (let p = i === 0 ? 0 : pieceEnd[i - 1]!; p < pieceEnd[i]!; p++) {
    const start = pieces[p * 3 + 1]!;
    parts.push(buffers[pieces[p * 3]!]!.subarray(start, start + pieces[p * 3 + 2]!));
  }
  return Buffer.concat(parts);
}
