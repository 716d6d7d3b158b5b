import type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
} from '../../src/stack/connection.js';

/** A user of one connection who writes down what happens, and reads unless told otherwise. */
export class User implements ConnectionHandler {
  connection!: Connection;
  /** `established`, `end`, `writable`, `finished`, `closed` or `closed CODE`, in order. */
  readonly events: string[] = [];
  readonly #chunks: Buffer[] = [];
  /** False: data stays in the receive buffer. */
  reads = true;
  /** Answers the peer's FIN with ours. */
  endsWithPeer = false;
  /** Told of urgent data, and of R1. */
  declare urgent?: () => void;
  declare trouble?: () => void;
  /** Called after each event. */
  onEvent: ((event: string) => void) | null = null;
  #pending: Uint8Array = new Uint8Array(0);
  #endWhenWritten = false;
  #sawEnd = false;

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get isClosed(): boolean {
    return this.events.some((event) => event.startsWith('closed'));
  }

  /** Writes all of it, over time if need be. */
  write(data: Uint8Array | string): void {
    this.#pending = Buffer.concat([this.#pending, Buffer.from(data)]);
    this.#push();
  }

  /** Half-closes after everything written. */
  end(): void {
    this.#endWhenWritten = true;
    this.#push();
  }

  /** Reads what is there. */
  read(): void {
    for (let chunk = this.connection.read(); chunk !== null; chunk = this.connection.read()) {
      this.#chunks.push(Buffer.from(chunk));
    }
    if (this.connection.ended && !this.#sawEnd) {
      this.#sawEnd = true;
      this.#note('end');
      if (this.endsWithPeer) this.end();
    }
  }

  /** Reads one chunk; null when there is none. */
  readChunk(): Buffer | null {
    const chunk = this.connection.read();
    if (chunk === null) return null;
    this.#chunks.push(Buffer.from(chunk));
    return Buffer.from(chunk);
  }

  established(): void {
    this.#note('established');
  }

  readable(): void {
    if (this.reads) this.read();
  }

  writable(): void {
    this.#note('writable');
    this.#push();
  }

  finished(): void {
    this.#note('finished');
  }

  closed(error: ConnectionErrorCode | null): void {
    this.#note(error === null ? 'closed' : `closed ${error}`);
  }

  #push(): void {
    if (this.#pending.length > 0) {
      const taken = this.connection.write(this.#pending);
      this.#pending = this.#pending.subarray(taken);
    }
    if (this.#endWhenWritten && this.#pending.length === 0) this.connection.shutdown();
  }

  #note(event: string): void {
    if (event === 'writable' && this.events.at(-1) === 'writable') return;
    this.events.push(event);
    this.onEvent?.(event);
  }
}
