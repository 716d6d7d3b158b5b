import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { ControlAnswer, ControlRequest } from './protocol.js';

/** Characters of a request; a longer one ends the connection. */
const MAX_REQUEST = 4096;
const MAX_CLIENTS = 16;
/** Ms until a client that reads nothing of its answer is cut off, and one that asks nothing. */
const STALLED = 5_000;
const IDLE = 300_000;

/** What can be asked, by name. An error that is thrown becomes the answer. */
export type Questions = Readonly<Record<string, () => unknown>>;

export interface ControlServer {
  readonly path: string;
  /** Cuts all clients off and removes the socket. Idempotent. */
  close(): void;
}

export interface Patience {
  /** Ms; default 5,000 and 300,000. */
  stalled?: number;
  idle?: number;
}

/**
 * Answers on a UNIX socket that only this user can open; the directory has to keep others out already.
 * A client holds one answer at most, and loses its connection when it does not read it.
 */
export function startControlServer(
  path: string,
  questions: Questions,
  { stalled = STALLED, idle = IDLE }: Patience = {},
): Promise<ControlServer> {
  const clients = new Set<Socket>();
  // What was asked before a half-close is still answered.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    serveClient(socket, questions, stalled, idle);
  });
  server.maxConnections = MAX_CLIENTS;
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    for (const socket of clients) socket.destroy();
    server.close();
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      try {
        chmodSync(path, 0o600);
      } catch (error) {
        close();
        reject(error);
        return;
      }
      // Nobody is there to hear of a client that could not be accepted.
      server.off('error', reject).on('error', () => {});
      resolve({ path, close });
    });
  });
}

/** Removes a socket at which nobody answers. */
export function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function serveClient(socket: Socket, questions: Questions, stalled: number, idle: number): void {
  let input = '';
  /** An answer is on its way, and no further request is looked at. */
  let busy = false;
  let inputEnded = false;
  let impatience: NodeJS.Timeout | undefined;

  const next = (): void => {
    busy = false;
    if (socket.destroyed) return;
    const end = input.indexOf('\n');
    if (end > MAX_REQUEST || (end < 0 && input.length > MAX_REQUEST)) {
      cutOff(`a request has ${MAX_REQUEST} characters at most`);
      return;
    }
    if (end < 0) {
      if (inputEnded) socket.end();
      else socket.resume();
      return;
    }
    const line = input.slice(0, end);
    input = input.slice(end + 1);
    const request = readRequest(line);
    if (request === null) cutOff('a request is {"id": NUMBER, "ask": NAME} on one line');
    else send(answerTo(request, questions));
  };
  const send = (answer: ControlAnswer): void => {
    busy = true;
    // Others get their turn before the next request, which waits until this answer is read.
    if (socket.write(`${JSON.stringify(answer)}\n`)) {
      setImmediate(next);
      return;
    }
    socket.pause();
    impatience = setTimeout(() => socket.destroy(), stalled);
    socket.once('drain', () => {
      clearTimeout(impatience);
      next();
    });
  };
  const cutOff = (error: string): void => {
    input = '';
    busy = true;
    const answer: ControlAnswer = { id: null, error };
    socket.end(`${JSON.stringify(answer)}\n`, () => socket.destroy());
  };

  socket.setEncoding('utf8');
  socket.setTimeout(idle, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.once('close', () => clearTimeout(impatience));
  socket.on('data', (chunk: string) => {
    input += chunk;
    if (busy) socket.pause();
    else next();
  });
  socket.on('end', () => {
    inputEnded = true;
    if (!busy) next();
  });
}

function readRequest(line: string): ControlRequest | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    const { id, ask } = value as Partial<ControlRequest>;
    return typeof id === 'number' && typeof ask === 'string' ? { id, ask } : null;
  } catch {
    return null;
  }
}

function answerTo({ id, ask }: ControlRequest, questions: Questions): ControlAnswer {
  const question = Object.hasOwn(questions, ask) ? questions[ask] : undefined;
  if (question === undefined) return { id, error: `there is no '${ask}' to ask for` };
  try {
    return { id, answer: question() };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}
