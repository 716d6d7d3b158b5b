import { isIPv4 } from 'node:net';

/** How to open a TUN device, and what its host's side (the kernel's) is to be. */
export interface TunOptions {
  /** 1 to 15 bytes, no `/`, `%` or space; default: the kernel picks `tun0`, `tun1`... */
  name?: string;
  /**
   * An open descriptor of a TUN device (`IFF_TUN | IFF_NO_PI`), which the link takes over and closes.
   * Not together with {@link name}.
   */
  fd?: number;
  /**
   * One queue of a device that has several (`IFF_MULTI_QUEUE`), each with a link of its own; a device that
   * does not exist yet is made such. The kernel sends the packets of a connection to the queue on which
   * the latest packet of it was sent, or else to one by a hash of its addresses and ports. Not together
   * with {@link fd}; default false.
   */
  queue?: boolean;
  /** Super-segments and checksums left to the kernel, where it offers that; default true. */
  offload?: boolean;
  /** The kernel's own address on the device and its prefix, `10.7.0.1/24`; default: none is set. */
  hostAddress?: string;
  /** Bytes, 68 to 65535; default: as the kernel has it (1500 for a new device). */
  mtu?: number;
  /**
   * Packets that the device queues for us, 1 to 1,000,000; default 2000 (the kernel's own 500
   * overflow under load without offload).
   */
  txQueueLength?: number;
  /** Networks that the kernel reaches through the device, `10.8.0.0/16`; default none. */
  routes?: readonly string[];
  /**
   * Where requests come one at a time and soon after the answer, goes on looking for the next one that
   * long (µs, 0 to 1,000,000) before it sleeps, as Linux does with SO_BUSY_POLL: shorter round trips for
   * more CPU time. Other events of the loop get their turn meanwhile. Default 100; 0 on a single core, and
   * with {@link queue}.
   */
  busyPoll?: number;
  /** Brings the device up; default true. */
  up?: boolean;
}

export interface Cidr {
  readonly address: string;
  readonly prefix: number;
}

const NAME = /^[^\s/%:]{1,15}$/;

/** @throws TypeError or RangeError with `code`, naming the field */
export function checkTunOptions(options: TunOptions): void {
  if (typeof options !== 'object' || options === null)
    throw wrongType('options', 'object', options);
  const { name, fd, hostAddress, mtu, txQueueLength, routes } = options;
  if (name !== undefined) {
    if (typeof name !== 'string') throw wrongType('options.name', 'string', name);
    if (!NAME.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 15) {
      throw wrongValue(
        'options.name',
        'must be 1 to 15 bytes without space, "/", ":" or "%"',
        name,
      );
    }
  }
  if (fd !== undefined) {
    integer('options.fd', fd, 0, 0x7fffffff);
    if (name !== undefined) throw wrongValue('options.fd', 'cannot be combined with a name', fd);
    if (options.queue) throw wrongValue('options.queue', 'cannot be combined with an fd', true);
  }
  if (mtu !== undefined) integer('options.mtu', mtu, 68, 65535);
  if (txQueueLength !== undefined) integer('options.txQueueLength', txQueueLength, 1, 1_000_000);
  if (options.busyPoll !== undefined) integer('options.busyPoll', options.busyPoll, 0, 1_000_000);
  for (const key of ['queue', 'offload', 'up'] as const) {
    const value = options[key];
    if (value !== undefined && typeof value !== 'boolean') {
      throw wrongType(`options.${key}`, 'boolean', value);
    }
  }
  if (hostAddress !== undefined) parseCidr('options.hostAddress', hostAddress);
  if (routes !== undefined) {
    if (!Array.isArray(routes)) throw wrongType('options.routes', 'Array', routes);
    for (const [i, route] of routes.entries()) parseNetwork(`options.routes[${i}]`, route);
  }
}

/** `a.b.c.d/n` */
export function parseCidr(field: string, text: unknown): Cidr {
  if (typeof text !== 'string') throw wrongType(field, 'string', text);
  const [address = '', prefix = '', more] = text.split('/');
  if (!isIPv4(address) || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32 || more !== undefined) {
    throw wrongValue(field, 'must be an IPv4 address and a prefix length, as 10.7.0.1/24', text);
  }
  return { address, prefix: Number(prefix) };
}

/** `a.b.c.d/n` whose bits beyond the prefix are zero */
export function parseNetwork(field: string, text: unknown): Cidr {
  const network = parseCidr(field, text);
  const bits = network.address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  if (bits % 2 ** (32 - network.prefix) !== 0) {
    throw wrongValue(field, `has bits set beyond its prefix of ${network.prefix}`, text);
  }
  return network;
}

function integer(field: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw wrongType(field, 'number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw Object.assign(
      new RangeError(
        `The value of "${field}" is out of range. It must be an integer >= ${min} && <= ${max}. ` +
          `Received ${value}`,
      ),
      { code: 'ERR_OUT_OF_RANGE' },
    );
  }
}

function wrongType(field: string, expected: string, value: unknown): TypeError {
  const received = value === null ? 'null' : typeof value;
  return Object.assign(
    new TypeError(`The "${field}" property must be of type ${expected}. Received ${received}`),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
}

export function wrongValue(field: string, reason: string, value: unknown): TypeError {
  return Object.assign(
    new TypeError(`The property '${field}' ${reason}. Received ${JSON.stringify(value)}`),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}
