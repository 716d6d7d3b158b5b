import type { Host, HostOptions } from '../stack/host.js';
import { createHost } from './create-host.js';
import type { NetModule } from './create-net.js';
import { createNet } from './create-net.js';

/**
 * Options of the host. `runtime` is the real world unless given, `loopback` an in-memory link that
 * carries 127.0.0.0/8 and the host's own addresses.
 */
export interface StackOptions extends Partial<HostOptions> {}

/**
 * A TCP/IP host and its sockets: `stack.net` has the shape of `node:net`. Without a link the host has
 * only the loopback.
 */
export class Stack {
  readonly host: Host;
  readonly net: NetModule;

  /** @throws TypeError or RangeError with `code` for options that make no sense */
  constructor(options: StackOptions = {}) {
    this.host = createHost(options);
    this.net = createNet(this.host);
  }

  /** Resets connections, closes the links and forgets everything. Idempotent. */
  close(): void {
    this.host.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
