import { getSystemErrorName } from 'node:util';

/** Of Linux, unknown to libuv: the device of a descriptor was deleted. */
export const EBADFD = 77;

/** What every failure of a device is: an `Error` as Node makes it, with a next step in its message. */
export interface DeviceError extends Error {
  /** `EPERM` */
  code: string;
  /** Negative, as Node has it. */
  errno: number;
  /** The system call, ioctl or netlink request that failed: `TUNSETIFF`. */
  syscall: string;
}

const CAPABILITY =
  'this needs CAP_NET_ADMIN. Run as root, or once ' +
  '`sudo setcap cap_net_admin+ep $(readlink -f $(command -v node))`, or let root make a device for ' +
  'you with `sudo ip tuntap add dev tun0 mode tun user $USER` and open it by its name; without any ' +
  'of these, run inside `unshare -Urn` or use `tuntcp run -- COMMAND`';

const WITHOUT_TUN =
  'load the driver with `sudo modprobe tun`; in a container start it with ' +
  '`--device /dev/net/tun --cap-add NET_ADMIN`';

const WRONG_DESCRIPTOR =
  '`fd` has to be an open descriptor of a TUN device with IFF_TUN | IFF_NO_PI';

/** The sentence for an error number, by the system call that gave it. */
function advice(code: string, syscall: string, device: string): string {
  switch (code) {
    case 'EPERM':
      return syscall === 'unshare'
        ? 'user namespaces are switched off here. Run as root, or ' +
            '`sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000` and, ' +
            'on Ubuntu, `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`'
        : CAPABILITY;
    case 'EACCES':
      if (syscall === 'execvp') return `the command ${device} may not be executed`;
      return syscall === 'open'
        ? 'this user may not open /dev/net/tun: `sudo chmod 0666 /dev/net/tun` (it is safe: making ' +
            'a device still needs CAP_NET_ADMIN)'
        : CAPABILITY;
    case 'ENOENT':
      if (syscall === 'open') return `there is no /dev/net/tun: ${WITHOUT_TUN}`;
      if (syscall === 'unshare') return 'install util-linux: `apt-get install util-linux`';
      return `there is no command ${device}`;
    case 'ENXIO':
    case 'ENODEV':
      return syscall === 'open'
        ? `the tun driver is missing: ${WITHOUT_TUN}`
        : `the device ${device} is gone, or is in another network namespace: open it again`;
    case 'EBADFD':
      return syscall === 'TUNGETIFF' ? WRONG_DESCRIPTOR : `${device} was deleted: open it again`;
    case 'EBUSY':
      return `another process has ${device} open: stop it, or choose another name`;
    case 'EINVAL':
      return syscall === 'TUNSETIFF'
        ? `${device} exists and is not such a TUN device: choose another name (one with several queues ` +
            'is made by `ip tuntap add ... multi_queue`, one without that word has one)'
        : `the kernel refuses this for ${device}`;
    case 'E2BIG':
      return `${device} has as many queues as a TUN device can have: use fewer workers`;
    case 'EEXIST':
      return 'another device has it already: choose another address or route, or remove that one';
    case 'ENETDOWN':
      return `bring it up with \`sudo ip link set ${device} up\``;
    case 'ENOTTY':
    case 'EBADF':
    case 'EPROTOTYPE':
      return WRONG_DESCRIPTOR;
    case 'ENOMEM':
      return 'this process has no memory left: give it more, or let it keep fewer connections and bytes';
    case 'ENFILE':
    case 'EMFILE':
      return 'raise the limit with `ulimit -n`';
    default:
      return `the system call failed for ${device}`;
  }
}

/**
 * @param errno negative
 * @param device the name of the device, or what was asked for
 */
export function deviceError(errno: number, syscall: string, device: string): DeviceError {
  const code = errno === -EBADFD ? 'EBADFD' : getSystemErrorName(errno);
  const error = new Error(`${syscall} ${code}: ${advice(code, syscall, device)}`);
  return Object.assign(error, { code, errno, syscall });
}

/** Runs native code; an error of the system that it throws is thrown again as {@link deviceError}. */
export function described<T>(device: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const { errno, syscall } = error as Partial<DeviceError>;
    if (typeof errno !== 'number' || typeof syscall !== 'string') throw error;
    throw deviceError(errno, syscall, device);
  }
}
