import { isIPv6 } from 'node:net';

/**
 * The address of an IPv4-only host's that `address` stands for: itself, or the one inside an IPv6
 * address such as `::ffff:10.7.0.1`; null for an IPv6 address that stands for none.
 */
export function ipv4Of(address: string): string | null {
  if (!isIPv6(address)) return address;
  const mapped = /^(?:0{0,4}:){1,5}:?ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped === null ? null : mapped[1]!;
}

/** `fe80::1` and its like, which need a scope. */
export function isLinkLocal(address: string): boolean {
  return isIPv6(address) && /^fe[89ab]/i.test(address);
}

/** What Linux says to an IPv6 address when it has IPv6 turned off. */
export function ipv6Error(address: string): 'EADDRNOTAVAIL' | 'EINVAL' {
  return isLinkLocal(address) ? 'EINVAL' : 'EADDRNOTAVAIL';
}
