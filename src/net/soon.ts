/** Who goes on later. */
export interface Proceeding {
  proceed(): void;
}

const RESOLVED = Promise.resolve();

/** Those for which {@link next} is to be called, once for each: no closure for every handle there is. */
const waiting: Proceeding[] = [];
let first = 0;

/** Calls `proceed` in a tick of its own, after whatever the callback that runs has scheduled. */
export function proceedSoon(one: Proceeding): void {
  waiting.push(one);
  void RESOLVED.then(next);
}

function next(): void {
  const one = waiting[first++]!;
  if (first === waiting.length) {
    waiting.length = 0;
    first = 0;
  }
  process.nextTick(proceed, one);
}

function proceed(one: Proceeding): void {
  one.proceed();
}
