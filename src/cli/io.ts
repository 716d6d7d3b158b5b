import type { Readable, Writable } from 'node:stream';
import type { Platform } from './platform.js';
import { systemPlatform } from './platform.js';

/** Why a command that would run on is asked to stop; EPIPE: nobody takes our output any more. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'EPIPE';

export interface Terminal extends Writable {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** All that a command touches, so that a test can stand in for the world. */
export interface Io {
  readonly stdin: Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: NodeJS.ProcessEnv;
  readonly platform: Platform;
  /** Calls `stop` each time the command is asked to stop, until the returned function is called. */
  onStop(stop: (reason: StopReason) => void): () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ms that the last output may take to be read once the command was asked to stop. */
const PATIENCE = 1000;

/** The real world, with its end. */
export interface ProcessIo extends Io {
  /**
   * Settles when all output is written; after a request to stop not later than soon. True when some of
   * it could not be written, as on a full disk.
   */
  flush(): Promise<boolean>;
}

/** The real world. */
export function processIo(): ProcessIo {
  const { stdin, stdout, stderr, env } = process;
  const listeners = new Set<(reason: StopReason) => void>();
  let stopping = false;
  let failed = false;
  const tell = (reason: StopReason) => {
    stopping = true;
    for (const stop of listeners) stop(reason);
  };
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && !failed) {
      failed = true;
      stderr.write(`tuntcp: standard output: ${error.message}\n`);
    }
    tell('EPIPE');
  });
  stderr.on('error', () => {});
  return {
    stdin,
    stdout,
    stderr,
    env,
    platform: systemPlatform,
    flush: () =>
      new Promise((resolve) => {
        const done = () => resolve(failed);
        // An error is told after the callback.
        stdout.write('', () => stderr.write('', () => setImmediate(done)));
        if (stopping) setTimeout(done, PATIENCE);
      }),
    onStop(stop) {
      if (listeners.size === 0) for (const signal of SIGNALS) process.on(signal, tell);
      listeners.add(stop);
      return () => {
        listeners.delete(stop);
        if (listeners.size === 0) for (const signal of SIGNALS) process.off(signal, tell);
      };
    },
  };
}
