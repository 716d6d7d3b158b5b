import type { SocketConstructorOpts } from 'node:net';
import { BlockList } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { coded, invalidArgType, invalidArgValue, invalidHandleType } from './errors.js';
import type { Handle } from './handle.js';
import type { OnRead } from './read-sink.js';
import { validateInt32, validateNumber } from './validate.js';

/** What `Duplex` looks at. */
type StreamOptions = DuplexOptions &
  Pick<SocketConstructorOpts, 'readable' | 'writable'> & { captureRejections?: boolean };

/** Every property of `Options`, and none left out. */
type Complete<Options> = { [Name in keyof Required<Options>]: Options[Name] };

/** Options of `new Socket()`; `fd` is refused, since no kernel has our sockets. */
export interface SocketOptions extends SocketConstructorOpts, Pick<DuplexOptions, 'highWaterMark'> {
  noDelay?: boolean;
  /** Name of a congestion control other than the host's. */
  congestionControl?: string;
  keepAlive?: boolean;
  /** ms before the first keep-alive probe; 0 keeps the host's configuration. */
  keepAliveInitialDelay?: number;
  /** Received bytes are copied into `buffer` and told to `callback`; there is no 'data' then. */
  onread?: OnRead;
  /** The handle of another socket of ours, to take over. */
  handle?: Handle;
  /** With {@link handle}: do not read yet. */
  pauseOnCreate?: boolean;
  manualStart?: boolean;
  /** Remote addresses that are not connected to. */
  blockList?: BlockList;
  /** The eight bits of IPv4's type of service, for {@link Socket.getTypeOfService}. */
  typeOfService?: number;
}

/**
 * What `Duplex` is told. Of one shape for all sockets: what is spread has another for each, and V8 then
 * looks up every option anew.
 */
export function streamOptions(given: SocketOptions & StreamOptions): DuplexOptions {
  return {
    allowHalfOpen: Boolean(given.allowHalfOpen),
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
    // The constructor sees to it, once there is a socket that can be destroyed.
    signal: undefined,
    readable: given.readable,
    writable: given.writable,
    objectMode: given.objectMode,
    readableObjectMode: given.readableObjectMode,
    writableObjectMode: given.writableObjectMode,
    highWaterMark: given.highWaterMark,
    readableHighWaterMark: given.readableHighWaterMark,
    writableHighWaterMark: given.writableHighWaterMark,
    writableCorked: given.writableCorked,
    encoding: given.encoding,
    defaultEncoding: given.defaultEncoding,
    construct: given.construct,
    read: given.read,
    write: given.write,
    writev: given.writev,
    final: given.final,
    destroy: given.destroy,
    captureRejections: given.captureRejections,
  } satisfies Complete<StreamOptions> as StreamOptions;
}

/** Throws for options that a socket cannot have, before it is made. */
export function refuseUnsupported(options: SocketOptions & DuplexOptions): void {
  for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode'] as const) {
    if (options[name]) throw invalidArgValue(`options.${name}`, options[name], 'is not supported');
  }
  if (options.keepAliveInitialDelay !== undefined) {
    validateNumber(options.keepAliveInitialDelay, 'options.keepAliveInitialDelay');
  }
}

/** Throws for a descriptor or a handle that is not ours: no kernel has our sockets. */
export function refuseForeign(options: SocketOptions, isOurs: (handle: unknown) => boolean): void {
  const { fd, handle } = options;
  if (handle) {
    if (!isOurs(handle)) throw invalidHandleType();
  } else if (fd !== undefined) {
    validateInt32(fd, 'fd', 0);
    throw coded(TypeError, 'ERR_INVALID_FD_TYPE', 'Unsupported fd type: TCP');
  }
}

export function checkBlockList(blockList: unknown): BlockList | undefined {
  if (!blockList) return undefined;
  if (blockList instanceof BlockList) return blockList;
  throw invalidArgType('options.blockList', 'an net.BlockList', blockList);
}
