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

/** @throws RangeError (ERR_SOCKET_BAD_PORT) that names the option unless it is a port, 0 to 65535 */
export function checkPort(option: string, port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw Object.assign(
    new RangeError(`options.${option} should be >= 0 and < 65536. Received ${port}`),
    { code: 'ERR_SOCKET_BAD_PORT' },
  );
}
