import { loopbackLink } from '../link/memory.js';
import { systemRuntime } from '../runtime/system.js';
import type { HostOptions } from '../stack/host.js';
import { Host } from '../stack/host.js';
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
    const runtime = options.runtime ?? systemRuntime();
    const loopback = options.loopback ?? loopbackLink(runtime);
    this.host = new Host({ ...options, runtime, loopback });
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
