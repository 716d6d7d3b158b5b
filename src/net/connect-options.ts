import type { TcpNetConnectOpts } from 'node:net';
import { isIP } from 'node:net';
import { invalidAddress, invalidArgType, invalidArgValue, missingArgs } from './errors.js';
import { validateFunction, validateNumber, validatePort } from './validate.js';

export type ConnectListener = () => void;
/** What `connect` takes: an object, or Node's positional forms turned into one. */
export type ConnectArguments = Partial<TcpNetConnectOpts> & { path?: string };

/** A string that is no number names a pipe, as in Node. */
function isPipeName(value: unknown): value is string {
  return typeof value === 'string' && !(Number(value) >= 0);
}

/**
 * Node's `connect` and `listen` arguments as an object and a listener: `(options)`, `(port, host)`,
 * `(path)`, each with a function as the last one.
 */
export function normalizeArguments(
  args: readonly unknown[],
): [options: Record<string, unknown>, listener: ConnectListener | null] {
  if (args.length === 0) return [{}, null];
  const [first] = args;
  let options: Record<string, unknown> = {};
  if (typeof first === 'object' && first !== null) options = first as Record<string, unknown>;
  else if (isPipeName(first)) options.path = first;
  else {
    options.port = first;
    if (args.length > 1 && typeof args[1] === 'string') options.host = args[1];
  }
  const last = args[args.length - 1];
  return [options, typeof last === 'function' ? (last as ConnectListener) : null];
}

/** Throws what Node throws for options that it would not take; gives the port. */
export function checkConnectOptions(options: ConnectArguments): number {
  const { localAddress, localPort, port, lookup, family } = options;
  if (port === undefined) throw missingArgs('options', 'port', 'path');
  if (localAddress && !isIP(localAddress)) throw invalidAddress(localAddress);
  if (localPort) validateNumber(localPort, 'options.localPort');
  if (typeof port !== 'number' && typeof port !== 'string') {
    throw invalidArgType('options.port', 'one of type number or string', port);
  }
  const number = validatePort(port);
  if (isIP(options.host || 'localhost') === 0) {
    if (lookup !== undefined && lookup !== null) validateFunction(lookup, 'options.lookup');
    if (family !== undefined && family !== 0 && family !== 4 && family !== 6) {
      throw invalidArgValue('options.family', family, 'must be one of: 0, 4, 6');
    }
  }
  return number;
}
