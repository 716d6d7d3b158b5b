import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import type { HostConnection } from '../../src/stack/host-connection.js';
import type { TcpConfig } from '../../src/tcp/config.js';
import { mark } from '../support/bottleneck.js';
import { Conversation, recorded, type Side } from '../support/conversation.js';
import { runs, SEED } from '../support/seed.js';
import { User } from '../support/user.js';

interface Action {
  at: number;
  side: Side;
  what: 'write' | 'read' | 'pause' | 'resume' | 'noDelay';
  size: number;
}

interface Network {
  seed: number;
  /** Per thousand packets. */
  loss: number;
  duplication: number;
  corruption: number;
  /** Congestion marks, on packets that are ECN-capable. */
  marks: number;
  /** Largest extra delay, ms. */
  jitter: number;
  delay: number;
  mtu: number;
  offload: boolean;
  queueBytes: number;
}

interface Play {
  network: Network;
  tcpA: Partial<TcpConfig>;
  tcpB: Partial<TcpConfig>;
  isnA: number;
  isnB: number;
  both: boolean;
  actions: Action[];
  /** When each side ends, ms. */
  endA: number;
  endB: number;
}

/** From so many packets on the network is perfect, so that every play comes to its end. */
const TROUBLE = 3_000;

const tcp = fc.record({
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  windowScale: fc.boolean(),
  noDelay: fc.boolean(),
  receiveBuffer: fc.constantFrom(2_048, 3_000, 10_000, 65_535, 70_000, 1_000_000),
  sendBuffer: fc.constantFrom(2_048, 5_000, 60_000, 1_000_000),
  quickAcks: fc.constantFrom(0, 3, 16),
  initialWindow: fc.constantFrom(1, 3, 10),
  mss: fc.constantFrom(0, 88, 536),
  congestionControl: fc.constantFrom('cubic', 'newreno', 'bbr', 'dctcp'),
  pacing: fc.boolean(),
  ecn: fc.constantFrom('off', 'passive', 'on'),
  rtoMax: fc.constant(2_000),
  retransmitR2: fc.constant(100),
});

const isn = fc.oneof(
  fc.constantFrom(0xffff_ffff, 0xffff_fffe, 0x7fff_ffff, 0),
  fc.integer({ min: 0, max: 30_000 }).map((before) => (0x1_0000_0000 - before) >>> 0),
  fc.integer({ min: 0, max: 30_000 }).map((before) => 0x8000_0000 - before),
  fc.nat(0xffff_ffff),
);

const play: fc.Arbitrary<Play> = fc.record({
  network: fc.record({
    seed: fc.nat(),
    loss: fc.constantFrom(0, 10, 50, 200),
    duplication: fc.constantFrom(0, 20, 200),
    corruption: fc.constantFrom(0, 0, 50),
    marks: fc.constantFrom(0, 20, 300),
    jitter: fc.constantFrom(0, 1, 30, 300),
    delay: fc.constantFrom(0, 1, 20),
    mtu: fc.constantFrom(100, 576, 1_500, 9_000),
    offload: fc.boolean(),
    queueBytes: fc.constantFrom(1, 3_000, 4_000_000),
  }),
  tcpA: tcp,
  tcpB: tcp,
  isnA: isn,
  isnB: isn,
  both: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  actions: fc.array(
    fc.record({
      at: fc.nat(2_000),
      side: fc.constantFrom<Side>('a', 'b'),
      what: fc.constantFrom('write', 'write', 'write', 'read', 'pause', 'resume', 'noDelay'),
      size: fc.oneof(fc.nat(10), fc.nat(3_000), fc.nat(60_000)),
    }),
    { maxLength: 25 },
  ) as fc.Arbitrary<Action[]>,
  endA: fc.nat(3_000),
  endB: fc.nat(3_000),
});

/** What the network does to each packet. */
function trouble(network: Network): (packet: Uint8Array) => number | readonly number[] {
  const random = new Random(network.seed);
  let packets = 0;
  return (packet) => {
    if (++packets > TROUBLE) return 0;
    const extra = (): number => (network.jitter === 0 ? 0 : random.int(network.jitter + 1));
    if (random.int(1_000) < network.loss) return [];
    // With offload nobody below would vouch for a broken packet.
    if (!network.offload && random.int(1_000) < network.corruption) {
      packet[random.int(packet.length)]! ^= 1 << random.int(8);
    }
    if (random.int(1_000) < network.marks && (packet[1]! & 3) !== 0) mark(packet);
    if (random.int(1_000) < network.duplication) return [extra(), extra()];
    return extra();
  };
}

/** The bytes that a side sends, from the `from`th on: each tells its place. */
function pattern(side: Side, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const salt = side === 'a' ? 7 : 91;
  for (let i = 0; i < length; i++) bytes[i] = ((from + i) * 31 + ((from + i) >> 8) + salt) & 0xff;
  return bytes;
}

class Script {
  readonly written: Record<Side, number> = { a: 0, b: 0 };
  readonly ended: Record<Side, boolean> = { a: false, b: false };
  readonly #waiting: Record<Side, (() => void)[]> = { a: [], b: [] };

  constructor(
    readonly c: Conversation,
    readonly p: Play,
  ) {
    for (const action of p.actions) this.#at(action.side, action.at, () => this.#act(action));
    this.#at('a', p.endA, () => this.#end('a'));
    this.#at('b', p.endB, () => this.#end('b'));
  }

  user(side: Side): User {
    return side === 'a' ? this.c.userA : this.c.userB;
  }

  /** What a side was asked to do before it had a connection is done when it has one. */
  #at(side: Side, at: number, task: () => void): void {
    this.c.runtime.schedule(at, () => {
      if (this.user(side).connection === undefined) this.#waiting[side].push(task);
      else task();
    });
  }

  connected(side: Side): void {
    for (const task of this.#waiting[side].splice(0)) task();
  }

  #act(action: Action): void {
    const { side, size, what } = action;
    const user = this.user(side);
    if (what === 'pause') user.reads = this.ended[side];
    else if (what === 'resume') this.#resume(user);
    else if (what === 'read') user.readChunk();
    else if (what === 'noDelay') user.connection.setNoDelay(size % 2 === 0);
    else if (!this.ended[side]) {
      user.write(pattern(side, this.written[side], size));
      this.written[side] += size;
    }
  }

  #resume(user: User): void {
    user.reads = true;
    user.read();
  }

  #end(side: Side): void {
    this.ended[side] = true;
    this.user(side).end();
    this.#resume(this.user(side));
  }
}

function perform(p: Play): void {
  const options = {
    ...p.network,
    tcpA: p.tcpA,
    tcpB: p.tcpB,
    isnA: p.isnA,
    isnB: p.isnB,
    onPacket: trouble(p.network),
  };
  recorded(new Conversation(options), (c) => {
    const script = new Script(c, p);
    c.userB.onEvent = (event) => event === 'established' && script.connected('b');
    if (p.both) c.connectBoth();
    else {
      c.listen();
      c.connect();
    }
    c.finish(4_000_000);
    for (const [user, from] of [
      [c.userA, 'b'],
      [c.userB, 'a'],
    ] as const) {
      const { received } = user;
      expect(received.length).toBe(script.written[from]);
      expect(received.equals(pattern(from, 0, received.length))).toBe(true);
      expect([...user.events].filter((event) => event !== 'writable').sort()).toEqual([
        'closed',
        'end',
        'established',
        'finished',
      ]);
      expectNothingHeld(user);
    }
    expect(c.a.timeWaitCount + c.b.timeWaitCount).toBe(0);
    c.runtime.run(c.runtime.now() + 10_000_000);
    expect(c.runtime.step(), 'a timer is left').toBe(false);
  });
}

function expectNothingHeld(user: User): void {
  const { tcb } = user.connection as HostConnection;
  expect(tcb.sendBuffer.length).toBe(0);
  expect(tcb.sendBuffer.bytes.length).toBe(0);
  expect(tcb.receiveQueue.length).toBe(0);
  expect(tcb.reassembly.isEmpty).toBe(true);
  expect(tcb.retransmitAt).toBe(Infinity);
  expect(tcb.delayedAckAt).toBe(Infinity);
  expect(tcb.pacing.at).toBe(Infinity);
}

/** Many connections at once between two hosts that lose packets. */
function crowd(connections: number, loss: number, seed: number): void {
  const random = new Random(seed);
  let packets = 0;
  const c = new Conversation({
    delay: 3,
    forged: true,
    tcp: { rtoMax: 2_000, retransmitR2: 100 },
    onPacket: () => (++packets < 20_000 && random.int(1_000) < loss ? [] : random.int(20)),
  });
  recorded(c, () => {
    const users: { user: User; from: Side; expected: number }[] = [];
    c.b.listen({ port: 80 }, (connection) => {
      const user = new User();
      user.connection = connection;
      user.endsWithPeer = true;
      const size = connection.remotePort % 5_000;
      user.write(pattern('b', 0, size));
      users.push({ user, from: 'a', expected: size });
      return user;
    });
    for (let i = 0; i < connections; i++) {
      c.runtime.schedule(random.int(1_000), () => {
        const user = new User();
        user.connection = c.a.connect({ remoteAddress: '10.0.0.2', remotePort: 80 }, user);
        const size = user.connection.localPort % 5_000;
        user.write(pattern('a', 0, size));
        user.end();
        users.push({ user, from: 'b', expected: size });
      });
    }
    c.run(1_001);
    c.finish(4_000_000);
    expect(users.length).toBe(2 * connections);
    for (const { user, from, expected } of users) {
      expect(user.received.equals(pattern(from, 0, expected))).toBe(true);
      expect(user.events).toContain('closed');
      expectNothingHeld(user);
    }
    c.runtime.run(c.runtime.now() + 10_000_000);
    expect(c.runtime.step(), 'a timer is left').toBe(false);
  });
}

describe('exactly the bytes that were sent arrive', () => {
  test('whatever the network does, both ways, with half-close', { timeout: 60_000 }, () => {
    fc.assert(fc.property(play, perform), runs(600));
  });

  test('on 200 connections at once', () => crowd(200, 0, 1));
  test('on 200 connections at once with loss', () => crowd(200, 50, SEED));
});
