import type { LookupAddress } from 'node:dns';
// Not its members: a program that replaces `dns.lookup` means us as well.
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { ConnectArguments } from './connect-options.js';
import { invalidArgValue, notFound } from './errors.js';

/** As `dns.lookup` calls back: an address and its family, or all of them when all were asked for. */
export type Found = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

export interface LookupSettings {
  family: number | undefined;
  hints: number;
  all?: boolean;
}

const LOCALHOST: LookupAddress = { address: '127.0.0.1', family: 4 };

function isLocalhost(host: unknown): boolean {
  return typeof host === 'string' && host.toLowerCase() === 'localhost';
}

function familyNumber(family: unknown): number | undefined {
  if (family === 'IPv4') return 4;
  if (family === 'IPv6') return 6;
  return family as number | undefined;
}

/** What a lookup is asked for when `connect` is called with `options`. */
export function lookupSettings(options: ConnectArguments): LookupSettings {
  const family = familyNumber(options.family);
  const hints = options.hints || 0;
  const either = family !== 4 && family !== 6;
  return { family, hints: either && hints === 0 ? dns.ADDRCONFIG : hints };
}

/** One family only, since an address of the other would be of no use to whoever asked. */
export function isEitherFamily(settings: LookupSettings): boolean {
  return settings.family !== 4 && settings.family !== 6;
}

/**
 * Finds the address of `host` as `custom`, or `dns.lookup`, has it. Without `custom`, `localhost` is
 * 127.0.0.1 without asking anyone, and other names are asked for IPv4 addresses as on a host that has
 * no others, unless `settings` ask for IPv6.
 */
export function resolveHost(
  host: string,
  custom: LookupFunction | null | undefined,
  settings: LookupSettings,
  found: Found,
): void {
  if (custom) {
    custom(host, settings, found);
    return;
  }
  const { family } = settings;
  if (!isLocalhost(host)) {
    dns.lookup(host, { ...settings, family: family || 4 }, found);
    return;
  }
  if (family !== undefined && family !== 0 && family !== 4 && family !== 6) {
    throw invalidArgValue('options.family', family, 'must be one of: 0, 4, 6');
  }
  if (family === 6) process.nextTick(found, notFound(host), undefined, undefined);
  else if (settings.all) process.nextTick(found, null, [LOCALHOST]);
  else process.nextTick(found, null, LOCALHOST.address, LOCALHOST.family);
}

/** The address to listen on for `host`: the first IPv4 one when it is a name. */
export function resolveListenHost(
  host: string,
  found: (error: Error | null, address: string, family: number) => void,
): void {
  if (isLocalhost(host)) {
    process.nextTick(found, null, LOCALHOST.address, LOCALHOST.family);
  } else {
    dns.lookup(host, { family: 4 }, found);
  }
}
