/**
 * Every error that the socket API gives, in the form that Node gives it: system errors with
 * `errno`, `code` and `syscall`, and argument errors with an `ERR_*` code.
 */

import { constants } from 'node:os';
import { getSystemErrorMap, inspect } from 'node:util';

const ERRNO: Record<string, number> = constants.errno;

/** A system error: `errno` is negative, as libuv has it. */
export interface SystemError extends Error {
  errno: number;
  code: string;
  syscall: string;
  address?: string;
  port?: number;
}

function systemError(message: string, code: string, syscall: string): SystemError {
  const error = new Error(message) as SystemError;
  error.errno = -(ERRNO[code] ?? 0);
  error.code = code;
  error.syscall = syscall;
  return error;
}

/** `read ECONNRESET` */
export function errnoException(code: string, syscall: string): SystemError {
  return systemError(`${syscall} ${code}`, code, syscall);
}

type Address = string | null | undefined;
type Port = number | null | undefined;

function place(address: Address, port: Port): string {
  if (!address) return '';
  return port && port > 0 ? ` ${address}:${port}` : ` ${address}`;
}

function located(error: SystemError, address: Address, port: Port): SystemError {
  error.address = address as string;
  if (port) error.port = port;
  return error;
}

/** `connect ECONNREFUSED 127.0.0.1:80`; `additional` names our own end if there is one. */
export function hostPortException(
  code: string,
  syscall: string,
  address: Address,
  port?: Port,
  additional?: string,
): SystemError {
  let message = `${syscall} ${code}${place(address, port)}`;
  if (additional) message += ` - Local (${additional})`;
  return located(systemError(message, code, syscall), address, port);
}

/** `listen EADDRINUSE: address already in use 127.0.0.1:80` */
export function listenException(
  code: string,
  syscall: string,
  address: Address,
  port?: Port,
): SystemError {
  const text = getSystemErrorMap().get(-(ERRNO[code] ?? 0))?.[1] ?? 'unknown error';
  const message = `${syscall} ${code}: ${text}${place(address, port)}`;
  return located(systemError(message, code, syscall), address, port);
}

/** The `code` of something thrown, or undefined when it is not a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && code in ERRNO ? code : undefined;
}

export interface CodedError extends Error {
  code: string;
}

type ErrorClass = ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor;

/** Makes an error of class `Base` whose stack and string show `[code]` behind its name. */
export function coded(Base: ErrorClass, code: string, message: string): CodedError {
  const error = new Base(message) as CodedError;
  const { name } = error;
  Object.defineProperties(error, {
    name: { value: `${name} [${code}]`, configurable: true, writable: true, enumerable: false },
    toString: {
      value: () => `${name} [${code}]: ${message}`,
      configurable: true,
      writable: true,
      enumerable: false,
    },
  });
  void error.stack;
  Reflect.deleteProperty(error, 'name');
  error.code = code;
  return error;
}

/** What was received, in the words of Node's messages. */
function received(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    const name = value.constructor?.name;
    return name ? `an instance of ${name}` : inspect(value, { depth: -1 });
  }
  let text = inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return `type ${typeof value} (${text})`;
}

function titled(name: string): string {
  return `"${name}" ${name.includes('.') ? 'property' : 'argument'}`;
}

/** `expected` completes "must be ...": `of type function`, `one of type number or string`. */
export function invalidArgType(name: string, expected: string, value: unknown): CodedError {
  const message = `The ${titled(name)} must be ${expected}. Received ${received(value)}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', message);
}

export function invalidArgValue(
  name: string,
  value: unknown,
  reason = 'is invalid',
  Base: ErrorClass = TypeError,
): CodedError {
  let text = inspect(value);
  if (text.length > 128) text = `${text.slice(0, 128)}...`;
  const type = name.includes('.') ? 'property' : 'argument';
  const message = `The ${type} '${name}' ${reason}. Received ${text}`;
  return coded(Base, 'ERR_INVALID_ARG_VALUE', message);
}

export function outOfRange(name: string, range: string, value: unknown): CodedError {
  const isLarge = Number.isInteger(value) && Math.abs(value as number) > 2 ** 32;
  const text = inspect(value, { numericSeparator: isLarge });
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${text}`;
  return coded(RangeError, 'ERR_OUT_OF_RANGE', message);
}

export function badPort(name: string, value: unknown): CodedError {
  const message = `${name} should be >= 0 and < 65536. Received ${received(value)}.`;
  return coded(RangeError, 'ERR_SOCKET_BAD_PORT', message);
}

/** One of `names` has to be given. */
export function missingArgs(...names: string[]): CodedError {
  const list = names.map((name) => `"${name}"`).join(' or ');
  return coded(TypeError, 'ERR_MISSING_ARGS', `The ${list} argument must be specified`);
}

export function invalidAddress(address: unknown): CodedError {
  return coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${address}`);
}

/** A lookup has given an address of family `family`, which is neither 4 nor 6. */
export function invalidAddressFamily(family: unknown, host: unknown, port: unknown): CodedError {
  const message = `Invalid address family: ${family} ${host}:${port}`;
  return Object.assign(coded(RangeError, 'ERR_INVALID_ADDRESS_FAMILY', message), { host, port });
}

export function ipBlocked(address: string): CodedError {
  return coded(Error, 'ERR_IP_BLOCKED', `IP(${address}) is blocked by net.BlockList`);
}

export function invalidHandleType(): CodedError {
  return coded(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');
}

/** A name that stands for no address, as `dns.lookup` says it. */
export function notFound(hostname: string): NodeJS.ErrnoException {
  const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`);
  // libuv's number; the resolver's errors are none of the system's.
  return Object.assign(error, {
    errno: -3008,
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname,
  });
}

/** What all addresses of a host have answered, with the code of the first. */
export function allFailed(errors: Error[]): AggregateError {
  const error = new AggregateError(errors);
  return Object.assign(error, { code: (errors[0] as { code?: string } | undefined)?.code });
}

export function socketClosed(): CodedError {
  return coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed');
}

export function closedBeforeConnection(): CodedError {
  const message = 'Socket closed before the connection was established';
  return coded(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', message);
}

export function serverNotRunning(): CodedError {
  return coded(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.');
}

export function alreadyListening(): CodedError {
  const message = 'Listen method has been called more than once without closing.';
  return coded(Error, 'ERR_SERVER_ALREADY_LISTEN', message);
}

/** The error of a write after the peer's FIN on a socket that is not half-open. */
export function endedByPeer(): CodedError {
  const error = new Error('This socket has been ended by the other party') as CodedError;
  error.code = 'EPIPE';
  return error;
}
