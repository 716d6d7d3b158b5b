import type { Host } from '../stack/host.js';
import { createHost } from './create-host.js';

let given: Host | null = null;
let own: Host | null = null;

/** The host of `tuntcp/net`: the one that was given to this thread, or else one with only the loopback. */
export function defaultHost(): Host {
  own ??= given ?? createHost();
  return own;
}

/** The host that was given to this thread, if one was. */
export function givenHost(): Host | null {
  return given;
}

/** From now on the sockets of this thread are on `host`; to be called before there are any. */
export function giveHost(host: Host): void {
  given = host;
}
