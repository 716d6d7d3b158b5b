import { described } from './device-error.js';
import { type Addon, addon } from './native.js';
import { parseCidr, parseNetwork, type TunOptions } from './tun-options.js';

const DEFAULT_TX_QUEUE_LENGTH = 2000;

/**
 * The kernel's side of a device: address, MTU, queue, routes. Changes only what is not yet as it
 * should be, so that an ordinary user can open a device which root has set up, and undoes on
 * {@link restore} what it changed.
 */
export class HostSide {
  readonly #native: Addon;
  readonly #name: string;
  readonly #undo: (() => void)[] = [];

  constructor(name: string) {
    this.#native = addon();
    this.#name = name;
  }

  /** @throws DeviceError; what was done before it stays until {@link restore} */
  configure(options: TunOptions, fresh: boolean): void {
    const native = this.#native;
    const name = this.#name;
    const found = this.#run(() => native.interfaceInfo(name));
    // A failure costs nothing but a few packets to ignore.
    if (fresh) native.quietIpv6(name);
    const { mtu } = options;
    if (mtu !== undefined && mtu !== found.mtu) {
      this.#change(
        () => native.setMtu(name, mtu),
        () => native.setMtu(name, found.mtu),
      );
    }
    this.#setTxQueueLength(options.txQueueLength, found.txQueueLength);
    if (options.hostAddress !== undefined) this.#addAddress(options.hostAddress);
    if (options.up !== false && !found.up) {
      this.#change(
        () => native.setUp(name, true),
        () => native.setUp(name, false),
      );
    }
    for (const route of options.routes ?? []) this.#addRoute(route);
  }

  /** Undoes, last change first. What cannot be undone any more (the device is gone) is left. */
  restore(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        undo();
      } catch {
        // Someone else has changed it, or the device is gone: there is nothing left to restore.
      }
    }
  }

  #setTxQueueLength(wanted: number | undefined, found: number): void {
    const native = this.#native;
    const name = this.#name;
    if (wanted === found || (wanted === undefined && found >= DEFAULT_TX_QUEUE_LENGTH)) return;
    try {
      this.#change(
        () => native.setTxQueueLength(name, wanted ?? DEFAULT_TX_QUEUE_LENGTH),
        () => native.setTxQueueLength(name, found),
      );
    } catch (error) {
      // Nobody asked for it: an ordinary user on root's device goes without.
      if (wanted !== undefined) throw error;
    }
  }

  #addAddress(text: string): void {
    const native = this.#native;
    const name = this.#name;
    const { address, prefix } = parseCidr('options.hostAddress', text);
    if (this.#run(() => native.hasAddress(name, address, prefix))) return;
    this.#change(
      () => native.changeAddress(name, true, address, prefix),
      () => native.changeAddress(name, false, address, prefix),
    );
  }

  #addRoute(text: string): void {
    const native = this.#native;
    const name = this.#name;
    const { address, prefix } = parseNetwork('options.routes', text);
    this.#change(
      () => native.changeRoute(name, true, address, prefix),
      () => native.changeRoute(name, false, address, prefix),
    );
  }

  #change(apply: () => void, undo: () => void): void {
    this.#run(apply);
    this.#undo.push(undo);
  }

  #run<T>(run: () => T): T {
    return described(this.#name, run);
  }
}

/** Brings `lo` up, as a fresh network namespace needs for 127.0.0.1. */
export function setLoopbackUp(): void {
  described('lo', () => addon().setUp('lo', true));
}
