import type { ControlStream, Heard } from './control/client-stream.js';
import type { Streams } from './control/protocol.js';
import type { Io } from './io.js';

/** Ms that what has arrived may take to be written, once the end was asked for. */
const PATIENCE = 2000;

/**
 * Gives what a stream says to `hear`, one after the other, until the stream has ended; Ctrl-C and the
 * like end it in order, a second one at once. Returns whether the end was asked for. Rejects when the
 * stack has ended without a word or refuses.
 */
export async function follow<K extends keyof Streams>(
  io: Io,
  stream: ControlStream<K>,
  hear: (heard: Heard<K>) => Promise<void> | undefined,
): Promise<boolean> {
  let asked = false;
  let late: NodeJS.Timeout | undefined;
  let stuck = false;
  let wake = () => {};
  const giveUp = () => {
    stuck = true;
    wake();
  };
  const release = io.onStop((reason) => {
    stream.stop();
    if (asked || reason === 'EPIPE') giveUp();
    else late = setTimeout(giveUp, PATIENCE);
    asked = true;
  });
  try {
    for await (const heard of stream) {
      const taken = hear(heard);
      if (taken === undefined) continue;
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        taken.then(resolve, reject);
        if (stuck) resolve();
      });
      if (stuck) break;
    }
    return asked;
  } finally {
    release();
    clearTimeout(late);
  }
}

/** Writes; what it returns settles when there is room for more, or nobody reads. */
export function written(
  to: NodeJS.WritableStream & { readonly destroyed: boolean },
  data: string | Uint8Array,
): Promise<void> | undefined {
  if (to.destroyed || to.write(data)) return undefined;
  return new Promise((resolve) => {
    const ready = () => {
      to.removeListener('drain', ready);
      to.removeListener('close', ready);
      resolve();
    };
    to.on('drain', ready);
    to.on('close', ready);
  });
}
