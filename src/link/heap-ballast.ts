import { getHeapStatistics } from 'node:v8';

/** Bytes of heap from which on V8 lets what lies outside of it come and go. */
const STEADY_HEAP_BYTES = 16 * 1024 * 1024;

let ballast = '';

/**
 * Fills a small heap up to 16 MiB, once for each thread, for as long as that runs.
 *
 * What is received at full speed lies outside of the heap, and V8 collects it after every 32 MiB. A heap of
 * 8 to 14 MiB has a limit that 32 MiB more pass, so that V8 marks the whole of it some 50 times a second, which
 * takes two thirds of the rate; a larger one has a higher limit. Text costs nothing but its memory: V8 does
 * not look into it.
 */
export function steadyHeap(): void {
  if (ballast !== '') return;
  const missing = STEADY_HEAP_BYTES - getHeapStatistics().used_heap_size;
  if (missing <= 0) return;
  ballast = '.'.repeat(missing);
  // Until then it is a tree of small pieces.
  ballast.indexOf('x');
}
