// How often V8 marks its heap while 16 GiB arrive that are kept for a moment: prints the number of major
// collections as JSON, of the second half. The heap has between 8 and 14 MiB, as that of a small server has, but
// for what TunLink adds.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { TunLink } from '../../../dist/link/tun.js';

const HEAP = 11 * 1024 * 1024;
const PACKET = 60_000;
const BATCHES = 32_768;
const PACKETS = 8;

const device = {
  name: 'fake0',
  offload: false,
  start(_bytes, from, offset, length, _flags, onPackets) {
    Object.assign(this, { from, offset, length, onPackets });
  },
  setArena(_bytes, from) {
    this.from = from;
  },
  setBusyPoll() {},
  ref() {},
  unref() {},
};

const heap = '.'.repeat(HEAP - getHeapStatistics().used_heap_size);
heap.indexOf('x'); // makes it one piece
let majors = 0;
new PerformanceObserver((list) => {
  const { NODE_PERFORMANCE_GC_MAJOR, NODE_PERFORMANCE_GC_INCREMENTAL } = constants;
  for (const { detail } of list.getEntries()) {
    const { kind } = detail;
    if (kind === NODE_PERFORMANCE_GC_MAJOR || kind === NODE_PERFORMANCE_GC_INCREMENTAL) majors++;
  }
}).observe({ entryTypes: ['gc'] });

const link = new TunLink(device, 65_535);
let kept = [];
link.open({
  receive(batch) {
    kept = Array.from({ length: batch.count }, (_, i) =>
      batch.bytes.subarray(batch.offset[i], batch.offset[i] + batch.length[i]),
    );
    batch.pinned = true;
  },
  writable() {},
  closed() {},
});
let before = 0;
for (let batch = 0; batch < BATCHES; batch++) {
  if (batch === BATCHES / 2) before = majors;
  for (let i = 0; i < PACKETS; i++) {
    device.offset[i] = device.from + i * PACKET;
    device.length[i] = PACKET;
  }
  device.onPackets(PACKETS, 0);
  await new Promise((resolve) => setImmediate(resolve));
}
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({ majors: majors - before, kept: heap.length + kept.length }));
process.exit(0);
