import type { Tcb } from '../tcp/tcb.js';
import { formatAddress } from '../wire/ipv4.js';
import type { Connection, ConnectionHandler, Listener } from './connection.js';

export type Accept = (connection: Connection) => ConnectionHandler;

/** How many connections a listener lets wait. */
export interface Backlog {
  /** In handshake. */
  readonly halfOpen: number;
  /** Complete, and not yet taken by the application. */
  readonly complete: number;
}

/**
 * Connections that a listener has not handed out yet, each of which has its queue for a {@link Tcb.user}.
 * No `Set`: tables that V8 has made anew refer to the next, so that one which is garbage of an old
 * generation would keep all that came after it, and every connection that was ever in one of them.
 */
export class PendingQueue {
  size = 0;

  constructor(readonly listener: HostListener) {}

  add(tcb: Tcb): void {
    tcb.user = this;
    this.size++;
  }

  delete(tcb: Tcb): void {
    tcb.user = null;
    this.size--;
  }
}

/**
 * A socket in LISTEN (RFC 9293 §3.10.1) and the connections that it has not handed out yet: as on Linux,
 * one queue of those in handshake and one of those to accept, each with its limit.
 */
export class HostListener implements Listener {
  /** In SYN_RECEIVED. */
  readonly halfOpen = new PendingQueue(this);
  /** The handshake is complete. */
  readonly complete = new PendingQueue(this);
  /** Until then ACKs may come that acknowledge a SYN cookie, ms. */
  cookiesUntil = -Infinity;
  closed = false;

  constructor(
    private readonly listeners: Listeners,
    /** 0 is every address of the host. */
    readonly localAddr: number,
    readonly port: number,
    readonly backlog: Backlog,
    readonly accept: Accept,
    /** Connections that were handed out and that the application has yet to take. */
    private readonly waiting: () => number,
    private readonly onClose: (listener: HostListener) => void,
  ) {}

  get address(): string {
    return formatAddress(this.localAddr);
  }

  get synQueueIsFull(): boolean {
    return this.halfOpen.size >= this.backlog.halfOpen;
  }

  get acceptQueueLength(): number {
    return this.complete.size + this.waiting();
  }

  get acceptQueueIsFull(): boolean {
    return this.acceptQueueLength >= this.backlog.complete;
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
