import { Host } from '../stack/host.js';
import type { NetModule } from './create-net.js';
import { createNet } from './create-net.js';

/** Options of the host: its link, addresses in CIDR form, clock, TCP configuration and trace. */
export type StackOptions = NonNullable<ConstructorParameters<typeof Host>[0]>;

/**
 * A TCP/IP host and its sockets: `stack.net` has the shape of `node:net`. Without a link the host has
 * only the loopback.
 */
export class Stack {
  readonly host: Host;
  readonly net: NetModule;

  constructor(options: StackOptions = {}) {
    this.host = new Host(options);
    this.net = createNet(this.host);
  }

  /** Closes the host, its connections and its link. Idempotent. */
  close(): void {
    this.host.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
