import { AsyncResource } from 'node:async_hooks';
import type { LookupAddress } from 'node:dns';
import type { BlockList, LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { Alarm } from '../runtime/runtime.js';
import type { ConnectionErrorCode, Transport } from '../stack/connection.js';
import type { AutoSelectFamily, CheckedOptions, ConnectArguments } from './connect-options.js';
import { checkConnectOptions } from './connect-options.js';
import {
  allFailed,
  hostPortException,
  invalidAddress,
  invalidAddressFamily,
  ipBlocked,
} from './errors.js';
import type { Handle, SocketName } from './handle.js';
import { isEitherFamily, lookupSettings, resolveHost } from './lookup.js';
import { validateString } from './validate.js';

/** The socket that is to be connected. */
export interface Connector {
  readonly connecting: boolean;
  readonly _transport: Transport;
  _handle: Handle | null;
  _host: string | null;
  _aborted?: boolean;
  blockList?: BlockList;
  autoSelectFamilyAttemptedAddresses?: string[];
  emit(event: string, ...args: unknown[]): boolean;
  destroy(error: Error): unknown;
  _unrefTimer(): void;
  /** Closes the handle and takes another, for another attempt. */
  _replaceHandle(): void;
  /** The connection is there. */
  _afterConnect(): void;
}

/** Where to, and from where. */
interface Attempt {
  address: string;
  port: number;
  family: number;
  localAddress: string | undefined;
  localPort: number | undefined;
}

type Host = CheckedOptions & { options: ConnectArguments };

/** Connects `socket` as `options` say, now or when the host's name has been looked up. */
export function lookupAndConnect(
  socket: Connector,
  options: ConnectArguments,
  defaults: AutoSelectFamily,
): void {
  const target: Host = { ...checkConnectOptions(options, defaults), options };
  const { host, port, localAddress, localPort } = target;
  const family = isIP(host);
  if (family !== 0) {
    process.nextTick(() => {
      if (!socket.connecting) return;
      connectTo(socket, { address: host, port, family, localAddress, localPort });
    });
    return;
  }
  socket._host = host;
  const settings = lookupSettings(options);
  const custom = options.lookup as LookupFunction | null | undefined;
  if (isEitherFamily(settings) && !localAddress && target.autoSelectFamily.enabled) {
    resolveHost(host, custom, { ...settings, all: true }, (error, addresses) =>
      onAddresses(socket, target, error, addresses as LookupAddress[]),
    );
  } else {
    resolveHost(host, custom, settings, (error, address, addressFamily) =>
      onAddress(socket, target, error, address as string, addressFamily),
    );
  }
}

function destroySoon(socket: Connector, error: Error): void {
  process.nextTick(() => socket.destroy(error));
}

/** The error for an address that no connection can be made to, or null. */
function addressError(target: Host, address: unknown, family: unknown): Error | null {
  if (typeof address !== 'string' || isIP(address) === 0) return invalidAddress(address);
  if (family === 4 || family === 6) return null;
  return invalidAddressFamily(family, target.options.host, target.options.port);
}

function onAddress(
  socket: Connector,
  target: Host,
  error: Error | null,
  address: string,
  family: number | undefined,
): void {
  socket.emit('lookup', error, address, family, target.host);
  if (!socket.connecting) return;
  const failure = error ?? addressError(target, address, family);
  if (failure !== null) {
    destroySoon(socket, failure);
    return;
  }
  const { port, localAddress, localPort } = target;
  socket._unrefTimer();
  connectTo(socket, { address, port, family: family!, localAddress, localPort });
}

function onAddresses(
  socket: Connector,
  target: Host,
  error: Error | null,
  addresses: LookupAddress[],
): void {
  if (!socket.connecting) return;
  if (error !== null && error !== undefined) {
    socket.emit('lookup', error, undefined, undefined, target.host);
    destroySoon(socket, error);
    return;
  }
  for (const { address, family } of addresses) {
    socket.emit('lookup', error, address, family, target.host);
    if (!socket.connecting) return;
  }
  const list = byTurns(
    addresses.filter((each) => !addressError(target, each.address, each.family)),
  );
  const [first] = list;
  if (first === undefined) {
    const failure = addressError(target, addresses[0]?.address, addresses[0]?.family);
    if (failure !== null) destroySoon(socket, failure);
    return;
  }
  socket._unrefTimer();
  const { port, localPort } = target;
  if (list.length > 1) new Attempts(socket, target, list).next();
  else connectTo(socket, { ...first, port, localAddress: undefined, localPort });
}

/** Each address once, the families by turns and that of the first one first (RFC 8305 §4). */
function byTurns(addresses: readonly LookupAddress[]): LookupAddress[] {
  const seen = new Set<string>();
  const once = addresses.filter(({ address }) => !seen.has(address) && seen.add(address));
  const first = once.filter(({ family }) => family === once[0]!.family);
  const second = once.filter(({ family }) => family !== once[0]!.family);
  const list: LookupAddress[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    if (i < first.length) list.push(first[i]!);
    if (i < second.length) list.push(second[i]!);
  }
  return list;
}

function unspecified(family: number): string {
  return family === 6 ? '::' : '0.0.0.0';
}

/** Binds to the local end that was asked for; the error if that fails. */
function bindError(handle: Handle, attempt: Attempt): Error | null {
  const { localPort, family } = attempt;
  if (!attempt.localAddress && !localPort) return null;
  const address = attempt.localAddress || unspecified(family);
  const bothFour = family === 4 && isIP(address) === 4;
  const bothSix = family === 6 && isIP(address) === 6;
  const code = bothFour || bothSix ? bind(handle, address, localPort) : 'EINVAL';
  return code === null ? null : hostPortException(code, 'bind', address, localPort);
}

/** `::` can be bound to without IPv6, and helps nobody. */
function bind(handle: Handle, address: string, port: number | undefined): string | null {
  return address === '::' ? null : handle.bindTo(address, port);
}

/** The error of a connection that could not even be begun. */
function beginError(handle: Handle, attempt: Attempt, code: string): Error {
  const name: SocketName = { address: unspecified(attempt.family), port: 0 };
  handle.getsockname(name);
  const local = `${name.address}:${name.port}`;
  return hostPortException(code, 'connect', attempt.address, attempt.port, local);
}

/** The error of a connection that nobody took. */
function failError(attempt: Attempt, code: string): Error {
  const { address, port, localAddress, localPort } = attempt;
  if (!localAddress || !localPort) return hostPortException(code, 'connect', address, port);
  const local = `${localAddress}:${localPort}`;
  const error = hostPortException(code, 'connect', address, port, local);
  return Object.assign(error, { localAddress, localPort });
}

function blockedError(socket: Connector, { address, family }: Attempt): Error | null {
  const blocked = socket.blockList?.check(address, family === 6 ? 'ipv6' : 'ipv4') ?? false;
  return blocked ? ipBlocked(address) : null;
}

/** Connects to the one address that there is. */
function connectTo(socket: Connector, attempt: Attempt): void {
  const { address, port, family } = attempt;
  const handle = socket._handle!;
  const unbound = bindError(handle, attempt);
  if (unbound !== null) {
    socket.destroy(unbound);
    return;
  }
  socket.emit('connectionAttempt', address, port, family);
  if (!socket.connecting) return;
  const blocked = blockedError(socket, attempt);
  if (blocked !== null) {
    socket.destroy(blocked);
    return;
  }
  const code = handle.connect(address, port, (failure) => {
    if (!socket.connecting) return;
    if (failure === null) {
      socket._afterConnect();
      return;
    }
    const error = failError(attempt, failure);
    socket.emit('connectionAttemptFailed', address, port, family, error);
    socket.destroy(error);
  });
  if (code !== null) socket.destroy(beginError(handle, attempt, code));
}

/** Connects to the Unix domain socket `path`. */
export function connectToPath(socket: Connector, path: string): void {
  validateString(path, 'options.path');
  socket.emit('connectionAttempt', path, undefined, undefined);
  const code = socket._handle!.connectPath(path, (failure) => {
    if (!socket.connecting) return;
    if (failure === null) {
      socket._afterConnect();
      return;
    }
    const error = hostPortException(failure, 'connect', path);
    socket.emit('connectionAttemptFailed', path, undefined, undefined, error);
    socket.destroy(error);
  });
  if (code !== null) socket.destroy(hostPortException(code, 'connect', path));
}

/** Addresses that are tried one after the other, each for a while (Node's `autoSelectFamily`). */
class Attempts {
  readonly #socket: Connector;
  readonly #target: Host;
  readonly #addresses: readonly LookupAddress[];
  readonly #errors: Error[] = [];
  readonly #alarm: Alarm;
  #next = 0;
  #current: Attempt | null = null;

  constructor(socket: Connector, target: Host, addresses: readonly LookupAddress[]) {
    this.#socket = socket;
    this.#target = target;
    this.#addresses = addresses;
    this.#alarm = socket._transport.runtime.alarm(AsyncResource.bind(() => this.#expired()));
    socket.autoSelectFamilyAttemptedAddresses = [];
  }

  /** Tries the next address, or gives up. */
  next(): void {
    const socket = this.#socket;
    this.#alarm.clear();
    if (socket._aborted) return;
    if (this.#next === this.#addresses.length) {
      socket.destroy(allFailed(this.#errors));
      return;
    }
    const { address, family } = this.#addresses[this.#next++]!;
    if (this.#next > 1) socket._replaceHandle();
    const { port, localPort } = this.#target;
    const localAddress = localPort ? unspecified(family) : undefined;
    const attempt = { address, port, family, localAddress, localPort };
    const unbound = bindError(socket._handle!, attempt);
    if (unbound !== null) {
      this.#errors.push(unbound);
      this.next();
      return;
    }
    const blocked = blockedError(socket, attempt);
    if (blocked !== null) this.#fail(attempt, blocked);
    else this.#begin(attempt);
  }

  #fail(attempt: Attempt, error: Error): void {
    const { address, port, family } = attempt;
    this.#errors.push(error);
    this.#socket.emit('connectionAttemptFailed', address, port, family, error);
    if (this.#socket.connecting) this.next();
  }

  #begin(attempt: Attempt): void {
    const socket = this.#socket;
    const { address, port, family } = attempt;
    socket.emit('connectionAttempt', address, port, family);
    if (!socket.connecting) return;
    socket.autoSelectFamilyAttemptedAddresses!.push(`${address}:${port}`);
    const handle = socket._handle!;
    const code = handle.connect(address, port, (failure) => this.#ended(attempt, failure));
    if (code !== null) {
      this.#fail(attempt, beginError(handle, attempt, code));
      return;
    }
    if (this.#next === this.#addresses.length) return;
    this.#current = attempt;
    const { runtime } = socket._transport;
    this.#alarm.set(runtime.now() + this.#target.autoSelectFamily.attemptTimeout);
  }

  #ended(attempt: Attempt, failure: ConnectionErrorCode | null): void {
    this.#alarm.clear();
    if (!this.#socket.connecting) return;
    if (failure === null) this.#socket._afterConnect();
    else this.#fail(attempt, failError(attempt, failure));
  }

  #expired(): void {
    const socket = this.#socket;
    const attempt = this.#current!;
    if (!socket.connecting) return;
    const { address, port, family } = attempt;
    socket.emit('connectionAttemptTimeout', address, port, family);
    this.#errors.push(failError(attempt, 'ETIMEDOUT'));
    socket._handle?.close();
    if (socket.connecting) this.next();
  }
}
