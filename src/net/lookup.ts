import type { LookupAddress } from 'node:dns';
import { lookup as dnsLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { ConnectArguments } from './connect-options.js';

export type LookupDone = (
  error: NodeJS.ErrnoException | null,
  address: string | undefined,
  family: number | undefined,
) => void;

/**
 * Finds the address of `host`: `localhost` is 127.0.0.1 without asking anyone; otherwise as
 * `options.lookup`, or `dns.lookup`, has it. Of several addresses the first IPv4 one is taken, since
 * the host has no IPv6. `done` is never called before this returns, unless the user's lookup does so.
 */
export function resolveHost(host: string, options: ConnectArguments, done: LookupDone): void {
  const custom = options.lookup as LookupFunction | null | undefined;
  if (!custom && host === 'localhost') {
    process.nextTick(done, null, '127.0.0.1', 4);
    return;
  }
  const family = options.family ?? 0;
  const all = family !== 4 && family !== 6;
  const settings = { family: custom ? family : family || 4, hints: options.hints ?? 0, all };
  const found = (
    error: NodeJS.ErrnoException | null,
    address: string | LookupAddress[],
    addressFamily?: number,
  ): void => {
    if (error) done(error, all ? undefined : String(address), all ? undefined : addressFamily);
    else if (Array.isArray(address)) {
      const chosen = address.find((one) => one.family === 4) ?? address[0];
      done(null, chosen?.address, chosen?.family);
    } else done(null, address, addressFamily);
  };
  if (custom) custom(host, settings, found);
  else dnsLookup(host, { ...settings, all: true }, found);
}
