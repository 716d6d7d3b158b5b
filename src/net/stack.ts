import type { Counters } from '../base/counters.js';
import type { SocketInfo } from '../stack/connection.js';
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

  /** A snapshot of every socket of the host, listeners and TIME_WAIT included; see `kind`. */
  connections(): SocketInfo[] {
    return [...this.host.connections()];
  }

  /** What the host has done since it started; `counters.snapshot()` is a copy with names. */
  get counters(): Counters {
    return this.host.counters;
  }

  /** Counters and gauges in Prometheus' text format, for an answer to `GET /metrics`. */
  metrics(): string {
    return this.host.metrics();
  }

  /** Resets connections, closes the links and forgets everything. Idempotent. */
  close(): void {
    this.host.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
