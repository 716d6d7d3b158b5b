import { getHeapStatistics } from 'node:v8';

/** Bytes of heap up to which a small one is filled. */
const FILLED_HEAP_BYTES = 16 * 1024 * 1024;

/** Bytes of heap from which on V8 needs no help. */
const LARGE_HEAP_BYTES = 64 * 1024 * 1024;

/** Fewest bytes that are renewed: with 1 MiB it takes V8 some ten marks more to raise its limit. */
const LEAST_BALLAST_BYTES = 4 * 1024 * 1024;

/** Text costs nothing but its memory: V8 does not look into it. */
let ballast = '';

/** Learns that V8 has marked the heap: that alone collects what is held here and nowhere else. */
const marks = new FinalizationRegistry(renewBallast);

/**
 * Has V8 leave a small heap alone, however much is received, for as long as this thread runs.
 *
 * What is received at full speed lies outside of the heap, and V8 collects it after every 32 MiB. A small heap
 * may have a limit that 32 MiB more pass, so that V8 marks the whole of it some 50 times a second, which
 * takes two thirds of the rate. The limit is the higher, the larger the heap is, and the faster it is filled
 * compared with the time that marking takes. So a heap below 16 MiB is filled up, and what fills it is made
 * anew after each mark, until one of them leaves a limit that is high enough: then there are no more.
 */
export function steadyHeap(): void {
  if (ballast === '') renewBallast();
}

function renewBallast(): void {
  const others = getHeapStatistics().used_heap_size - ballast.length;
  if (others >= LARGE_HEAP_BYTES) {
    ballast = '';
    return;
  }
  ballast = '.'.repeat(Math.max(FILLED_HEAP_BYTES - others, LEAST_BALLAST_BYTES));
  // Until then it is a tree of small pieces.
  ballast.indexOf('x');
  marks.register({}, undefined);
}
