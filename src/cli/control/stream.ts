import type { Socket } from 'node:net';
import type { ControlReply } from './protocol.js';

/** Characters that may wait for a client to read them; an item that comes then is lost. */
export const MAX_WAITING = 8 * 1024 * 1024;

/** Where a source puts its items. */
export interface Outlet {
  /** False while so much waits for the client that an item would be lost: nobody needs to make it. */
  readonly room: boolean;
  /**
   * Sends an item, which stands for `count` of what the client counts; when there is no room, these are
   * lost. Bytes are copied, and arrive as a string in base64. Returns whether it was sent. Never waits.
   */
  item(value: unknown, count?: number): boolean;
  /** Counts what was lost before it became an item. */
  lose(count: number): void;
  /** Ends the stream from the side of its source: there will be no more. */
  end(): void;
}

/** A stream that a source has begun. */
export interface Streaming {
  /**
   * Called once, whoever ended the stream; it may still send items. What it returns is told to the
   * client in the end.
   */
  stop(): unknown;
  /** There is room again. */
  drained?(): void;
}

/** What a question returns to answer it with items until the client has enough. */
export class StreamSource {
  constructor(readonly start: (outlet: Outlet) => Streaming) {}
}

/** One stream to one client. */
export class ServedStream implements Outlet {
  readonly id: number;
  readonly #socket: Socket;
  readonly #ended: (last: ControlReply) => void;
  #streaming: Streaming | null = null;
  /** Nothing is sent any more. */
  #over = false;
  /** The source has been told to stop, or wants to be. */
  #ending = false;
  #lost = 0;
  /** Of those lost, how many the client has not been told of. */
  #untold = 0;

  /** @param ended takes what is to be sent last; called once, unless {@link abandon} comes first */
  constructor(id: number, socket: Socket, ended: (last: ControlReply) => void) {
    this.id = id;
    this.#socket = socket;
    this.#ended = ended;
  }

  /** @throws what the source throws; then the stream has not begun */
  begin(source: StreamSource): void {
    this.#streaming = source.start(this);
    if (!this.#ending) return;
    this.#ending = false;
    this.end();
  }

  get room(): boolean {
    return !this.#over && this.#socket.writableLength < MAX_WAITING;
  }

  item(value: unknown, count = 1): boolean {
    if (!this.room) {
      this.lose(count);
      return false;
    }
    this.#tell();
    if (value instanceof Uint8Array) this.#writeBytes(value);
    else this.#write({ id: this.id, item: value });
    return true;
  }

  lose(count: number): void {
    this.#lost += count;
    this.#untold += count;
  }

  end(): void {
    if (this.#over || this.#ending) return;
    this.#ending = true;
    // It ends while it begins.
    if (this.#streaming === null) return;
    const last = this.#last(this.#streaming);
    this.#over = true;
    this.#tell();
    this.#ended(last);
  }

  /** The client has read all that waited. */
  drained(): void {
    if (this.#over || this.#ending) return;
    this.#tell();
    this.#streaming?.drained?.();
  }

  /** The client is gone. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#ending) this.#streaming?.stop();
  }

  #last(streaming: Streaming): ControlReply {
    const { id } = this;
    try {
      const done = streaming.stop() ?? null;
      return { id, done, lost: this.#lost };
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) };
    }
  }

  #tell(): void {
    if (this.#untold === 0) return;
    const lost = this.#untold;
    this.#untold = 0;
    this.#write({ id: this.id, lost });
  }

  /** The same as for any value, at a fraction of the cost. */
  #writeBytes({ buffer, byteOffset, length }: Uint8Array): void {
    const text = Buffer.from(buffer, byteOffset, length).toString('base64');
    this.#socket.write(`{"id":${this.id},"item":"${text}"}\n`, 'latin1');
  }

  #write(reply: ControlReply): void {
    this.#socket.write(`${JSON.stringify(reply)}\n`);
  }
}
