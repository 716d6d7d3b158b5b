import type { ServiceSocket } from '../module.js';
import { Iperf3Error } from './protocol.js';

/** A peer that sends what nobody waits for is read no further than this many bytes. */
const AHEAD = 64 * 1024;

interface Wanted {
  length: number;
  resolve: (bytes: Buffer) => void;
  reject: (error: Error) => void;
}

/** Reads and writes the control connection, or the cookie at the beginning of a stream. */
export class Control {
  readonly socket: ServiceSocket;
  #chunks: Buffer[] = [];
  #length = 0;
  #wanted: Wanted | null = null;
  #failure: Error | null = null;
  #timer: NodeJS.Timeout | undefined;

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#serve();
    if (this.#wanted === null && this.#length > AHEAD) this.socket.pause();
  };
  readonly #onEnd = (): void => this.#fail(new Iperf3Error('the peer has closed the connection'));
  readonly #onError = (error: Error): void => this.#fail(error);

  constructor(socket: ServiceSocket) {
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('error', this.#onError);
  }

  /** From now on, the connection is given up after `ms`; Infinity for never. */
  patience(ms: number, what: string): void {
    clearTimeout(this.#timer);
    if (ms === Infinity) return;
    this.#timer = setTimeout(
      () => this.abort(new Iperf3Error(`waited ${ms / 1000} s for ${what}`)),
      ms,
    );
  }

  /** The next `length` bytes. One call at a time. */
  bytes(length: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#wanted = { length, resolve, reject };
      this.#serve();
      if (this.#wanted === null) return;
      if (this.#failure !== null) this.#fail(this.#failure);
      else this.socket.resume();
    });
  }

  /** A state: -128 to 127. */
  async state(): Promise<number> {
    return (await this.bytes(1)).readInt8(0);
  }

  /** A value behind its length, which is at most `max` bytes. */
  async json(max: number): Promise<unknown> {
    const length = (await this.bytes(4)).readUInt32BE(0);
    if (length > max) throw new Iperf3Error(`${length} bytes of JSON are too many`);
    const text = (await this.bytes(length)).toString('utf8');
    try {
      return JSON.parse(text);
    } catch {
      throw new Iperf3Error('what should be JSON is not');
    }
  }

  sendState(state: number): void {
    this.socket.write(Int8Array.of(state));
  }

  sendError(code: number): void {
    const bytes = Buffer.alloc(9);
    bytes.writeInt8(-2, 0);
    bytes.writeInt32BE(code, 1);
    this.socket.write(bytes);
  }

  sendJson(value: object): void {
    const text = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length, 0);
    this.socket.write(Buffer.concat([length, text]));
  }

  /** Gives the socket to someone else, who has begun to listen to 'data'; returns how much is read already. */
  release(): number {
    this.#detach();
    this.socket.resume();
    return this.#length;
  }

  /** Says no more and reads no more; what was said is still delivered. */
  close(): void {
    this.#detach();
    this.socket.on('data', () => {}).resume();
    this.socket.end();
  }

  abort(error: Error = new Iperf3Error('the test was given up')): void {
    this.#fail(error);
    this.#detach();
    this.socket.destroy();
  }

  #detach(): void {
    clearTimeout(this.#timer);
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.off('close', this.#onEnd);
    // The listener for 'error' stays: without one, an error would end the process.
  }

  #serve(): void {
    const wanted = this.#wanted;
    if (wanted === null || this.#length < wanted.length) return;
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = all.length > wanted.length ? [all.subarray(wanted.length)] : [];
    this.#length -= wanted.length;
    this.#wanted = null;
    wanted.resolve(all.subarray(0, wanted.length));
  }

  #fail(error: Error): void {
    clearTimeout(this.#timer);
    this.#failure ??= error;
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.reject(this.#failure);
  }
}
