import { isIPv6 } from 'node:net';

/** RFC 4291 §2.5.5.2, with the IPv4 address dotted or as two groups. */
const MAPPED =
  /^(?:(?:0{1,4}:){5}|(?:0{1,4}:){0,4}::?)ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/i;

/**
 * The address of an IPv4-only host's that `address` stands for: itself, or the one inside an IPv6
 * address such as `::ffff:10.7.0.1`; null for an IPv6 address that stands for none.
 */
export function ipv4Of(address: string): string | null {
  if (!isIPv6(address)) return address;
  const mapped = MAPPED.exec(address);
  if (mapped === null) return null;
  if (mapped[1] !== undefined) return mapped[1];
  const [high, low] = [mapped[2]!, mapped[3]!].map((group) => Number.parseInt(group, 16));
  return [high! >> 8, high! & 0xff, low! >> 8, low! & 0xff].join('.');
}

/** `fe80::1` and its like, which need a scope. */
function isLinkLocal(address: string): boolean {
  return isIPv6(address) && /^fe[89ab]/i.test(address);
}

/** What Linux says to an IPv6 address when it has IPv6 turned off. */
export function ipv6Error(address: string): 'EADDRNOTAVAIL' | 'EINVAL' {
  return isLinkLocal(address) ? 'EINVAL' : 'EADDRNOTAVAIL';
}
