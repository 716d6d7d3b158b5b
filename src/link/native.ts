import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sumLongRangesWith } from '../wire/checksum.js';

/**
 * The compiled addon, as TypeScript sees it. Functions throw an `Error` with `errno` (negative) and
 * `syscall`, which `describeError` turns into one that says what to do.
 */
export interface Addon {
  /**
   * Opens a TUN device: `name` '' lets the kernel pick one; `fd` is -1, or an open TUN descriptor
   * that the device takes over. `queues`: default {@link Queues.ONE}.
   */
  readonly Device: new (
    name: string,
    fd: number,
    offload: boolean,
    queues?: Queues,
  ) => NativeDevice;

  interfaceInfo(name: string): InterfaceInfo;
  setMtu(name: string, bytes: number): void;
  setTxQueueLength(name: string, packets: number): void;
  setUp(name: string, up: boolean): void;
  hasAddress(name: string, address: string, prefix: number): boolean;
  changeAddress(name: string, add: boolean, address: string, prefix: number): void;
  changeRoute(name: string, add: boolean, destination: string, prefix: number): void;
  /** No link-local IPv6 address, so no IPv6 packets that the kernel sends by itself; 0 or -errno. */
  quietIpv6(name: string): number;

  probe(): NativeProbe;

  /** Zeros that begin at a page of memory, as `O_DIRECT` wants them; up to 1 GiB. */
  pageAligned(length: number): Uint8Array;
  /**
   * Has the C library keep up to `bytes` (1 to 1 GiB) of what this process frees, and take `pieces` of up to
   * so many bytes (1 to 16 MiB) from that. Nothing where it is not glibc.
   */
  keepFreed(pieces: number, bytes: number): void;
  /** See {@link LongSum}. */
  sum(bytes: Uint8Array, offset: number, length: number): number;

  /** Connected UNIX sockets, close-on-exec. */
  socketPair(): [number, number];
  sendFd(socket: number, fd: number): void;
  /** Does not wait: throws EAGAIN when nothing was sent yet. */
  recvFd(socket: number): number;
  /** SIGTERM for this process when the one with pid `parent` ends. */
  dieWithParent(parent: number): void;
  /**
   * Replaces this process by a command found in PATH, which gets descriptors 0 to 2 (Node marks all
   * others close-on-exec) and default signal handling; returns only by throwing.
   */
  exec(argv: readonly string[]): never;
}

/**
 * How an opened device has its packets: all of them; a share, with other descriptors that are queues of
 * it too (`IFF_MULTI_QUEUE`); or none, which keeps such a device alive.
 */
export const enum Queues {
  ONE = 0,
  SHARE = 1,
  NONE = 2,
}

/** An open TUN descriptor on the event loop of this thread. */
export interface NativeDevice {
  readonly name: string;
  readonly fd: number;
  /** Packets carry a virtio header. */
  readonly vnet: boolean;
  /** The kernel takes and gives super-segments and unfinished checksums. */
  readonly offload: boolean;
  /** The device outlives the descriptor. */
  readonly persistent: boolean;
  /** The device lives in another network namespace than this process. */
  readonly foreign: boolean;
  /**
   * Starts to read into `bytes` from byte `from` on. `onPackets` is called once per wake-up with the
   * number of packets whose IPv4 header's place and whose length are in `offset` and `length`, and
   * with 0 or the -errno that ended reading. Without offload, `flags` has `RX_CHECKSUM_VOUCHED` or 0
   * for each: whether it is TCP with a checksum that is right.
   */
  start(
    bytes: Uint8Array,
    from: number,
    offset: Int32Array,
    length: Int32Array,
    flags: Uint8Array,
    onPackets: (count: number, error: number) => void,
    onWritable: () => void,
  ): void;
  /** Reads into `bytes` from `from` on, from the next wake-up. */
  setArena(bytes: Uint8Array, from: number): void;
  /** Where packets come one by one, goes on looking for the next that long before it sleeps; 0: never. */
  setBusyPoll(microseconds: number): void;
  /**
   * Writes packets of a `TxBatch`; returns how many, or the -errno of the first. Without offload, a
   * TCP checksum that is the sum of the pseudo-header is completed, in the batch's own bytes.
   */
  write(
    buffers: readonly Uint8Array[],
    pieces: Int32Array,
    pieceEnd: Int32Array,
    first: number,
    count: number,
  ): number;
  /** Calls `onWritable` once when the device takes packets, `delay` ms from now at the earliest. */
  pollWritable(delay: number): void;
  ref(): void;
  unref(): void;
  close(): void;
}

export interface InterfaceInfo {
  readonly index: number;
  readonly mtu: number;
  readonly txQueueLength: number;
  readonly up: boolean;
}

/** 0 or -errno of each step that was reached. */
export interface NativeProbe {
  readonly open: number;
  readonly vnetHeader?: number;
  readonly create?: number;
  readonly offload?: number;
}

let loaded: Addon | undefined;

/**
 * The addon, loaded when it is first needed, so that the package can be imported where there is none.
 *
 * @throws Error `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` when this is not Linux, or
 *   `ERR_DLOPEN_FAILED` when the addon is not compiled
 */
export function addon(): Addon {
  if (loaded !== undefined) return loaded;
  if (process.platform !== 'linux') {
    throw failure(
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      `TUN devices are a thing of Linux, and this is ${process.platform}: ` +
        "use the in-memory link, `import net from 'tuntcp/net'`, or a Linux container or VM",
    );
  }
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const require = createRequire(import.meta.url);
  try {
    loaded = require('node-gyp-build')(root) as Addon;
    sumLongRangesWith(loaded.sum);
  } catch (cause) {
    throw failure(
      'ERR_DLOPEN_FAILED',
      `the native addon cannot be loaded: run \`npm rebuild\` in ${root} ` +
        '(it needs make, g++ and python3: `apt-get install build-essential python3`)',
      cause,
    );
  }
  return loaded;
}

function failure(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}
