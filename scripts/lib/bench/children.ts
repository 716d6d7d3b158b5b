import type { ChildProcess } from 'node:child_process';

const running = new Set<ChildProcess>();

/** Programs that have to end with this one, however it ends. */
export const Children = {
  add(child: ChildProcess): void {
    if (running.size === 0) process.once('exit', killAll);
    running.add(child);
    child.once('close', () => {
      running.delete(child);
      if (running.size === 0) process.off('exit', killAll);
    });
  },
};

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
