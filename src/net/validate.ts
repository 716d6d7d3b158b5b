/** Checks of arguments, with Node's errors. Each throws, or gives the value to use. */

import { badPort, invalidArgType, invalidArgValue, outOfRange } from './errors.js';

/** The longest that a timer can wait, in ms. */
const TIMEOUT_MAX = 2 ** 31 - 1;

/** A port number 0 to 65535 from a number or a numeric string. */
export function validatePort(port: unknown, name = 'Port'): number {
  const number = typeof port === 'string' && port.trim() === '' ? Number.NaN : Number(port);
  const kind = typeof port;
  if ((kind !== 'number' && kind !== 'string') || number !== number >>> 0 || number > 65535) {
    throw badPort(name, port);
  }
  return number;
}

export function validateFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value);
}

export function validateNumber(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  return value;
}

/** A whole number in `min` to `max`. */
export function validateInt32(
  value: unknown,
  name: string,
  min = -(2 ** 31),
  max = 2 ** 31 - 1,
): number {
  const number = validateNumber(value, name);
  if (!Number.isInteger(number)) throw outOfRange(name, 'an integer', value);
  if (number < min || number > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return number;
}

export function validateBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  return value;
}

export function validateString(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  return value;
}

/** A string without null bytes. */
export function validateCleanString(text: unknown, name: string): string {
  const value = validateString(text, name);
  if (value.includes('\0')) {
    throw invalidArgValue(name, value, 'must be a string without null bytes');
  }
  return value;
}

export function validateAbortSignal(value: unknown, name: string): void {
  if (value === null || typeof value !== 'object' || !('aborted' in value)) {
    throw invalidArgType(name, 'an instance of AbortSignal', value);
  }
}

/** A duration in ms: 0 to 2^31 - 1; what is longer is cut to that, with a warning. */
export function validateDuration(value: unknown, name: string): number {
  const ms = validateNumber(value, name);
  if (ms < 0 || !Number.isFinite(ms)) {
    throw outOfRange(name, 'a non-negative finite number', value);
  }
  if (ms > TIMEOUT_MAX) {
    process.emitWarning(
      `${ms} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${TIMEOUT_MAX}.`,
      'TimeoutOverflowWarning',
    );
    return TIMEOUT_MAX;
  }
  return ms;
}
