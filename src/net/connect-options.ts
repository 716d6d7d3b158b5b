import type { BlockList, TcpNetConnectOpts } from 'node:net';
import { isIP } from 'node:net';
import { invalidAddress, invalidArgType } from './errors.js';
import { NODE_MAJOR } from './node-version.js';
import {
  validateBoolean,
  validateCleanString,
  validateFunction,
  validateInt32,
  validateNumber,
  validatePort,
} from './validate.js';

export type ConnectListener = () => void;
/** What `connect` takes: an object, or Node's positional forms turned into one. */
export type ConnectArguments = Partial<TcpNetConnectOpts> & {
  path?: string;
  blockList?: BlockList;
};
/** What a call of `connect` or `listen` comes to: the options, and the function given last. */
export type Normalized = [options: Record<string, unknown>, listener: ConnectListener | null];

/** Marks what has been through {@link normalizeArguments}, so that it may go through it again. */
const NORMALIZED = Symbol('normalized');

/** A number of 0 or more; false for anything else. */
export function toNumber(value: unknown): number | false {
  const number = Number(value);
  return number >= 0 ? number : false;
}

/** A string that is no number names a pipe, as in Node. */
export function isPipeName(value: unknown): value is string {
  return typeof value === 'string' && toNumber(value) === false;
}

/**
 * Node's `connect` and `listen` arguments as an object and a listener: `(options)`, `(port, host)`,
 * `(path)`, each with a function as the last one.
 */
export function normalizeArguments(args: readonly unknown[]): Normalized {
  const [first] = args;
  if (Array.isArray(first) && NORMALIZED in first) return first as unknown as Normalized;
  let options: Record<string, unknown> = {};
  if (typeof first === 'object' && first !== null) options = first as Record<string, unknown>;
  else if (isPipeName(first)) options.path = first;
  else if (args.length > 0) {
    options.port = first;
    if (typeof args[1] === 'string') options.host = args[1];
  }
  const last = args[args.length - 1];
  const listener = typeof last === 'function' ? (last as ConnectListener) : null;
  const normalized: Normalized = [options, listener];
  return Object.assign(normalized, { [NORMALIZED]: true });
}

/** When addresses of both families are tried by turns (RFC 8305), and for how long each. */
export interface AutoSelectFamily {
  enabled: boolean;
  /** ms, 10 or more */
  attemptTimeout: number;
}

/** Below this, in ms, nobody could answer. */
const SHORTEST_ATTEMPT = 10;

export function validateAttemptTimeout(value: unknown, name: string): number {
  return Math.max(SHORTEST_ATTEMPT, validateInt32(value, name, 1));
}

/** Options of `connect` over TCP that have been looked at. */
export interface CheckedOptions {
  host: string;
  port: number;
  localAddress: string | undefined;
  localPort: number | undefined;
  autoSelectFamily: AutoSelectFamily;
}

/** Throws what Node throws for options that it would not take, in Node's order. */
export function checkConnectOptions(
  options: ConnectArguments,
  defaults: AutoSelectFamily,
): CheckedOptions {
  const { localAddress, localPort, autoSelectFamily, autoSelectFamilyAttemptTimeout } = options;
  const host = options.host || 'localhost';
  if (NODE_MAJOR >= 22) validateCleanString(host, 'options.host');
  if (localAddress && !isIP(localAddress)) throw invalidAddress(localAddress);
  if (localPort) validateNumber(localPort, 'options.localPort');
  const port = checkPort(options.port);
  let { enabled, attemptTimeout } = defaults;
  if (autoSelectFamily !== undefined && autoSelectFamily !== null) {
    enabled = validateBoolean(autoSelectFamily, 'options.autoSelectFamily');
  }
  if (autoSelectFamilyAttemptTimeout !== undefined && autoSelectFamilyAttemptTimeout !== null) {
    const name = 'options.autoSelectFamilyAttemptTimeout';
    attemptTimeout = validateAttemptTimeout(autoSelectFamilyAttemptTimeout, name);
  }
  const { lookup } = options;
  if (isIP(host) === 0 && lookup !== undefined && lookup !== null) {
    validateFunction(lookup, 'options.lookup');
  }
  return { host, port, localAddress, localPort, autoSelectFamily: { enabled, attemptTimeout } };
}

function checkPort(port: unknown): number {
  if (port === undefined) return 0;
  if (typeof port !== 'number' && typeof port !== 'string') {
    throw invalidArgType('options.port', 'one of type number or string', port);
  }
  return validatePort(port);
}
