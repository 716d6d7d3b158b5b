// What segments of 64 bytes allocate on V8's heap: `heap-growth.mjs SEGMENTS merged|each`. Two hosts, each on
// the link of a TUN device without offload; the devices are the ends of a cable in memory that allocates
// nothing for a packet. Prints, as JSON, the bytes per segment that is sent and received: where segments
// are merged and cut below TCP, or where a trace wants each on its own.
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { RX_CHECKSUM_VOUCHED } from '../../../dist/base/batch.js';
import { steadyHeap } from '../../../dist/link/steady-heap.js';
import { TunLink } from '../../../dist/link/tun.js';
import { systemRuntime } from '../../../dist/runtime/system.js';
import { Host } from '../../../dist/stack/host.js';
import { SilentTrace } from '../../../dist/tcp/trace.js';

const SEGMENTS = Number(process.argv[2]);
const SEGMENT = 64;
/** IPv4, TCP and timestamps. */
const MTU = SEGMENT + 52;
const BATCH = 256;
/** Most packets on the cable; more than the windows allow. */
const SLOTS = 16_384;
const BUFFER = 256 * 1024;
const EAGAIN = 11;

/** What TunLink asks of the addon; what is written arrives at {@link peer}. */
class CableEnd {
  name = 'cable';
  offload = false;
  peer = null;
  #bytes = new Uint8Array(SLOTS * MTU);
  #lengths = new Int32Array(SLOTS);
  #head = 0;
  #count = 0;
  #deliver = () => {
    const count = Math.min(this.#count, BATCH);
    let at = this.from;
    for (let i = 0; i < count; i++) {
      const slot = (this.#head + i) % SLOTS;
      const length = this.#lengths[slot];
      for (let k = 0; k < length; k++) this.arena[at + k] = this.#bytes[slot * MTU + k];
      this.offset[i] = at;
      this.length[i] = length;
      this.flags[i] = RX_CHECKSUM_VOUCHED;
      at += length;
    }
    this.#head = (this.#head + count) % SLOTS;
    this.#count -= count;
    if (this.#count > 0) setImmediate(this.#deliver);
    this.onPackets(count, 0);
  };

  start(arena, from, offset, length, flags, onPackets) {
    Object.assign(this, { arena, from, offset, length, flags, onPackets });
  }

  setArena(arena, from) {
    this.arena = arena;
    this.from = from;
  }

  write(buffers, pieces, pieceEnd, first, count) {
    for (let i = first; i < first + count; i++) {
      if (!this.peer.take(buffers, pieces, i === 0 ? 0 : pieceEnd[i - 1], pieceEnd[i])) {
        return i > first ? i - first : -EAGAIN;
      }
    }
    return count;
  }

  take(buffers, pieces, from, to) {
    if (this.#count === SLOTS) return false;
    const slot = (this.#head + this.#count) % SLOTS;
    let at = slot * MTU;
    for (let p = from * 3; p < to * 3; p += 3) {
      const buffer = buffers[pieces[p]];
      const end = pieces[p + 1] + pieces[p + 2];
      for (let k = pieces[p + 1]; k < end; k++) this.#bytes[at++] = buffer[k];
    }
    this.#lengths[slot] = at - slot * MTU;
    if (this.#count++ === 0) setImmediate(this.#deliver);
    return true;
  }

  pollWritable() {
    throw new Error('the cable is full');
  }
}

function user(events) {
  const nothing = { established() {}, readable() {}, writable() {}, finished() {}, closed() {} };
  return { ...nothing, ...events };
}

/** Sends from one host to another; calls `arrived` with the bytes of each batch. */
function transfer(trace, arrived) {
  const ends = [new CableEnd(), new CableEnd()];
  ends[0].peer = ends[1];
  ends[1].peer = ends[0];
  const [a, b] = ends.map((end, i) => {
    const tcp = { receiveBufferMax: BUFFER, receiveBuffer: BUFFER, sendBufferMax: BUFFER };
    const link = new TunLink(end, MTU);
    return new Host({ runtime: systemRuntime(), link, address: `10.7.0.${i + 1}/24`, tcp, trace });
  });
  b.listen({ port: 9 }, (connection) =>
    user({
      readable() {
        let bytes = 0;
        for (let chunk = connection.read(); chunk !== null; chunk = connection.read()) {
          bytes += chunk.length;
        }
        arrived(bytes);
      },
    }),
  );
  const block = Buffer.alloc(64 * 1024);
  const pump = () => {
    while (connection.write(block) > 0);
  };
  const sender = user({ established: pump, writable: pump });
  const connection = a.connect({ remoteAddress: '10.7.0.2', remotePort: 9 }, sender);
}

/** Bytes that were allocated between start and end, whatever was collected meanwhile. */
class Allocations {
  #profiler = new GCProfiler();
  #start = 0;

  start() {
    this.#profiler.start();
    this.#start = getHeapStatistics().used_heap_size;
  }

  end() {
    let bytes = getHeapStatistics().used_heap_size - this.#start;
    for (const { beforeGC, afterGC } of this.#profiler.stop().statistics) {
      bytes += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
    }
    return bytes;
  }
}

function bytesPerSegment(trace) {
  const allocations = new Allocations();
  const warm = (SEGMENTS * SEGMENT) / 4;
  const all = warm + SEGMENTS * SEGMENT;
  let received = 0;
  let from = 0;
  return new Promise((resolve) => {
    transfer(trace, (bytes) => {
      received += bytes;
      if (from === 0 && received >= warm) {
        from = received;
        allocations.start();
      } else if (from > 0 && received >= all) {
        const segments = (received - from) / SEGMENT;
        received = -Infinity;
        resolve(allocations.end() / segments);
      }
    });
  });
}

// Once for a process, whatever arrives.
steadyHeap();
// Timers of a host do not keep the process running.
setInterval(() => {}, 1000);
const mode = process.argv[3];
const bytes = await bytesPerSegment(mode === 'each' ? new SilentTrace() : null);
process.stdout.write(`${JSON.stringify({ bytes })}\n`, () => process.exit(0));
