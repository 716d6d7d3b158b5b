import { createConnection, type Socket } from 'node:net';
import { ControlStream, type Done, type Heard } from './client-stream.js';
import type { Answers, ControlReply, Streams } from './protocol.js';

/** Ms for a connection and for an answer. */
const PATIENCE = 5_000;
/** Characters of an answer. */
const MAX_ANSWER = 64 * 1024 * 1024;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Asks a running stack by its control socket. */
export class ControlClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #patience: number;
  #lastId = 0;
  #stream: ControlStream<keyof Streams> | null = null;
  #streamId = 0;
  #chunks: string[] = [];
  #length = 0;

  private constructor(socket: Socket, patience: number) {
    this.#socket = socket;
    this.#patience = patience;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the stack has ended, or cut us off')));
  }

  /**
   * Rejects with Node's `code`: ECONNREFUSED when the socket is stale, ENOENT when there is none,
   * ETIMEDOUT when nobody accepts. `patience`: ms for this and for each answer.
   */
  static connect(path: string, patience = PATIENCE): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const late = setTimeout(() => {
        reject(Object.assign(new Error('nobody accepts'), { code: 'ETIMEDOUT' }));
        socket.destroy();
      }, patience);
      socket.once('error', (error) => {
        clearTimeout(late);
        reject(error);
      });
      socket.once('connect', () => {
        clearTimeout(late);
        resolve(new ControlClient(socket, patience));
      });
    });
  }

  /** Rejects when the stack has ended, says no, or does not answer in time. */
  async ask<K extends keyof Answers>(what: K): Promise<Answers[K]> {
    const id = ++this.#lastId;
    let late: NodeJS.Timeout | undefined;
    try {
      return (await new Promise<unknown>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        late = setTimeout(() => reject(new Error('the stack does not answer')), this.#patience);
        if (this.#socket.destroyed) this.#fail(new Error('the stack has ended'));
        else this.#socket.write(`${JSON.stringify({ id, ask: what })}\n`);
      })) as Answers[K];
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
    }
  }

  /** Asks for a stream, which has the connection until it has ended. */
  stream<K extends keyof Streams>(what: K, options: Streams[K]['with']): ControlStream<K> {
    const id = ++this.#lastId;
    const socket = this.#socket;
    const say = (request: object) => socket.write(`${JSON.stringify(request)}\n`);
    const wire = {
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      stop: () => say({ id, stop: true }),
    };
    const stream = new ControlStream<K>(wire, this.#patience);
    this.#stream = stream as unknown as ControlStream<keyof Streams>;
    this.#streamId = id;
    if (socket.destroyed) this.#fail(new Error('the stack has ended'));
    else say({ id, ask: what, with: options });
    return stream;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      this.#chunks.push(chunk.slice(from, end));
      const line = this.#chunks.join('');
      this.#chunks = [];
      this.#length = 0;
      this.#take(line);
      from = end + 1;
    }
    this.#length += chunk.length - from;
    if (this.#length > MAX_ANSWER) {
      this.#fail(new Error('the answer is too long'));
      this.#socket.destroy();
      return;
    }
    if (from < chunk.length) this.#chunks.push(chunk.slice(from));
  }

  #take(line: string): void {
    let reply: ControlReply;
    try {
      reply = JSON.parse(line);
    } catch {
      this.#fail(new Error('what answers is no tuntcp'));
      this.#socket.destroy();
      return;
    }
    if ('answer' in reply) this.#waiting.get(reply.id)?.resolve(reply.answer);
    else if ('error' in reply) this.#refused(reply);
    else if (reply.id === this.#streamId) this.#streamed(reply);
  }

  #streamed(reply: Extract<ControlReply, { item: unknown } | { lost: number }>): void {
    if ('done' in reply) {
      const { done, lost } = reply as Done<keyof Streams>;
      this.#stream?.ends({ done, lost });
      return;
    }
    const heard = 'item' in reply ? { item: reply.item } : { lost: reply.lost };
    this.#stream?.hears(heard as Heard<keyof Streams>);
  }

  #refused({ id, error: message, code }: { id: number | null; error: string; code?: string }) {
    const error = Object.assign(new Error(message), code === undefined ? {} : { code });
    const waiting = id === null ? undefined : this.#waiting.get(id);
    if (waiting !== undefined) waiting.reject(error);
    else this.#fail(error);
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#stream?.ends(error);
  }
}
