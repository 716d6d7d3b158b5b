import type { Tcb } from '../tcp/tcb.js';
import { formatAddress } from '../wire/ipv4.js';
import type { Connection, ConnectionHandler, Listener } from './connection.js';

export type Accept = (connection: Connection) => ConnectionHandler;

/** A socket in LISTEN (RFC 9293 §3.10.1) and the connections that it has not handed out yet. */
export class HostListener implements Listener {
  readonly pending = new Set<Tcb>();
  closed = false;

  constructor(
    private readonly listeners: Listeners,
    /** 0 is every address of the host. */
    readonly localAddr: number,
    readonly port: number,
    readonly backlog: number,
    readonly accept: Accept,
    private readonly onClose: (listener: HostListener) => void,
  ) {}

  get address(): string {
    return formatAddress(this.localAddr);
  }

  get isFull(): boolean {
    return this.pending.size >= this.backlog;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.listeners.remove(this);
    this.onClose(this);
  }
}

/**
 * All listeners of a host, by port. They are no connections: LISTEN touches none (RFC 9293 §3.9.1.1,
 * MUST-41, MUST-42).
 */
export class Listeners {
  readonly #byPort = new Map<number, HostListener[]>();

  /** The listener for a SYN to this socket: one bound to the address goes before one for all. */
  find(address: number, port: number): HostListener | null {
    const candidates = this.#byPort.get(port);
    if (candidates === undefined) return null;
    let any: HostListener | null = null;
    for (const candidate of candidates) {
      if (candidate.localAddr === address) return candidate;
      if (candidate.localAddr === 0) any = candidate;
    }
    return any;
  }

  /** Whether a listener on this socket would be in the way of, or in the way for, another. */
  conflicts(address: number, port: number): boolean {
    const candidates = this.#byPort.get(port);
    if (candidates === undefined) return false;
    return candidates.some((c) => address === 0 || c.localAddr === 0 || c.localAddr === address);
  }

  add(listener: HostListener): void {
    const candidates = this.#byPort.get(listener.port);
    if (candidates === undefined) this.#byPort.set(listener.port, [listener]);
    else candidates.push(listener);
  }

  remove(listener: HostListener): void {
    const rest = this.#byPort.get(listener.port)?.filter((c) => c !== listener) ?? [];
    if (rest.length === 0) this.#byPort.delete(listener.port);
    else this.#byPort.set(listener.port, rest);
  }

  all(): HostListener[] {
    return [...this.#byPort.values()].flat();
  }
}
