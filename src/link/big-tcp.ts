/** Whether a Linux of this release takes IPv4 packets of more than 65,535 bytes ("BIG TCP"): 6.3 does. */
export function takesBigTcp(release: string): boolean {
  const [major = 0, minor = 0] = release.split('.', 2).map((part) => Number.parseInt(part, 10));
  return major > 6 || (major === 6 && minor >= 3);
}
