import type { Link } from '../link/link.js';
import type { Io, StopReason } from './io.js';
import type { Host } from './platform.js';

/** Connections get this long (ms) to end with FIN. */
const PATIENCE = 2000;

/** Ends what is open with FIN, and gives the device back whatever happens. */
export async function closeHost(host: Host, link: Link): Promise<void> {
  try {
    await closeWithin(host);
  } finally {
    link.close();
  }
}

/** Closes what may take long, and goes on without it then. */
export async function closeWithin(closes: { close(): Promise<void> }): Promise<void> {
  await within(PATIENCE, closes.close());
}

/** Settles with `task`, or after `ms` without it. */
async function within(ms: number, task: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([task, patience]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first and the second request to stop. */
export class StopRequests {
  readonly first: Promise<StopReason>;
  /** Only an impatient Ctrl-C or SIGTERM counts. */
  readonly second: Promise<StopReason>;
  readonly #unsubscribe: () => void;

  constructor(io: Io) {
    let count = 0;
    let gotFirst: (reason: StopReason) => void;
    let gotSecond: (reason: StopReason) => void;
    this.first = new Promise((resolve) => {
      gotFirst = resolve;
    });
    this.second = new Promise((resolve) => {
      gotSecond = resolve;
    });
    this.#unsubscribe = io.onStop((reason) => {
      if (count === 0) gotFirst(reason);
      else if (reason !== 'EPIPE') gotSecond(reason);
      count++;
    });
  }

  /** Signals have their usual effect again. */
  release(): void {
    this.#unsubscribe();
  }
}
