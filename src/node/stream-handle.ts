import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import type { Socket } from '../net/socket.js';

type Name = Partial<AddressInfo>;

/** What Node's C++ asks of what carries a `TLSSocket` or an HTTP/2 session, if it is there. */
interface StreamHandle {
  getpeername?(out: Name): number;
  getsockname?(out: Name): number;
  ref?(): void;
  unref?(): void;
  setNoDelay?(enable: boolean): number;
  setKeepAlive?(enable: boolean, seconds: number): number;
}

let done = false;

/**
 * TLS and HTTP/2 reach a socket of ours through the C++ class with which Node wraps any stream in
 * JavaScript. That has neither addresses, `ref`, `unref`, `setNoDelay` nor `setKeepAlive`; from now on
 * it has those of the socket, where there is one. Idempotent.
 */
export function reachThroughStreams(): void {
  if (done) return;
  done = true;
  const { TLSSocket } = process.getBuiltinModule('node:tls');
  const sample = new TLSSocket(new Duplex({ read() {}, write() {} }));
  const handle = (sample as unknown as { _handle: { _parent: StreamHandle } })._handle._parent;
  sample.destroy();
  // Under it the handle holds its wrapper, whose `stream` is the socket.
  const owner = Object.getOwnPropertySymbols(handle).find(
    (each) => each.description === 'owner_symbol',
  );
  const socketOf = (of: object): Partial<Socket> =>
    (of as Record<symbol, { stream?: Partial<Socket> }>)[owner!]?.stream ?? {};
  const added: StreamHandle = {
    getpeername(out) {
      const { remoteAddress: address, remotePort: port, remoteFamily: family } = socketOf(this);
      Object.assign(out, { address, port, family });
      return 0;
    },
    getsockname(out) {
      const { localAddress: address, localPort: port, localFamily: family } = socketOf(this);
      Object.assign(out, { address, port, family });
      return 0;
    },
    ref() {
      socketOf(this).ref?.();
    },
    unref() {
      socketOf(this).unref?.();
    },
    setNoDelay(enable) {
      socketOf(this).setNoDelay?.(enable);
      return 0;
    },
    setKeepAlive(enable, seconds) {
      socketOf(this).setKeepAlive?.(enable, seconds * 1000);
      return 0;
    },
  };
  Object.assign(Object.getPrototypeOf(handle), added);
}
