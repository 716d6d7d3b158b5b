import { Random } from '../../../src/base/random.js';
import type {
  Connection,
  ConnectionErrorCode,
  ConnectionHandler,
} from '../../../src/stack/connection.js';
import type { Station } from './network.js';

/** A prime, so that no segment size divides it and bytes at a wrong place show. */
const PERIOD = 65_521;
const CHUNK = 65_536;
/** Random bytes; the one at `i` of a stream is that at `i % PERIOD`. */
const PATTERN = new Random(0x51ab).bytes(PERIOD);
const REPEATED = Buffer.concat([PATTERN, PATTERN, PATTERN]);

/** One end of a connection: writes the pattern, and verifies what it reads against it. */
export class PatternEnd implements ConnectionHandler {
  connection!: Connection;
  /** Bytes given to the connection, and read from it. */
  written = 0;
  received = 0;
  /** The first byte that is not what was written at its place; -1: none. */
  wrongAt = -1;
  establishedAt = -1;
  lastReceivedAt = -1;
  /** The peer has ended and everything before was read. */
  ended = false;
  finishedAt = -1;
  /** Undefined: open. */
  error: ConnectionErrorCode | null | undefined;
  closedAt = -1;
  reads = true;
  /** Answers the peer's end with its own. */
  endsWithPeer = false;
  onClosed: () => void = () => {};
  #goal = 0;
  #endAtGoal = false;

  constructor(private readonly now: () => number) {}

  /** Writes until `bytes` are written in all. */
  writeUpTo(bytes: number): void {
    this.#goal = Math.max(bytes, this.#goal);
    this.#push();
  }

  writeMore(bytes: number): void {
    if (!this.#endAtGoal) this.writeUpTo(this.#goal + bytes);
  }

  /** Nothing is written after what was asked for so far. */
  get hasEnded(): boolean {
    return this.#endAtGoal;
  }

  /** Reads what waits, and goes on reading. */
  resume(): void {
    this.reads = true;
    if (this.connection !== undefined) this.read();
  }

  /** Half-closes after what is to be written. */
  end(): void {
    this.#endAtGoal = true;
    this.#push();
  }

  read(): void {
    for (let chunk = this.connection.read(); chunk !== null; chunk = this.connection.read()) {
      this.#verify(chunk);
    }
    if (this.ended || !this.connection.ended) return;
    this.ended = true;
    if (this.endsWithPeer) this.end();
  }

  established(): void {
    this.establishedAt = this.now();
    this.#push();
  }

  readable(): void {
    if (this.reads) this.read();
  }

  writable(): void {
    this.#push();
  }

  finished(): void {
    this.finishedAt = this.now();
  }

  closed(error: ConnectionErrorCode | null): void {
    this.error = error;
    this.closedAt = this.now();
    if (error === null) this.read();
    this.onClosed();
  }

  #verify(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += CHUNK) {
      const length = Math.min(CHUNK, chunk.length - at);
      const from = (this.received + at) % PERIOD;
      const same = REPEATED.compare(chunk, at, at + length, from, from + length) === 0;
      if (same || this.wrongAt >= 0) continue;
      let wrong = 0;
      while (chunk[at + wrong] === REPEATED[from + wrong]) wrong++;
      this.wrongAt = this.received + at + wrong;
    }
    this.received += chunk.length;
    this.lastReceivedAt = this.now();
  }

  #push(): void {
    // Closed, or not connected yet.
    if (this.error !== undefined || this.connection === undefined) return;
    while (this.written < this.#goal) {
      const from = this.written % PERIOD;
      const length = Math.min(CHUNK, this.#goal - this.written);
      const taken = this.connection.write(REPEATED.subarray(from, from + length));
      this.written += taken;
      if (taken < length) return;
    }
    if (this.#endAtGoal) this.connection.shutdown();
  }
}

/** One connection from `client` to `server`, with an end at each. */
export class Flow {
  readonly client: PatternEnd;
  readonly server: PatternEnd;
  readonly startedAt: number;
  readonly from: Station;
  readonly to: Station;

  /** Connects now. `onAccept` is called with the server's end, before anything has arrived at it. */
  constructor(from: Station, to: Station, port = 80, onAccept?: (server: PatternEnd) => void) {
    this.from = from;
    this.to = to;
    const { runtime } = from.host;
    const now = (): number => runtime.now();
    this.client = new PatternEnd(now);
    this.server = new PatternEnd(now);
    this.startedAt = now();
    const listener = to.host.listen({ port }, (connection) => {
      this.server.connection = connection;
      listener.close();
      onAccept?.(this.server);
      return this.server;
    });
    this.client.connection = from.host.connect(
      { remoteAddress: to.address, remotePort: port },
      this.client,
    );
  }

  /** The client sends so many bytes and ends; the server answers its end. */
  static bulk(from: Station, to: Station, bytes: number, port = 80): Flow {
    const flow = new Flow(from, to, port);
    flow.server.endsWithPeer = true;
    flow.client.writeUpTo(bytes);
    flow.client.end();
    return flow;
  }

  /** Every byte has arrived and each side knows that the other has ended. */
  get isOver(): boolean {
    return this.server.ended && this.client.finishedAt >= 0;
  }

  /** Mbit/s of text from client to server, from the call to connect to the last byte. */
  get goodput(): number {
    const time = this.server.lastReceivedAt - this.startedAt;
    return (this.server.received * 8) / 1000 / time;
  }
}
