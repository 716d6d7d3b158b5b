import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type House, type Questions, Session } from './session.js';

const MAX_CLIENTS = 16;
/** So that there is always room for a client that asks. */
const MAX_STREAMS = 8;
/** Ms until a client that reads nothing of its answer is cut off, and one that asks nothing. */
const STALLED = 5_000;
const IDLE = 300_000;

export interface ControlServer {
  readonly path: string;
  /** Ends all streams in order, cuts all clients off and removes the socket. Idempotent. */
  close(): void;
}

export interface Patience {
  /** Ms; default 5,000 and 300,000. */
  stalled?: number;
  idle?: number;
}

/**
 * Answers on a UNIX socket that only this user can open; the directory has to keep others out already.
 * A client holds one answer at most, and loses its connection when it does not read it; of a stream it
 * loses what it does not read in time.
 */
export function startControlServer(
  path: string,
  questions: Questions,
  { stalled = STALLED, idle = IDLE }: Patience = {},
): Promise<ControlServer> {
  const clients = new Map<Socket, Session>();
  const house: House = { questions, stalled, idle, maxStreams: MAX_STREAMS, streams: 0 };
  // What was asked before a half-close is still answered.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.set(socket, new Session(socket, house));
    socket.once('close', () => clients.delete(socket));
  });
  server.maxConnections = MAX_CLIENTS;
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    for (const session of clients.values()) session.close();
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
