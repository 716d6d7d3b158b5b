import { systemRuntime } from '../../runtime/system.js';
import type { ServiceSocket } from '../module.js';

/** Bytes that a stream writes before others get their turn of the event loop. */
const TURN = 1024 * 1024;

/** What the streams of one end may still send together. */
export class Quota {
  #left: number;

  /** `bytes` 0 is no limit. */
  constructor(bytes: number) {
    this.#left = bytes === 0 ? Infinity : bytes;
  }

  get exhausted(): boolean {
    return this.#left === 0;
  }

  take(most: number): number {
    const taken = this.#left < most ? this.#left : most;
    this.#left -= taken;
    return taken;
  }
}

/** How a stream sends. */
export interface Sending {
  /** Sent again and again. */
  block: Buffer;
  quota: Quota;
  /** Bit/s; 0 for as fast as can be. */
  bitrate: number;
  /** The quota is exhausted and the stack has taken all of this stream. */
  done: () => void;
}

/** What our TCP knows about a connection; the kernel's does not tell. */
export interface TcpFigures {
  retransmits: number;
  /** Bytes. */
  cwnd: number;
  window: number;
  /** µs; 0 before the first sample. */
  rtt: number;
  rttvar: number;
  congestion: string;
}

/** One data connection of a test, at either end. */
export class DataStream {
  readonly id: number;
  readonly socket: ServiceSocket;
  /** This end sends. */
  readonly sends: boolean;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  // Doubles from the start, since they pass 2^31.
  #received = -0;
  #written = -0;
  #stopped = false;
  #sending: Sending | null = null;
  #credit = TURN;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #last: TcpFigures | null = null;

  readonly #count = (chunk: Buffer): void => {
    this.#received += chunk.length;
  };
  readonly #pump = (): void => this.#fill();
  readonly #refill = (): void => {
    this.#credit = TURN;
    this.#fill();
  };

  constructor(id: number, socket: ServiceSocket, sends: boolean) {
    this.id = id;
    this.socket = socket;
    this.sends = sends;
    // A closed socket has no addresses any more.
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', this.#count);
  }

  /** Bytes that arrived, or that the stack has taken. */
  get bytes(): number {
    return this.sends ? this.#written - this.socket.writableLength : this.#received;
  }

  /** The name of our congestion control; null when the stack does not tell. */
  get congestion(): string | null {
    return this.#last?.congestion ?? null;
  }

  /** Null when the stack does not tell; of a closed connection, the last that is known. */
  figures(): TcpFigures | null {
    const info = this.socket.info?.() ?? null;
    if (info === null) return this.#last;
    this.#last = {
      retransmits: info.retransmits,
      cwnd: info.cwnd,
      window: info.sndWnd,
      rtt: Math.round((info.srtt ?? 0) * 1000),
      rttvar: Math.round((info.rttvar ?? 0) * 1000),
      congestion: info.congestionControl,
    };
    return this.#last;
  }

  /** Bytes that came together with the cookie. */
  begin(received: number): void {
    this.#received += received;
  }

  send(sending: Sending): void {
    this.#sending = sending;
    this.#startedAt = systemRuntime().now();
    this.socket.on('drain', this.#pump);
    this.#fill();
  }

  /** Sends no more; what arrives is still taken. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.stop();
    this.socket.end();
  }

  destroy(): void {
    this.stop();
    this.socket.destroy();
  }

  #fill(): void {
    const { socket } = this;
    const { block, quota, bitrate, done } = this.#sending!;
    while (!this.#stopped && !socket.destroyed && !socket.writableNeedDrain) {
      if (this.#credit <= 0) {
        if (this.#credit === -Infinity) return;
        this.#credit = -Infinity;
        setImmediate(this.#refill);
        return;
      }
      if (bitrate > 0 && this.#isAhead(bitrate)) return;
      const length = quota.take(block.length);
      if (length === 0) {
        this.#stopped = true;
        done();
        return;
      }
      this.#written += length;
      this.#credit -= length;
      socket.write(length === block.length ? block : block.subarray(0, length));
    }
  }

  /** True when it is too early for the next block; it will be sent in time. */
  #isAhead(bitrate: number): boolean {
    const due = this.#startedAt + (this.#written * 8000) / bitrate;
    const wait = due - systemRuntime().now();
    if (wait <= 0) return false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#pump, Math.ceil(wait));
    return true;
  }
}
