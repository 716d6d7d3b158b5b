import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';

/** What the machine has; each is a plain fact, which the doctor judges. */
export interface Facts {
  platform: NodeJS.Platform;
  nodeVersion: string;
  /** Why the addon does not load; null when it does. */
  addon: string | null;
  /** The error code for /dev/net/tun; null when it can be opened for reading and writing. */
  tun: string | null;
  /** CAP_NET_ADMIN is among the effective capabilities. */
  netAdmin: boolean;
  userNamespaces: UserNamespaces;
  /** The kernel takes packets with segmentation and checksums left to do; null when unknown. */
  offload: boolean | null;
}

/** `yes`, or which switch is off; `refused` for another reason (a container's seccomp profile). */
export type UserNamespaces =
  | 'yes'
  | 'clone-switch'
  | 'apparmor'
  | 'limit'
  | 'no-unshare'
  | 'refused';

const CAP_NET_ADMIN = 12n;

export async function readFacts(): Promise<Facts> {
  return {
    platform: process.platform,
    nodeVersion: process.versions.node,
    ...(await probe()),
    tun: deviceFile(),
    netAdmin: hasNetAdmin(),
    userNamespaces: userNamespaces(),
  };
}

async function probe(): Promise<Pick<Facts, 'addon' | 'offload'>> {
  try {
    const { probeTun } = await import('../link/tun.js');
    return { addon: null, offload: probeTun().offload };
  } catch (error) {
    return { addon: (error as Error).message, offload: null };
  }
}

function deviceFile(): string | null {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'ENOENT';
  }
}

function hasNetAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status'))?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

function userNamespaces(): UserNamespaces {
  const attempt = spawnSync('unshare', ['-Urn', 'true'], { stdio: 'ignore', timeout: 5000 });
  if (attempt.status === 0) return 'yes';
  if (read('/proc/sys/kernel/unprivileged_userns_clone') === '0') return 'clone-switch';
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') return 'apparmor';
  if (read('/proc/sys/user/max_user_namespaces') === '0') return 'limit';
  return (attempt.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
    ? 'no-unshare'
    : 'refused';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
