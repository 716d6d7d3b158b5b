import { loopbackLink } from '../link/memory.js';
import { systemRuntime } from '../runtime/system.js';
import { Host, type HostOptions } from '../stack/host.js';
import { diagnostics } from './diagnostics.js';

/**
 * A host in the real world, with a loopback in memory and heard by `node:diagnostics_channel`, unless
 * the options say otherwise.
 * @throws TypeError or RangeError with `code` for options that make no sense
 */
export function createHost(options: Partial<HostOptions> = {}): Host {
  const runtime = options.runtime ?? systemRuntime();
  const loopback = options.loopback ?? loopbackLink(runtime);
  return new Host({ diagnostics, ...options, runtime, loopback });
}
