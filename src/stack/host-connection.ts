import {
  abort,
  close,
  letGo,
  receive,
  release,
  send,
  setCongestionControl,
  setKeepAlive,
  urgentLength,
} from '../tcp/calls.js';
import { type StateName, stateName } from '../tcp/state.js';
import { Event, type Tcb } from '../tcp/tcb.js';
import { formatAddress } from '../wire/ipv4.js';
import type { Connection, ConnectionHandler, ConnectionInfo } from './connection.js';
import { connectionInfo } from './socket-info.js';

/** What a {@link HostConnection} needs of the host: the time of the batch, or of now. */
export interface Clock {
  now(): number;
}

/** The user's end of a {@link Tcb}. */
export class HostConnection implements Connection {
  #done = false;

  constructor(
    readonly tcb: Tcb,
    private readonly clock: Clock,
    public handler: ConnectionHandler,
  ) {
    tcb.user = this;
  }

  get localAddress(): string {
    return formatAddress(this.tcb.localAddr);
  }

  get localPort(): number {
    return this.tcb.localPort;
  }

  get remoteAddress(): string {
    return formatAddress(this.tcb.remoteAddr);
  }

  get remotePort(): number {
    return this.tcb.remotePort;
  }

  get state(): StateName {
    return stateName(this.tcb.state);
  }

  write(bytes: Uint8Array, offset = 0, urgent = false): number {
    return send(this.tcb, bytes, offset, urgent);
  }

  get unacknowledged(): number {
    return this.tcb.sendBuffer.length;
  }

  read(): Uint8Array | null {
    return receive(this.tcb);
  }

  get readableLength(): number {
    return this.tcb.receiveQueue.length;
  }

  get ended(): boolean {
    return this.tcb.finReceived && this.tcb.receiveQueue.length === 0;
  }

  shutdown(): void {
    close(this.tcb, this.clock.now());
  }

  close(): void {
    this.#done = true;
    release(this.tcb, this.clock.now());
  }

  abort(): void {
    this.#done = true;
    letGo(this.tcb);
    abort(this.tcb, this.clock.now());
  }

  get urgentLength(): number {
    return urgentLength(this.tcb);
  }

  setTypeOfService(tos: number): void {
    this.tcb.tos = tos;
  }

  /** RFC 9293 MUST-21. */
  setUserTimeout(ms: number): void {
    this.tcb.userTimeout = ms > 0 ? ms : this.tcb.host.config.userTimeout;
  }

  setNoDelay(on: boolean): void {
    this.tcb.noDelay = on;
    if (on) this.tcb.host.markDirty(this.tcb);
  }

  setKeepAlive(on: boolean, initialDelay: number): void {
    setKeepAlive(this.tcb, on, initialDelay, this.clock.now());
  }

  setCongestionControl(name: string): void {
    setCongestionControl(this.tcb, name, this.clock.now());
  }

  /**
   * Tells the user what has happened since the last time, in the order of the handler's methods. When
   * one of them throws, the rest stays for the next call.
   */
  deliver(): void {
    if (this.#take(Event.ESTABLISHED)) this.handler.established();
    if (this.#take(Event.URGENT)) this.handler.urgent?.();
    if (this.#take(Event.READABLE)) this.handler.readable();
    if (this.#take(Event.WRITABLE)) {
      this.tcb.writeBlocked = false;
      this.handler.writable();
    }
    if (this.#take(Event.FINISHED)) this.handler.finished();
    if (this.#take(Event.TROUBLE)) this.handler.trouble?.();
    if (this.#take(Event.CLOSED)) {
      this.#done = true;
      this.handler.closed(this.tcb.failure);
    }
    this.tcb.events = 0;
  }

  #take(event: Event): boolean {
    const { tcb } = this;
    if ((tcb.events & event) === 0) return false;
    tcb.events &= ~event;
    return !this.#done;
  }

  info(): ConnectionInfo {
    return connectionInfo(this.tcb, this.clock.now());
  }
}
