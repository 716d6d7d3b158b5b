import { type FaultsOptions, faultsLink } from '../../../src/link/faults.js';
import type { PathFaults } from '../../../src/link/faults-options.js';
import { type MemoryPairOptions, memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { checksum } from '../../../src/wire/checksum.js';
import { IPV4_DONT_FRAGMENT } from '../../../src/wire/ipv4.js';
import { readTcp, writeSegment } from '../../support/packet.js';
import { batchOf, Receiver } from './receiver.js';

export const A = 0x0a000001;
export const B = 0x0a000002;
export const HEADERS = 40;

/** A segment from A to B with `seq` 1000 + `n` * 100 and so many octets of text. */
export function segment(n: number, length = 100, flags = '.'): Uint8Array {
  const data = new Uint8Array(length).fill(n);
  return writeSegment({
    srcAddr: A,
    dstAddr: B,
    srcPort: 1,
    dstPort: 2,
    flags,
    seq: 1000 + n * 100,
    data,
  });
}

/** Changes a word of the IPv4 header. */
function withWord(packet: Uint8Array, at: number, value: number): Uint8Array {
  const view = new DataView(packet.buffer);
  view.setUint16(at, value);
  view.setUint16(10, 0);
  view.setUint16(10, checksum(packet, view, 0, 20));
  return packet;
}

export const ecnCapable = (n: number, length?: number) => withWord(segment(n, length), 0, 0x4502);
export const unfragmentable = (n: number, length: number) =>
  withWord(segment(n, length), 6, IPV4_DONT_FRAGMENT);

/** A pair whose end `a` has faults; what arrives at `b` is written down with its time. */
export function setUp(options: FaultsOptions, pair: MemoryPairOptions = {}) {
  const runtime = new VirtualRuntime();
  const [inner, b] = memoryPair({ runtime, ...pair });
  const a = faultsLink(inner, { runtime, ...options });
  const [atA, atB] = [new Receiver(), new Receiver()];
  const times: number[] = [];
  atB.onBatch = (batch) => {
    for (let i = 0; i < batch.count; i++) times.push(runtime.now());
  };
  a.open(atA);
  b.open(atB);
  const send = (...packets: Uint8Array[]) => a.send(batchOf(packets, a.headroom));
  /** Numbers of the segments that arrived, intact ones only. */
  const arrived = () =>
    atB.packets.map((bytes) => readTcp(bytes, 0)).map((p) => p && (p.rawSeq - 1000) / 100);
  return { runtime, a, b, atA, atB, times, send, arrived };
}

export function up(faults: PathFaults, options: FaultsOptions = {}) {
  return setUp({ up: faults, ...options });
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
