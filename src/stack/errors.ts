import { constants } from 'node:os';

export type TransportErrorCode = 'EADDRINUSE' | 'EADDRNOTAVAIL' | 'ENETUNREACH';

/** An error as Node throws it for a system call on a socket. */
export interface TransportError extends Error {
  code: TransportErrorCode;
  /** Negative, as in libuv. */
  errno: number;
  syscall: string;
  address: string;
  port: number;
}

const WORDS: Readonly<Record<TransportErrorCode, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available',
  ENETUNREACH: 'network is unreachable',
};

export function transportError(
  code: TransportErrorCode,
  syscall: string,
  address: string,
  port: number,
): TransportError {
  const error = new Error(`${syscall} ${code}: ${WORDS[code]} ${address}:${port}`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall, address, port });
}
