import type { Runtime } from '../runtime/runtime.js';

/** `count` unpredictable int32. */
export function randomWords(runtime: Runtime, count: number): Int32Array {
  const bytes = runtime.random(count * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: count }, (_, i) => view.getInt32(i * 4));
}
