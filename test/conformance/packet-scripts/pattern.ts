/** Letters that tell where in a stream they belong; the same ones as in `syscall-agent.c`. */
const LETTERS = 26;
const FIRST = 97;

/** Octets of a stream from `offset` on; its first, with sequence number 1, is `a`. */
export function streamBytes(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = FIRST + mod(offset + i);
  return bytes;
}

/** The first octet that is not the stream's; -1: none. */
export function strayOctet(bytes: Uint8Array, offset: number): number {
  return bytes.findIndex((byte, i) => byte !== FIRST + mod(offset + i));
}

function mod(n: number): number {
  return ((n % LETTERS) + LETTERS) % LETTERS;
}
