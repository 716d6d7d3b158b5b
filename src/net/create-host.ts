import { loopbackLink } from '../link/memory.js';
import { systemRuntime } from '../runtime/system.js';
import { Host, type HostOptions } from '../stack/host.js';

/**
 * A host in the real world and with a loopback in memory, unless the options say otherwise.
 * @throws TypeError or RangeError with `code` for options that make no sense
 */
export function createHost(options: Partial<HostOptions> = {}): Host {
  const runtime = options.runtime ?? systemRuntime();
  const loopback = options.loopback ?? loopbackLink(runtime);
  return new Host({ ...options, runtime, loopback });
}
