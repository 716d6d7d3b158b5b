import type { Socket } from 'node:net';
import type { ControlReply, ControlRequest, ControlStop } from './protocol.js';
import { ServedStream, StreamSource } from './stream.js';

/** Characters of a request; a longer one ends the connection. */
const MAX_REQUEST = 4096;
const REQUEST_FORM = 'a request is {"id": NUMBER, "ask": NAME} on one line';
const STOP_FORM =
  'all that can be said during a stream is {"id": NUMBER, "stop": true}, with its id';

/**
 * What can be asked, by name, with what the request has as `with`. A {@link StreamSource} becomes a
 * stream, a promise is waited for, anything else is the answer; of an error that is thrown the message
 * and the `code`.
 */
export type Questions = Readonly<Record<string, (options: unknown) => unknown>>;

/** What the sessions of a server have in common. */
export interface House {
  readonly questions: Questions;
  /** Ms until a client that reads nothing of its answer is cut off. */
  readonly stalled: number;
  /** Ms until a client that asks nothing is cut off. */
  readonly idle: number;
  readonly maxStreams: number;
  /** Streams that run. */
  streams: number;
}

/** One client. It holds one answer at most, or what a stream may have waiting. */
export class Session {
  readonly #socket: Socket;
  readonly #house: House;
  #input = '';
  #inputEnded = false;
  /** An answer is on its way, and no further request is looked at. */
  #busy = false;
  #stream: ServedStream | null = null;
  #impatience: NodeJS.Timeout | undefined;
  readonly #next = () => this.#continue();

  constructor(socket: Socket, house: House) {
    this.#socket = socket;
    this.#house = house;
    socket.setEncoding('utf8');
    socket.setTimeout(house.idle, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#closed());
    socket.on('drain', () => this.#stream?.drained());
    socket.on('data', (chunk: string) => this.#read(chunk));
    socket.on('end', () => this.#end());
  }

  /** Ends a stream in order, and cuts the client off. */
  close(): void {
    const streamed = this.#stream !== null;
    this.#stream?.end();
    clearTimeout(this.#impatience);
    this.#input = '';
    if (streamed) this.#leave();
    else this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#input += chunk;
    if (this.#stream !== null) this.#listenForStop();
    else if (this.#busy) this.#socket.pause();
    else this.#continue();
  }

  #end(): void {
    this.#inputEnded = true;
    if (this.#stream !== null) this.#stream.end();
    else if (!this.#busy) this.#continue();
  }

  #closed(): void {
    clearTimeout(this.#impatience);
    this.#stream?.abandon();
    this.#forgetStream();
  }

  /** Looks at the next request. */
  #continue(): void {
    this.#busy = false;
    if (this.#socket.destroyed) return;
    const line = this.#line();
    if (line === null) {
      if (this.#busy) return;
      if (this.#inputEnded) this.#socket.end();
      else this.#socket.resume();
      return;
    }
    const request = readRequest(line);
    if (request === null) this.#cutOff(REQUEST_FORM);
    else if ('ask' in request) this.#answer(request);
    else {
      // A stop: the stream had ended before the client knew.
      this.#busy = true;
      setImmediate(this.#next);
    }
  }

  /** The next line of the input, or null when there is none yet or it is too long. */
  #line(): string | null {
    const end = this.#input.indexOf('\n');
    if (end > MAX_REQUEST || (end < 0 && this.#input.length > MAX_REQUEST)) {
      this.#cutOff(`a request has ${MAX_REQUEST} characters at most`);
      return null;
    }
    if (end < 0) return null;
    const line = this.#input.slice(0, end);
    this.#input = this.#input.slice(end + 1);
    return line;
  }

  #answer({ id, ask, with: options }: ControlRequest): void {
    const { questions } = this.#house;
    const question = Object.hasOwn(questions, ask) ? questions[ask] : undefined;
    if (question === undefined) {
      this.#send({ id, error: `there is no '${ask}' to ask for` });
      return;
    }
    try {
      const answer = question(options);
      if (answer instanceof StreamSource) this.#begin(id, answer);
      else if (answer instanceof Promise) this.#answerLater(id, answer);
      else this.#send({ id, answer });
    } catch (error) {
      this.#send(errorReply(id, error));
    }
  }

  #answerLater(id: number, answer: Promise<unknown>): void {
    this.#busy = true;
    const send = (reply: ControlReply) => {
      if (!this.#socket.destroyed) this.#send(reply);
    };
    answer.then(
      (value) => send({ id, answer: value }),
      (error) => send(errorReply(id, error)),
    );
  }

  #send(reply: ControlReply): void {
    this.#busy = true;
    // Others get their turn before the next request, which waits until this answer is read.
    if (this.#socket.write(`${JSON.stringify(reply)}\n`)) {
      setImmediate(this.#next);
      return;
    }
    this.#socket.pause();
    this.#impatience = setTimeout(() => this.#socket.destroy(), this.#house.stalled);
    this.#socket.once('drain', () => {
      clearTimeout(this.#impatience);
      this.#continue();
    });
  }

  #begin(id: number, source: StreamSource): void {
    const house = this.#house;
    if (house.streams >= house.maxStreams) {
      throw new Error(`${house.maxStreams} streams run already`);
    }
    const stream = new ServedStream(id, this.#socket, (last) => {
      this.#forgetStream();
      this.#send(last);
    });
    house.streams++;
    this.#stream = stream;
    this.#busy = true;
    // Nothing may happen for a long time in a stream, and its reader may be slow.
    this.#socket.setTimeout(0);
    try {
      stream.begin(source);
    } catch (error) {
      this.#forgetStream();
      throw error;
    }
    if (this.#stream === null) return;
    if (this.#inputEnded) {
      stream.end();
      return;
    }
    this.#socket.resume();
    this.#listenForStop();
  }

  #forgetStream(): void {
    if (this.#stream === null) return;
    this.#stream = null;
    this.#house.streams--;
    this.#socket.setTimeout(this.#house.idle);
  }

  #listenForStop(): void {
    const stream = this.#stream;
    const line = this.#line();
    if (stream === null || line === null) return;
    const request = readRequest(line);
    if (request !== null && 'stop' in request && request.id === stream.id) stream.end();
    else this.#cutOff(STOP_FORM);
  }

  #cutOff(error: string): void {
    this.#stream?.abandon();
    this.#forgetStream();
    this.#input = '';
    this.#busy = true;
    const reply: ControlReply = { id: null, error };
    this.#socket.write(`${JSON.stringify(reply)}\n`);
    this.#leave();
  }

  /** Destroys the connection when what was written is read, or soon. */
  #leave(): void {
    const socket = this.#socket;
    this.#impatience = setTimeout(() => socket.destroy(), this.#house.stalled);
    this.#impatience.unref();
    socket.removeAllListeners('data').resume();
    socket.end(() => socket.destroy());
  }
}

function readRequest(line: string): ControlRequest | ControlStop | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    const { id, ask, stop, with: options } = value as Partial<ControlRequest & ControlStop>;
    if (typeof id !== 'number') return null;
    if (stop === true && ask === undefined) return { id, stop };
    return typeof ask === 'string' ? { id, ask, with: options } : null;
  } catch {
    return null;
  }
}

function errorReply(id: number, error: unknown): ControlReply {
  if (!(error instanceof Error)) return { id, error: String(error) };
  const { message, code } = error as NodeJS.ErrnoException;
  return code === undefined ? { id, error: message } : { id, error: message, code };
}
