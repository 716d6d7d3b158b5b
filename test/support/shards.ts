import { RxBatch, type TxBatch } from '../../src/base/batch.js';
import type { Link, LinkReceiver } from '../../src/link/link.js';
import { type MemoryLink, memoryPair } from '../../src/link/memory.js';
import { VirtualRuntime } from '../../src/runtime/virtual.js';
import { Host } from '../../src/stack/host.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import { Board } from '../../src/workers/board.js';
import type { Parcel } from '../../src/workers/parcel.js';
import { type ParcelPort, ShardBus } from '../../src/workers/shard-bus.js';
import { type Packet, readTcp } from './packet.js';

export const SHARED_ADDRESS = '10.0.0.2';

/** One of several queues: what the trunk steers to it arrives here, what it sends goes by the trunk. */
class Queue implements Link {
  readonly offload = false;
  readonly headroom = 0;
  readonly blocked = false;
  receiver: LinkReceiver | null = null;

  constructor(
    readonly name: string,
    private readonly trunk: MemoryLink,
  ) {}

  get mtu(): number {
    return this.trunk.mtu;
  }

  open(receiver: LinkReceiver): void {
    this.receiver = receiver;
  }

  send(batch: TxBatch): void {
    this.trunk.send(batch);
  }

  close(): void {}
}

/** Two ends of a way between shards, on virtual time. */
function channel(runtime: VirtualRuntime): [ParcelPort, ParcelPort] {
  const listeners: ((parcel: Parcel) => void)[] = [];
  const end = (self: number): ParcelPort => ({
    postMessage: (parcel) => runtime.yield(() => listeners[1 - self]?.(parcel)),
    on: (_event, listener) => {
      listeners[self] = listener;
    },
    unref: () => {},
    close: () => {
      listeners[self] = () => {};
    },
  });
  return [end(0), end(1)];
}

/**
 * Shards that have 10.0.0.2 in common, and a host 10.0.0.1 on the other side of their link. The test says
 * to which shard each packet goes, as a kernel does.
 */
export class ShardScene {
  readonly runtime = new VirtualRuntime(1);
  readonly client: Host;
  readonly shards: readonly Host[];
  readonly board: Board;
  /** TCP packets from the shards. */
  readonly sent: Packet[] = [];
  /** The shard that gets a packet; -1: it is lost. */
  steer: (packet: Uint8Array) => number = () => 0;
  readonly #queues: readonly Queue[];

  constructor(count = 2, tcp: Partial<TcpConfig> = {}) {
    const { runtime } = this;
    const [outside, trunk] = memoryPair({
      runtime,
      delay: 1,
      onPacket: (packet, from) => {
        const read = from === 'b' ? readTcp(packet, runtime.now()) : null;
        if (read !== null) this.sent.push(read);
        return 0;
      },
    });
    this.board = new Board(Board.memory(count), count);
    const secret = runtime.random(32);
    const buses = Array.from({ length: count }, (_, i) => {
      return new ShardBus(i, count, secret, 0, this.board);
    });
    for (let i = 0; i < count; i++) {
      for (let j = i + 1; j < count; j++) {
        const [ours, theirs] = channel(runtime);
        buses[i]!.addPeer(j, ours);
        buses[j]!.addPeer(i, theirs);
      }
    }
    this.#queues = buses.map((_, i) => new Queue(`queue${i}`, trunk));
    this.shards = buses.map((shard, i) => {
      const link = this.#queues[i]!;
      return new Host({ runtime, link, address: `${SHARED_ADDRESS}/24`, shard, tcp });
    });
    trunk.open({ receive: (batch) => this.#spread(batch), writable() {}, closed() {} });
    this.client = new Host({ runtime, link: outside, address: '10.0.0.1/24' });
  }

  /** Sends an IPv4 packet to a shard, from outside. */
  inject(packet: Uint8Array, shard: number): void {
    this.#give(packet, shard);
  }

  /** What the shards have handed over, and taken over. */
  get handedOver(): number[] {
    return this.shards.map(({ counters }) => counters.shardOutPackets);
  }

  get takenOver(): number[] {
    return this.shards.map(({ counters }) => counters.shardInPackets);
  }

  #spread(batch: RxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const offset = batch.offset[i]!;
      const packet = batch.bytes.slice(offset, offset + batch.length[i]!);
      this.#give(packet, this.steer(packet));
    }
  }

  #give(packet: Uint8Array, shard: number): void {
    const one = new RxBatch(packet.slice());
    one.push(0, packet.length, 0, 0);
    this.#queues[shard]?.receiver?.receive(one);
  }
}
