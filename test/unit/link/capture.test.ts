import { describe, expect, it } from 'vitest';
import { RX_CHECKSUM_VOUCHED, type RxBatch } from '../../../src/base/batch.js';
import { captureLink } from '../../../src/link/capture.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { type MemoryPairOptions, memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { checksum, pseudoHeaderSum } from '../../../src/wire/checksum.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { compileFilter } from '../../../src/wire/filter.js';
import { type ReadPacket, readCapture } from '../../../src/wire/pcap-reader.js';
import { User } from '../../support/user.js';
import { batchOf, Receiver } from './receiver.js';

const MIB = 1024 * 1024;

interface Options extends MemoryPairOptions {
  filter?: string;
  snaplen?: number;
  bytes?: number;
}

/** A pair whose end `a` is captured, and a receiver at each end. */
function wires(options: Options = {}) {
  const runtime = new VirtualRuntime();
  const [inner, b] = memoryPair({ runtime, ...options });
  const ring = new CaptureRing(options.bytes ?? 16 * MIB);
  const a = captureLink(inner, ring, {
    runtime,
    epoch: 1_795_275_670_241.25,
    filter: compileFilter(options.filter ?? ''),
    ...(options.snaplen === undefined ? {} : { snaplen: options.snaplen }),
  });
  return { runtime, a, b, ring, read: () => [...readCapture(ring.file())] };
}

/** Sends `size` bytes from A to B, and 1 byte back, with the packets of the cable written down. */
function transfer(options: Options, size: number) {
  const cable: string[] = [];
  const { runtime, a, b, read } = wires({
    ...options,
    delay: 2,
    onPacket: (packet) => {
      cable.push(hex(packet));
      return 0;
    },
  });
  const [hostA, hostB] = [
    new Host({ runtime, link: a, address: '10.0.0.1/24' }),
    new Host({ runtime, link: b, address: '10.0.0.2/24' }),
  ];
  const [userA, userB] = [new User(), new User()];
  hostB.listen({ port: 7 }, (connection) => {
    userB.connection = connection;
    return userB;
  });
  userA.connection = hostA.connect({ remoteAddress: '10.0.0.2', remotePort: 7 }, userA);
  runtime.run(10);
  userA.write(Buffer.alloc(size, 'x'));
  userB.write(Buffer.from('y'));
  runtime.run(100);
  userA.end();
  userB.end();
  runtime.run(5_000);
  return { cable, packets: read(), hostA };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** 0 for a TCP packet whose checksum is right. */
function tcpSum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length - 20;
  const pseudo = pseudoHeaderSum(view.getInt32(12), view.getInt32(16), 6, length);
  return checksum(bytes, view, 20, length, pseudo);
}

describe('captureLink', () => {
  it('has packets say how long they are, while it captures', () => {
    const [inner] = memoryPair({ offload: true });
    const link = captureLink(Object.assign(inner, { gsoMaxSize: 131_072 }), new CaptureRing(MIB));
    expect(link.gsoMaxSize).toBeUndefined();
    link.stop();
    expect(link.gsoMaxSize).toBe(131_072);
  });

  it('has every packet of both directions, byte by byte, once', () => {
    const { cable, packets } = transfer({}, 20_000);
    expect(cable.length).toBeGreaterThan(20);
    expect(packets.map(({ bytes }) => hex(bytes)).sort()).toEqual(cable.sort());
    expect(new Set(packets.map(({ direction }) => direction))).toEqual(new Set([1, 2]));
  });

  it('has super-segments whole, with checksums completed in the copy alone', () => {
    const { cable, packets } = transfer({ offload: true }, 20_000);
    expect(Math.max(...packets.map(({ bytes }) => bytes.length))).toBeGreaterThan(3_000);
    for (const { bytes } of packets) expect(tcpSum(bytes)).toBe(0);
    const withoutSum = (packet: string) => packet.slice(0, 72) + packet.slice(76);
    expect(packets.map(({ bytes }) => withoutSum(hex(bytes))).sort()).toEqual(
      cable.map(withoutSum).sort(),
    );
    expect(cable.some((packet) => tcpSum(Buffer.from(packet, 'hex')) !== 0)).toBe(true);
  });

  it('stamps packets with their time to the nanosecond, and keeps cause before effect', () => {
    const { packets } = transfer({}, 100);
    const times = packets.map(({ time }) => time - 1_795_275_670_241_250_000n);
    expect(times.slice(0, 3)).toEqual([0n, 4_000_000n, 4_000_000n]);
    expect(packets.slice(0, 3).map(({ direction }) => direction)).toEqual([2, 1, 2]);
    expect(times).toEqual([...times].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0)));
  });

  it('notes why the host dropped a packet', () => {
    const { runtime, a, b, read } = wires();
    new Host({ runtime, link: a, address: '10.0.0.1/24' });
    const broken = Buffer.from('45000028000040004006000000000000', 'hex');
    b.open(new Receiver());
    b.send(batchOf([broken, Buffer.from('hello')]));
    runtime.run();
    expect(read().map(({ comment }) => comment)).toEqual(['dropped: ipShort']);
    const { packets } = transfer({}, 10);
    expect(packets.every(({ comment }) => comment === null)).toBe(true);
  });

  it('has packets in as they came, whatever is done to the bytes once they are judged', () => {
    const { runtime, a, b, read } = wires();
    const receiver = new Receiver();
    receiver.onBatch = (batch: RxBatch) => {
      batch.drop[1] = Drop.IP_TTL;
      batch.onJudged?.();
      batch.bytes.fill(0);
      a.send(batchOf([packetOf('answer')]));
    };
    a.open(receiver);
    b.open(new Receiver());
    b.send(batchOf([packetOf('one'), packetOf('two')]));
    runtime.run();
    expect(read().map(describePacket)).toEqual(['in one', 'in two dropped: ipTtl', 'out answer']);
  });

  it('keeps the rest of the link as it is', () => {
    const { runtime, a, b } = wires({ offload: true, mtu: 9_000, queueBytes: 100 });
    expect([a.name, a.mtu, a.offload, a.headroom]).toEqual(['memory:a', 9_000, true, 10]);
    const [atA, atB] = [new Receiver(), new Receiver()];
    a.open(atA);
    b.open(atB);
    a.send(batchOf([Buffer.alloc(200, 1)], 10));
    expect(a.blocked).toBe(true);
    runtime.run();
    expect([a.blocked, atA.writables, atB.packets.length]).toEqual([false, 1, 1]);
    a.close();
    runtime.run();
    expect(atA.ends).toEqual([undefined]);
  });

  it('captures nothing while it is stopped, or when the sink has closed', () => {
    const { runtime, a, b, read } = wires();
    a.open(new Receiver());
    b.open(new Receiver());
    a.stop();
    a.send(batchOf([packetOf('no')]));
    b.send(batchOf([packetOf('no')]));
    runtime.run();
    a.start();
    a.send(batchOf([packetOf('yes')]));
    expect(read().map(describePacket)).toEqual(['out yes']);
    expect(a.captured).toBe(1);
  });

  it('gives packets to sinks that come and go, to each what it wants', () => {
    const { runtime, a, b, read } = wires({ filter: 'less 22' });
    a.open(new Receiver());
    b.open(new Receiver());
    const second = new CaptureRing(MIB);
    const secondRead = () => [...readCapture(second.file())].map(describePacket);
    a.send(batchOf([packetOf('no')]));
    const detach = a.attach(second, { snaplen: 24 });
    a.send(batchOf([packetOf('outgoing'), packetOf('yes')]));
    b.send(batchOf([packetOf('incoming')]));
    runtime.run();
    a.stop();
    a.send(batchOf([packetOf('ab')]));
    a.start();
    detach();
    detach();
    a.send(batchOf([packetOf('no')]));
    expect(secondRead()).toEqual(['out outg', 'out yes', 'in inco', 'out ab']);
    expect(read().map(describePacket)).toEqual(['out no', 'out no']);
  });

  it('lets a sink detach itself while it takes a packet, and costs the others none', () => {
    const runtime = new VirtualRuntime();
    const [inner, b] = memoryPair({ runtime });
    const a = captureLink(inner, null, { runtime });
    a.open(new Receiver());
    b.open(new Receiver());
    const ring = new CaptureRing(MIB);
    const seen: number[] = [];
    const once = {
      open: true,
      addInterface: () => 0,
      packet: ({ originalLength }: { originalLength: number }) => {
        seen.push(originalLength);
        once.open = false;
        detach();
      },
    };
    const detach = a.attach(once);
    a.attach(ring);
    a.send(batchOf([packetOf('one'), packetOf('three')]));
    expect(seen).toEqual([23]);
    expect([...readCapture(ring.file())].map(describePacket)).toEqual(['out one', 'out three']);
    expect(a.captured).toBe(3);
  });

  it('filters, and keeps no more of a packet than is wanted', () => {
    const { runtime, a, b, read } = wires({ filter: 'greater 26', snaplen: 25 });
    a.open(new Receiver());
    b.open(new Receiver());
    a.send(batchOf([packetOf('short'), packetOf('longer')]));
    b.send(batchOf([packetOf('longest')]));
    runtime.run();
    expect(read().map(describePacket)).toEqual(['out longe', 'in longe']);
    expect(read().map(({ originalLength }) => originalLength)).toEqual([26, 27]);
    expect(() => wires({ snaplen: 0 })).toThrow(/"options.snaplen" is out of range/);
  });

  it('leaves alone a vouched checksum that is whole', () => {
    const { runtime, a, b, read } = wires({ offload: true });
    a.open(new Receiver());
    b.open(new Receiver());
    const odd = Buffer.alloc(50, 0x11);
    odd[0] = 0x45;
    odd.writeUInt16BE(40, 2);
    odd[9] = 6;
    const batch = batchOf([odd], 10);
    batch.bytes[0] = RX_CHECKSUM_VOUCHED;
    b.send(batch);
    runtime.run();
    expect(hex(read()[0]!.bytes)).toBe(hex(odd));
  });
});

/** Something with the version of IPv4 that holds a text. */
function packetOf(text: string): Uint8Array {
  const packet = Buffer.concat([Buffer.alloc(20), Buffer.from(text)]);
  packet[0] = 0x45;
  return packet;
}

function describePacket({ bytes, direction, comment }: ReadPacket): string {
  const text = Buffer.from(bytes.subarray(20)).toString();
  return `${['?', 'in', 'out'][direction]} ${text}${comment === null ? '' : ` ${comment}`}`;
}
