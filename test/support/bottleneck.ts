import { memoryPair } from '../../src/link/memory.js';
import { VirtualRuntime } from '../../src/runtime/virtual.js';
import type { ConnectionInfo } from '../../src/stack/connection.js';
import { Host } from '../../src/stack/host.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import type { Trace } from '../../src/tcp/trace.js';
import { User } from './user.js';

export interface BottleneckOptions {
  /** Bits per ms: kbit/s. */
  rate: number;
  /** Round trip without queueing, ms. */
  rtt: number;
  /** Bytes that the queue holds; what comes beyond is lost. */
  queue: number;
  /** ECN-capable packets that find more bytes than this waiting are marked. */
  markAt?: number;
  /** Other packets are lost by chance, so many of each. */
  loss?: number;
  tcp?: Partial<TcpConfig>;
  trace?: Trace;
  seed?: number;
}

/** One connection from the sender's side, and what of it has arrived. */
export interface Flow {
  user: User;
  /** Bytes that the receiver has read. */
  received: number;
  info(): ConnectionInfo;
}

const ACK_BYTES = 100;

/** A sender and a receiver with one queue of a given rate between them, on virtual time. */
export class Bottleneck {
  readonly runtime: VirtualRuntime;
  readonly sender: Host;
  readonly receiver: Host;
  /** What has waited in the queue: the longest, and the sum of all packets and their number. */
  mostQueued = 0;
  queuedSum = 0;
  packets = 0;
  lost = 0;
  marked = 0;
  #busyUntil = 0;
  #ports = 1_000;

  constructor(private readonly options: BottleneckOptions) {
    this.runtime = new VirtualRuntime(options.seed ?? 1);
    const [a, b] = memoryPair({
      runtime: this.runtime,
      delay: options.rtt / 2,
      queueBytes: 1 << 30,
      onPacket: (packet, from) => (from === 'a' ? this.#pass(packet) : 0),
    });
    const tcp = { sendBuffer: 1 << 23, receiveBuffer: 1 << 23, ...options.tcp };
    const { runtime } = this;
    const trace = options.trace ?? null;
    this.sender = new Host({ runtime, link: a, address: '10.0.0.1/24', tcp, trace });
    this.receiver = new Host({ runtime, link: b, address: '10.0.0.2/24', tcp });
  }

  /** Opens a connection that sends without end, or `bytes`. */
  flow(congestionControl?: string, bytes = Infinity): Flow {
    const port = this.#ports++;
    const flow: Flow = { user: new User(), received: 0, info: () => flow.user.connection.info() };
    this.receiver.listen({ port }, (connection) => {
      const user = new User();
      user.connection = connection;
      user.readable = () => {
        for (let chunk = connection.read(); chunk !== null; chunk = connection.read()) {
          flow.received += chunk.length;
        }
      };
      return user;
    });
    const connection = this.sender.connect(
      { remoteAddress: '10.0.0.2', remotePort: port },
      flow.user,
    );
    if (congestionControl !== undefined) connection.setCongestionControl(congestionControl);
    flow.user.connection = connection;
    const text = new Uint8Array(1 << 16);
    let left = bytes;
    const fill = () => {
      for (;;) {
        const taken = connection.write(left < text.length ? text.subarray(0, left) : text);
        left -= taken;
        if (taken < text.length) return;
      }
    };
    flow.user.writable = fill;
    flow.user.established = fill;
    return flow;
  }

  run(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
  }

  /** Bytes that wait, the packet under way included. */
  get queued(): number {
    return (Math.max(0, this.#busyUntil - this.runtime.now()) * this.options.rate) / 8;
  }

  #pass(packet: Uint8Array): number {
    const { rate, queue, markAt, loss = 0 } = this.options;
    const waiting = this.queued;
    if (packet.length > ACK_BYTES) {
      this.packets++;
      this.queuedSum += waiting;
      this.mostQueued = Math.max(this.mostQueued, waiting);
    }
    if (waiting + packet.length > queue || this.runtime.entropy.float() < loss) {
      this.lost++;
      return -1;
    }
    if (markAt !== undefined && waiting > markAt && (packet[1]! & 3) !== 0) {
      this.marked++;
      mark(packet);
    }
    const now = this.runtime.now();
    this.#busyUntil = Math.max(this.#busyUntil, now) + (packet.length * 8) / rate;
    return this.#busyUntil - now;
  }
}

/** Sets Congestion Experienced, and the header checksum for it (RFC 1624). */
export function mark(packet: Uint8Array): void {
  const before = packet[1]!;
  packet[1] = before | 3;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const sum = (~view.getUint16(10) & 0xffff) + (packet[1]! - before);
  view.setUint16(10, ~(sum + (sum >> 16)) & 0xffff);
}

/** Jain's index of fairness: 1 when all are equal, 1/n when one has all. */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0);
  return sum ** 2 / (shares.length * shares.reduce((a, b) => a + b * b, 0));
}
