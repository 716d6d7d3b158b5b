import { type ChildProcess, fork } from 'node:child_process';

/**
 * A process that tries seeds: it answers a request with one message, and says `{ trying }` before each
 * seed, so that one that never returns is known.
 */
export class SeedWorker<Request extends object, Answer extends object> {
  /** The seed that it was at last. */
  trying = 0;
  readonly #child: ChildProcess;

  constructor(
    file: string,
    /** A seed that takes longer than so many ms never returns. */
    private readonly stuck: number,
  ) {
    this.#child = fork(file, { execArgv: [] });
  }

  /** The answer to a request, within `more` ms and those for a seed; null: none, the process ended. */
  ask(request: Request, more = 0): Promise<Answer | null> {
    return new Promise((resolve) => {
      const child = this.#child;
      const patience = more + this.stuck;
      const giveUp = (): void => {
        child.kill('SIGKILL');
      };
      let timer = setTimeout(giveUp, patience);
      const finish = (answer: Answer | null): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(answer);
      };
      child.on('message', (answer: Answer) => {
        if (!('trying' in answer)) return finish(answer);
        this.trying = (answer as { trying: number }).trying;
        clearTimeout(timer);
        timer = setTimeout(giveUp, patience);
      });
      child.on('exit', () => finish(null));
      child.send(request);
    });
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
