import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { loopbackLink, memoryPair } from '../../../src/link/memory.js';
import { TunLink } from '../../../src/link/tun.js';
import { createNet } from '../../../src/net/create-net.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { FaultyDevice } from '../../support/faulty-device.js';
import { JumpingRuntime } from '../../support/jumping-runtime.js';
import { User } from '../../support/user.js';

const { EAGAIN, EIO, ENETDOWN, ENOBUFS, ENOMEM } = constants.errno;
const EBADFD = 77;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** One host on a device that has faults, and one at the other end of its cable, 5 ms away. */
class Machine {
  readonly runtime = new VirtualRuntime(7);
  readonly clock = new JumpingRuntime(this.runtime);
  readonly device: FaultyDevice;
  readonly link: TunLink;
  readonly host: Host;
  readonly other: Host;
  readonly user = new User();
  readonly peer = new User();
  #onLoopback = 0;
  #losing = 0;

  constructor() {
    const { runtime, clock } = this;
    const onPacket = () => (this.#losing-- > 0 ? [] : 0);
    const [near, far] = memoryPair({ runtime, delay: 5, onPacket });
    this.device = new FaultyDevice(runtime, near);
    this.link = new TunLink(this.device, 1500);
    const loopback = loopbackLink(clock);
    this.host = new Host({ runtime: clock, link: this.link, address: '10.0.0.1/24', loopback });
    this.other = new Host({ runtime, link: far, address: '10.0.0.2/24' });
    this.other.listen({ port: 80 }, (connection) => {
      this.peer.connection = connection;
      return this.peer;
    });
  }

  connect(to = '10.0.0.2', user = this.user): void {
    user.connection = this.host.connect({ remoteAddress: to, remotePort: 80 }, user);
  }

  /** Both sides send; the fault will come in the middle. */
  load(text: Buffer): void {
    this.#onLoopback = this.host.counters.ipOutRequests;
    this.connect();
    this.run(20);
    this.user.write(text);
    this.peer.write(text);
    this.run(40);
    expect(this.peer.received.length).toBeGreaterThan(0);
    expect(this.peer.received.length).toBeLessThan(text.length);
  }

  /** So many packets from now on. */
  lose(packets: number): void {
    this.#losing = packets;
  }

  run(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
  }

  /** Packets that the host has handed to the link are written, wait, or are counted as lost. */
  expectAllAccountedFor(): void {
    const { packetsOut, queueFull, refused, down, badBuffer, failed, closed } = this.link.counters;
    const lost = queueFull + refused + down + badBuffer + failed + closed;
    expect(packetsOut + lost).toBe(this.host.counters.ipOutRequests - this.#onLoopback);
    expect(this.host.counters.ipOutDiscards).toBe(lost);
  }
}

const TEXT = Buffer.alloc(2_000_000, 'the quick brown fox ');

describe('a device that takes no packets for a while', () => {
  it.each([
    ['EAGAIN', -EAGAIN, 3000],
    ['ENOBUFS', -ENOBUFS, 3000],
    ['ENOMEM', -ENOMEM, 3000],
    ['EIO: it is down', -EIO, 3000],
    ['EIO for a minute', -EIO, MINUTE],
  ])('costs time and no byte (%s)', (_, errno, ms) => {
    const machine = new Machine();
    machine.load(TEXT);
    machine.device.answer = errno;
    machine.run(ms);
    machine.device.heal();
    machine.run(2 * MINUTE);
    expect(machine.peer.received.equals(TEXT)).toBe(true);
    expect(machine.user.received.equals(TEXT)).toBe(true);
    machine.expectAllAccountedFor();
    expect(machine.link.counters.down > 0).toBe(errno === -EIO);
  });
});

describe('a device that never takes packets again', () => {
  it.each([
    ['EAGAIN', -EAGAIN],
    ['ENOBUFS', -ENOBUFS],
    ['EIO', -EIO],
  ])('ends connections with ETIMEDOUT (%s)', (_, errno) => {
    const machine = new Machine();
    machine.load(TEXT);
    machine.device.answer = errno;
    const late = new User();
    machine.connect('10.0.0.2', late);
    machine.run(HOUR);
    expect(machine.user.events.at(-1)).toBe('closed ETIMEDOUT');
    expect(late.events).toEqual(['closed ETIMEDOUT']);
    expect(machine.host.connectionCount).toBe(0);
    machine.link.close();
    machine.run(1);
    machine.expectAllAccountedFor();
  });
});

describe('a device that is deleted', () => {
  it.each(['read', 'write'])('ends its connections with ENETDOWN, found out by a %s', (by) => {
    const machine = new Machine();
    const [here, there] = [new User(), new User()];
    machine.host.listen({ port: 80 }, (connection) => {
      there.connection = connection;
      return there;
    });
    machine.connect('10.0.0.1', here);
    machine.run(20);
    machine.load(TEXT);
    const opening = new User();
    machine.connect('10.0.0.2', opening);
    if (by === 'read') machine.device.readFails(-EBADFD);
    else machine.device.answer = -EBADFD;
    machine.run(MINUTE);
    expect(machine.user.events.at(-1)).toBe('closed ENETDOWN');
    expect(opening.events).toEqual(['closed ENETDOWN']);
    expect(() => machine.connect()).toThrow(expect.objectContaining({ code: 'ENETUNREACH' }));
    expect(machine.device.closes).toBe(1);
    machine.expectAllAccountedFor();
    // What does not need the device goes on.
    here.write('still here');
    machine.run(100);
    expect(there.received.toString()).toBe('still here');
    expect(machine.host.connectionCount).toBe(2);
  });
});

describe('a socket of node:net', () => {
  it('hears ENETDOWN when the device is deleted, as of a read, and then the close', async () => {
    const machine = new Machine();
    const heard: unknown[] = [];
    const socket = createNet(machine.host).connect(80, '10.0.0.2');
    socket.on('connect', () => heard.push('connect'));
    socket.on('error', ({ code, errno, syscall, message }: NodeJS.ErrnoException) => {
      heard.push({ code, errno, syscall, message });
    });
    socket.on('close', (hadError: boolean) => heard.push(hadError));
    await machine.runtime.runAsync(() => heard.length === 1);
    machine.device.readFails(-EBADFD);
    await machine.runtime.runAsync(() => heard.length === 3);
    const message = 'read ENETDOWN';
    const error = { code: 'ENETDOWN', errno: -ENETDOWN, syscall: 'read', message };
    expect(heard).toEqual(['connect', error, true]);
  });
});

describe('a minute in which the process is stopped', () => {
  it('is no round trip, which would make the timeouts as long', () => {
    const machine = new Machine();
    machine.connect();
    machine.run(20);
    machine.user.write(TEXT);
    machine.run(42);
    machine.clock.jump(MINUTE);
    machine.runtime.runUntil(() => machine.peer.received.length === TEXT.length, MINUTE);
    const from = machine.runtime.now();
    machine.lose(1);
    machine.user.write('tail');
    machine.runtime.runUntil(() => machine.peer.received.length > TEXT.length, HOUR);
    expect(machine.runtime.now() - from).toBeLessThan(1000);
  });
});

describe('a process that is stopped, or a machine that sleeps', () => {
  it.each([
    ['a minute', MINUTE],
    ['a day', DAY],
    ['20 days', 20 * DAY],
  ])('goes on where it was (%s)', (_, ms) => {
    const machine = new Machine();
    machine.load(TEXT);
    machine.clock.jump(ms);
    machine.run(5 * MINUTE);
    expect([machine.user.events.at(-1), machine.peer.events.at(-1)]).not.toContainEqual(
      expect.stringContaining('closed'),
    );
    expect(machine.peer.received.equals(TEXT)).toBe(true);
    expect(machine.user.received.equals(TEXT)).toBe(true);
  });
});
