import { accessSync, constants, readFileSync } from 'node:fs';

/** What the machine has; each is a plain fact, which the doctor judges. */
export interface Facts {
  platform: NodeJS.Platform;
  nodeVersion: string;
  /** Why the addon does not load; null when it does. */
  addon: string | null;
  /** The error code for /dev/net/tun; null when it can be opened for reading and writing. */
  tun: string | null;
  /** This process may make devices: CAP_NET_ADMIN. */
  netAdmin: boolean;
  /** A namespace can be made for `tuntcp run`; root needs no user namespace for that. */
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
  const probed = await probe();
  return {
    platform: process.platform,
    nodeVersion: process.versions.node,
    addon: probed.addon,
    tun: probed.device === undefined ? deviceFile() : probed.device,
    netAdmin: probed.create ?? hasNetAdmin(),
    userNamespaces: await userNamespaces(),
    offload: probed.offload ?? null,
  };
}

interface Probed {
  addon: string | null;
  /** As {@link Facts.tun}. */
  device?: string | null;
  create?: boolean;
  offload?: boolean;
}

/** What the kernel says when it is asked for a device; undefined: it could not be asked. */
async function probe(): Promise<Probed> {
  try {
    (await import('../link/native.js')).addon();
  } catch (error) {
    return { addon: (error as Error).message };
  }
  const { probeTun } = await import('../link/tun.js');
  const { device, create, offload } = probeTun();
  return {
    addon: null,
    device: device === true ? null : ((device as NodeJS.ErrnoException).code ?? device.message),
    create: create === undefined ? undefined : create === true,
    offload: offload === undefined ? undefined : offload === true,
  };
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

async function userNamespaces(): Promise<UserNamespaces> {
  const { probeNamespace } = await import('../link/namespace.js');
  const probed = probeNamespace();
  if (probed === true) return 'yes';
  if ((probed as NodeJS.ErrnoException).code === 'ENOENT') return 'no-unshare';
  if (read('/proc/sys/kernel/unprivileged_userns_clone') === '0') return 'clone-switch';
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') return 'apparmor';
  return read('/proc/sys/user/max_user_namespaces') === '0' ? 'limit' : 'refused';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
