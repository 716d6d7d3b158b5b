import { getHeapStatistics } from 'node:v8';

/** Bytes of heap up to which a small one is filled. */
const FILLED_HEAP_BYTES = 16 * 1024 * 1024;

/** Bytes of heap from which on V8 needs no help. */
const LARGE_HEAP_BYTES = 64 * 1024 * 1024;

/** With 1 MiB it takes V8 some ten marks more to raise its limit. */
const RENEWED_BYTES = 4 * 1024 * 1024;

/** Text costs nothing but its memory: V8 does not look into it. */
const ballast = { lasting: '', renewed: '' };

/** Learns that V8 has marked the heap: that alone collects what is held here and nowhere else. */
const marks = new FinalizationRegistry(renew);

/**
 * Has V8 leave a small heap alone, however much is received, for as long as this thread runs.
 *
 * What is received at full speed lies outside of the heap, and V8 collects it after every 32 MiB. A small heap
 * may have a limit that 32 MiB more pass, so that V8 marks the whole of it some 50 times a second, which
 * takes two thirds of the rate. The limit is the higher, the larger the heap is, and the faster it is filled
 * compared with the time that marking takes. So a heap below 16 MiB is filled up, and a part of that is made
 * anew after each mark, until one of them leaves a limit that is high enough: then there are no more.
 */
export function steadyHeap(): void {
  if (ballast.renewed !== '') return;
  renew();
  const missing = FILLED_HEAP_BYTES - getHeapStatistics().used_heap_size;
  if (missing > 0) ballast.lasting = text(missing);
}

function renew(): void {
  ballast.renewed = '';
  if (getHeapStatistics().used_heap_size >= LARGE_HEAP_BYTES) return;
  ballast.renewed = text(RENEWED_BYTES);
  marks.register({}, undefined);
}

function text(bytes: number): string {
  const all = '.'.repeat(bytes);
  // Until then it is a tree of small pieces.
  all.indexOf('x');
  return all;
}
