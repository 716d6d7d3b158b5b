import { availableParallelism, constants, release } from 'node:os';
import { RX_CHECKSUM_VOUCHED, RxBatch, type TxBatch } from '../base/batch.js';
import { IPV4_MAX_BYTES } from '../wire/ipv4.js';
import { VIRTIO_HEADER_BYTES, virtioSegmentSize, virtioVouched } from '../wire/virtio.js';
import { takesBigTcp } from './big-tcp.js';
import { described, deviceError, EBADFD } from './device-error.js';
import { HostSide } from './host-side.js';
import type { Link, LinkReceiver } from './link.js';
import { addon, type NativeDevice, Queues } from './native.js';
import { PacketQueue } from './packet-queue.js';
import { steadyHeap } from './steady-heap.js';
import { checkTunOptions, type TunOptions, wrongValue } from './tun-options.js';

export { setLoopbackUp } from './host-side.js';
export type { TunOptions } from './tun-options.js';

const ARENA_BYTES = 1024 * 1024;
/** The largest packet that the kernel is given: as many bytes as it has room for in pages of 8 KiB. */
const GSO_MAX_SIZE = 128 * 1024;
/** As much as V8 lets pile up in arenas before it collects them. */
const KEPT_BYTES = 32 * 1024 * 1024;
/**
 * Most packets of a batch with offload. The connections of more would have left the caches when the host
 * comes back to them, at the end of the batch; without offload, more of them are merged into one.
 */
const LARGE_PACKETS = 64;
/** Arenas after which a transfer is a large one. */
const BULK_ARENAS = 64;
/** With less than this left behind pinned bytes, a wake-up would read too little: a new arena. */
const ARENA_REST_BYTES = 384 * 1024;
const NEW_DEVICE_MTU = 1500;
/** µs. What a client on another core takes to see an answer and to send the next request, or to open another connection. */
const BUSY_POLL = 100;
/** Pause in ms after the kernel had no memory for a packet. */
const NO_BUFFERS_DELAY = 2;

const { EAGAIN, EINVAL, EIO, EFAULT, ENOBUFS, ENOMEM, ENODEV, ENXIO, EBADF } = constants.errno;

/** What happened to packets of a {@link TunLink}, each since it was opened. */
export interface TunCounters {
  packetsIn: number;
  /** Wake-ups that brought packets. */
  batchesIn: number;
  packetsOut: number;
  /** Packets that had to wait in the link because the device took no more. */
  queued: number;
  /** Lost: the queue of waiting packets was full, or there was no memory for it. */
  queueFull: number;
  /** Lost: the kernel refused the packet (EINVAL). */
  refused: number;
  /** Lost: the device was down (EIO). */
  down: number;
  /** Lost: a buffer of the packet was detached or too short (EFAULT). */
  badBuffer: number;
  /** Lost: another error on this packet. */
  failed: number;
  /** Lost: sent after the link was closed. */
  closed: number;
}

/**
 * Opens a TUN device and sets up the kernel's side of it; {@link TunLink.close} undoes both.
 *
 * A device taken over by `fd` that lives in another network namespace is used as it is; `mtu` then
 * says what its MTU is (default 1500).
 *
 * @throws TypeError or RangeError for wrong options, naming the field
 * @throws Error with `code`, `errno`, `syscall` and what to do: EPERM, EACCES, ENOENT, EBUSY...
 */
export function openTun(options: TunOptions = {}): TunLink {
  checkTunOptions(options);
  const device = openDevice(options, options.queue ? Queues.SHARE : Queues.ONE);
  try {
    const mayLook = !options.queue && availableParallelism() > 1;
    device.setBusyPoll(options.busyPoll ?? (mayLook ? BUSY_POLL : 0));
    if (device.foreign) return foreignLink(device, options);
    const { mtu, side } = configure(device, options);
    return new TunLink(device, mtu, side);
  } catch (error) {
    device.close();
    throw error;
  }
}

/** A TUN device with several queues, none of which is this object's. */
export interface TunDevice {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  readonly offload: boolean;
  /** Lets go of the device, and undoes what was set up with it; it ends with the last queue. Idempotent. */
  close(): void;
}

/**
 * Opens a TUN device for several queues, and sets up the kernel's side of it. Packets come by links that
 * are opened with its name and `queue: true`; without one, they are lost.
 *
 * @throws as {@link openTun}
 */
export function openTunDevice(options: Omit<TunOptions, 'fd' | 'queue'> = {}): TunDevice {
  checkTunOptions(options);
  const device = openDevice(options, Queues.NONE);
  try {
    const { mtu, side } = configure(device, options);
    const close = (): void => {
      side?.restore();
      device.close();
    };
    return { name: device.name, mtu, offload: device.offload, close };
  } catch (error) {
    device.close();
    throw error;
  }
}

function openDevice(options: TunOptions, queues: Queues): NativeDevice {
  const native = addon();
  const { name = '', fd = -1, offload = true } = options;
  return described(name || 'a new device', () => new native.Device(name, fd, offload, queues));
}

/** The kernel's side of a device, as it is asked for; `side` restores what others will find again. */
function configure(device: NativeDevice, options: TunOptions): { mtu: number; side?: HostSide } {
  const side = new HostSide(device.name);
  // A device of our own goes away with its descriptor, and all that was set up with it.
  const fresh = options.fd === undefined && !device.persistent;
  try {
    side.configure(options, fresh);
    const { mtu } = described(device.name, () => addon().interfaceInfo(device.name));
    return fresh ? { mtu } : { mtu, side };
  } catch (error) {
    if (!fresh) side.restore();
    throw error;
  }
}

/** A device in another network namespace cannot be set up from here, nor its MTU be seen. */
function foreignLink(device: NativeDevice, options: TunOptions): TunLink {
  for (const key of ['hostAddress', 'routes', 'txQueueLength'] as const) {
    if (options[key] === undefined) continue;
    throw wrongValue(
      `options.${key}`,
      'cannot be set from here: the device is in another network namespace',
      options[key],
    );
  }
  return new TunLink(device, options.mtu ?? NEW_DEVICE_MTU);
}

/**
 * A TUN device as a link. Reads what has arrived once per wake-up of the event loop and writes a
 * batch in one call. Alone it does not keep the process running; see {@link ref}.
 */
export class TunLink implements Link {
  readonly name: string;
  readonly mtu: number;
  readonly offload: boolean;
  readonly gsoMaxSize: number;
  readonly softwareOffload: boolean;
  readonly headroom: number;
  readonly counters: TunCounters = {
    packetsIn: 0,
    batchesIn: 0,
    packetsOut: 0,
    queued: 0,
    queueFull: 0,
    refused: 0,
    down: 0,
    badBuffer: 0,
    failed: 0,
    closed: 0,
  };
  readonly #device: NativeDevice;
  readonly #side: HostSide | undefined;
  readonly #batch = new RxBatch(Buffer.allocUnsafeSlow(ARENA_BYTES));
  readonly #queue = new PacketQueue();
  #receiver: LinkReceiver | undefined;
  #closed = false;
  /** Arenas since the first. */
  #arenas = 0;

  /** For {@link openTun}, and for tests with a device of their own. */
  constructor(device: NativeDevice, mtu: number, side?: HostSide) {
    this.name = device.name;
    this.mtu = mtu;
    this.offload = device.offload;
    this.gsoMaxSize = device.offload && takesBigTcp(release()) ? GSO_MAX_SIZE : IPV4_MAX_BYTES;
    this.softwareOffload = !device.offload;
    this.headroom = device.offload ? VIRTIO_HEADER_BYTES : 0;
    this.#device = device;
    this.#side = side;
  }

  get blocked(): boolean {
    return this.#queue.count > 0;
  }

  get discarded(): number {
    const { queueFull, refused, down, badBuffer, failed, closed } = this.counters;
    return queueFull + refused + down + badBuffer + failed + closed;
  }

  open(receiver: LinkReceiver): void {
    if (this.#receiver !== undefined) throw new Error(`${this.name} is open already`);
    if (this.#closed) throw new Error(`${this.name} is closed`);
    this.#receiver = receiver;
    const batch = this.#batch;
    this.#device.start(
      batch.bytes,
      0,
      this.offload ? batch.offset.subarray(0, LARGE_PACKETS) : batch.offset,
      batch.length,
      batch.flags,
      (count, error) => this.#receive(count, error),
      () => this.#drain(),
    );
  }

  send(batch: TxBatch): void {
    const count = batch.count;
    let next = 0;
    while (next < count) {
      if (this.#closed) {
        this.counters.closed += count - next;
        return;
      }
      if (this.#queue.count > 0) {
        this.#keep(batch, next);
        return;
      }
      const n = this.#device.write(batch.buffers, batch.pieces, batch.pieceEnd, next, count - next);
      if (n > 0) {
        this.counters.packetsOut += n;
        next += n;
      } else if (mayPass(n)) {
        this.#keep(batch, next);
        this.#device.pollWritable(n === -EAGAIN ? 0 : NO_BUFFERS_DELAY);
        return;
      } else {
        this.#lose(n);
        next++;
      }
    }
  }

  /** The device keeps the process running from now on. */
  ref(): this {
    this.#device.ref();
    return this;
  }

  /** The device does not keep the process running, as at first. */
  unref(): this {
    this.#device.unref();
    return this;
  }

  close(): void {
    this.#close();
  }

  #close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.counters.closed += this.#queue.count;
    this.#queue.clear();
    this.#side?.restore();
    this.#device.close();
    this.#receiver?.closed(error);
  }

  #receive(count: number, error: number): void {
    const batch = this.#batch;
    if (count > 0) {
      this.#describe(count);
      try {
        this.#receiver!.receive(batch);
      } finally {
        if (!this.#closed) this.#nextArena();
      }
    }
    if (error !== 0 && !this.#closed) this.#close(deviceError(error, 'read', this.name));
  }

  /** Fills in what the virtio headers say about the packets just read. */
  #describe(count: number): void {
    const batch = this.#batch;
    batch.count = count;
    this.counters.packetsIn += count;
    this.counters.batchesIn++;
    if (!this.offload) return;
    const view = batch.view;
    for (let i = 0; i < count; i++) {
      const header = batch.offset[i]! - VIRTIO_HEADER_BYTES;
      batch.flags[i] = virtioVouched(view, header) ? RX_CHECKSUM_VOUCHED : 0;
      batch.segmentSize[i] = virtioSegmentSize(view, header);
    }
  }

  /** Leaves pinned bytes alone: goes on behind them, or in a new arena when little is left. */
  #nextArena(): void {
    const batch = this.#batch;
    const last = batch.count - 1;
    batch.count = 0;
    if (!batch.pinned) return;
    const end = batch.offset[last]! + batch.length[last]!;
    if (batch.bytes.length - end >= ARENA_REST_BYTES) {
      batch.pinned = false;
      this.#device.setArena(batch.bytes, end);
    } else {
      const arena = newArena();
      // Without one, reading on would overwrite what others keep.
      if (arena === null) {
        this.#close(deviceError(-ENOMEM, 'read', this.name));
        return;
      }
      batch.replaceArena(arena);
      if (++this.#arenas === BULK_ARENAS) receiveInBulk();
      this.#device.setArena(batch.bytes, 0);
    }
  }

  /** Copies the rest of the batch into the queue, as far as that takes it. */
  #keep(batch: TxBatch, first: number): void {
    for (let i = first; i < batch.count; i++) {
      if (this.#queue.push(batch, i)) this.counters.queued++;
      else this.counters.queueFull++;
    }
  }

  #drain(): void {
    const queue = this.#queue;
    while (queue.count > 0 && !this.#closed) {
      const ready = queue.front();
      const n = this.#device.write(queue.packets, queue.pieces, queue.pieceEnd, 0, ready);
      if (n > 0) {
        this.counters.packetsOut += n;
        queue.shift(n);
      } else if (mayPass(n)) {
        this.#device.pollWritable(n === -EAGAIN ? 0 : NO_BUFFERS_DELAY);
        return;
      } else {
        queue.shift(1);
        this.#lose(n);
      }
    }
    if (!this.#closed) this.#receiver?.writable();
  }

  /** Counts a packet that could not be written, and closes when the device is gone. */
  #lose(error: number): void {
    switch (-error) {
      case EINVAL:
        this.counters.refused++;
        return;
      case EIO:
        this.counters.down++;
        return;
      case EFAULT:
        this.counters.badBuffer++;
        return;
    }
    this.counters.failed++;
    if (isGone(error)) this.#close(deviceError(error, 'write', this.name));
  }
}

/** Prepares this process for arenas that come and go by the hundred. */
function receiveInBulk(): void {
  steadyHeap();
  // Given back to the kernel after each collection, all their pages would have to be cleared again.
  addon().keepFreed(4 * ARENA_BYTES, KEPT_BYTES);
}

/** A smaller one when memory is short; null when there is none at all. */
function newArena(): Uint8Array | null {
  for (const bytes of [ARENA_BYTES, ARENA_REST_BYTES]) {
    try {
      return Buffer.allocUnsafeSlow(bytes);
    } catch {
      // What was allocated last may be given back soon.
    }
  }
  return null;
}

/** The device is full or the kernel out of memory: the packet can be written later. */
function mayPass(error: number): boolean {
  return error === -EAGAIN || error === -ENOBUFS || error === -ENOMEM;
}

function isGone(error: number): boolean {
  return error === -EBADFD || error === -EBADF || error === -ENODEV || error === -ENXIO;
}

/** What `tuntcp doctor` tells about TUN devices. */
export interface TunProbe {
  /** `/dev/net/tun` can be opened. */
  device: true | Error;
  /** A device can be made in this network namespace; undefined: not reached. */
  create: true | Error | undefined;
  /** The kernel has virtio headers and takes over checksums and segmentation. */
  offload: true | Error | undefined;
}

/** Tries what a device needs; leaves none behind. Never throws for a lack of permission. */
export function probeTun(): TunProbe {
  let found: ReturnType<ReturnType<typeof addon>['probe']>;
  try {
    found = addon().probe();
  } catch (error) {
    return { device: error as Error, create: undefined, offload: undefined };
  }
  const told = (errno: number | undefined, syscall: string) =>
    errno === undefined || errno === 0
      ? errno === 0 || undefined
      : deviceError(errno, syscall, 'a new device');
  const device = told(found.open, 'open') ?? true;
  const create = told(found.create, 'TUNSETIFF');
  const header = told(found.vnetHeader, 'TUNGETFEATURES');
  const offload = header instanceof Error ? header : told(found.offload, 'TUNSETOFFLOAD');
  return { device, create, offload };
}
