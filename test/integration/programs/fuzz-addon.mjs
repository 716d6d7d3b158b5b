// Calls what the addon exports with whatever there is, from a seed, in a network namespace.
//
//   fuzz-addon.mjs main SEED CALLS     on the main thread
//   fuzz-addon.mjs workers SEED N      N worker threads, each terminated at some call
//
// Prints what came of it as JSON. A call may throw a TypeError, a RangeError or an error of the
// system; anything else is printed as wrong. With FUZZ_VERBOSE each call is told on stderr before it is made.

import dgram from 'node:dgram';
import { closeSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Random } from '../../../dist/base/random.js';
import { addon } from '../../../dist/link/native.js';
import { names, report } from './packets.mjs';

const native = addon();
const verbose = process.env.FUZZ_VERBOSE !== undefined;
const turn = () => new Promise((resolve) => setImmediate(resolve));

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

/** How many descriptors of TUN devices and of sockets this process has. */
function descriptors() {
  let tun = 0;
  let sockets = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    let target = '';
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      continue; // the one of the folder itself
    }
    if (target === '/dev/net/tun') tun++;
    if (target.startsWith('socket:')) sockets++;
  }
  return { tun, sockets };
}

class Fuzzer {
  calls = 0;
  threw = 0;
  delivered = 0;
  wrong = [];
  #random;
  #devices = [];
  #arenas = [];
  #pair = isMainThread ? native.socketPair() : []; // a worker leaves them open
  #datagrams = dgram.createSocket('udp4').unref();
  #nameCount = 0;
  #label;

  constructor(seed, label) {
    this.#random = new Random(seed);
    this.#label = label;
    this.#datagrams.on('error', () => {});
  }

  #below(n) {
    return this.#random.int(n);
  }

  #oneOf(list) {
    return list[this.#below(list.length)];
  }

  #often() {
    return this.#below(4) > 0;
  }

  #number() {
    const odd = [NaN, Infinity, -Infinity, -0, 0.5, -1, -10, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31)];
    const small = () => this.#below(40);
    const any = () => this.#below(2 ** 31);
    return this.#oneOf([() => this.#oneOf(odd), small, small, any])();
  }

  #buffer(bytes) {
    const make = [
      () => new ArrayBuffer(bytes),
      () => new ArrayBuffer(bytes),
      () => new SharedArrayBuffer(bytes),
      () => new ArrayBuffer(bytes, { maxByteLength: bytes * 2 + 8 }),
      () => new SharedArrayBuffer(bytes, { maxByteLength: bytes * 2 + 8 }),
    ];
    const buffer = this.#oneOf(make)();
    this.#arenas.push(buffer);
    if (this.#arenas.length > 64) this.#arenas.shift();
    return buffer;
  }

  #typed(Type, elements) {
    const buffer = this.#buffer(elements * Type.BYTES_PER_ELEMENT);
    if (buffer.resizable && this.#below(2) === 0) return new Type(buffer); // tracks the length
    return new Type(buffer, 0, elements);
  }

  /** Takes the memory of some buffer away, or changes how much there is. */
  #disturb() {
    const buffer = this.#oneOf(this.#arenas);
    if (buffer === undefined) return;
    try {
      if (buffer.growable) buffer.grow(this.#below(buffer.maxByteLength + 1));
      else if (buffer.resizable) buffer.resize(this.#below(buffer.maxByteLength + 1));
      else if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
    } catch {
      // It is smaller already, or detached.
    }
  }

  #anything() {
    const types = [Uint8Array, Int8Array, Uint16Array, Int32Array, Uint32Array, Float64Array];
    const proxied = () => new Proxy([], { get: () => this.#disturb() });
    return this.#oneOf([
      () => undefined,
      () => null,
      () => this.#below(2) === 0,
      () => this.#number(),
      () => this.#number(),
      () => this.#text(),
      () => Symbol('s'),
      () => 12n,
      () => ({ valueOf: () => 1 }),
      () => [],
      () => () => {},
      () => proxied(),
      () => new DataView(this.#buffer(64)),
      () => this.#buffer(64),
      () => Buffer.alloc(this.#below(100)),
      () => this.#typed(this.#oneOf(types), this.#below(200)),
      () => new BigInt64Array(3),
      () => this.#oneOf(this.#devices),
      () => native,
    ])();
  }

  #text() {
    return this.#oneOf([
      '',
      'lo',
      'x'.repeat(15),
      'x'.repeat(16),
      'x'.repeat(5000),
      'a\0b',
      '\ud800',
      '%s%n',
    ]);
  }

  #name() {
    return this.#often() ? (this.#oneOf(this.#devices)?.name ?? 'lo') : this.#text();
  }

  #address() {
    return this.#oneOf([
      '10.7.0.1',
      '10.7.0.1',
      '0.0.0.0',
      '255.255.255.255',
      '1.2.3',
      '::1',
      this.#text(),
    ]);
  }

  #prefix() {
    return this.#often() ? this.#below(33) : this.#number();
  }

  #arena() {
    return this.#typed(Uint8Array, this.#oneOf([1024 * 1024, 70_000, 65_600, 1000, 0]));
  }

  /** Arguments for `write`: nearly right, or with anything in them. */
  #batch() {
    const buffers = Array.from({ length: 1 + this.#below(3) }, () =>
      this.#typed(Uint8Array, this.#below(3000)),
    );
    if (this.#below(10) === 0) {
      Object.defineProperty(buffers, buffers.length, {
        get: () => {
          this.#disturb();
          return this.#anything();
        },
      });
    }
    const pieces = this.#typed(Int32Array, this.#below(40));
    const ends = this.#typed(Int32Array, this.#below(12));
    const off = (value) => (this.#below(12) === 0 ? this.#number() : value);
    for (let i = 0; i < pieces.length; i++) {
      pieces[i] = off(i % 3 === 0 ? this.#below(buffers.length) : this.#below(1500));
    }
    for (let i = 0, end = 0; i < ends.length; i++) ends[i] = off((end += this.#below(4)));
    const first = off(this.#below(4));
    return [buffers, pieces, ends, first, off(Math.max(0, ends.length - first))];
  }

  /** A descriptor that hurts nobody: one of our own sockets, or none. */
  #descriptor() {
    return this.#oneOf([...this.#pair, -1, 2 ** 31 - 1, 1e9, 0.5, 2 ** 40, NaN]);
  }

  #onPackets = (count, error) => {
    this.delivered += count;
    if (!Number.isInteger(count) || count < 0 || error > 0)
      this.wrong.push(`onPackets ${count} ${error}`);
    if (this.#below(8) === 0) this.#disturb();
    if (this.#below(30) === 0) this.#close(this.#oneOf(this.#devices));
  };

  #close(device) {
    device?.close();
    this.#devices = this.#devices.filter((other) => other !== device);
  }

  #open() {
    const name = this.#often() ? `f${this.#label}n${this.#nameCount++ % 50}` : this.#text();
    const args = this.#mutate([
      name,
      this.#often() ? -1 : this.#oneOf(this.#devices)?.fd,
      this.#often(),
    ]);
    // A number that is not ours could be a device of another thread.
    if (
      typeof args[1] === 'number' &&
      args[1] >= 0 &&
      !this.#devices.some(({ fd }) => fd === args[1])
    ) {
      args[1] = 2 ** 31 - 1;
    }
    const device = new native.Device(...args);
    this.#devices.push(device);
    if (this.#devices.length > 6) this.#close(this.#devices[this.#below(6)]);
    native.setUp(device.name, true);
    native.changeAddress(device.name, true, `10.7.${this.#below(10)}.1`, 24);
    if (this.#often()) device.start(...this.#reading());
  }

  #reading() {
    const from = this.#often() ? 0 : this.#number();
    const arrays = [this.#typed(Int32Array, this.#below(257)), this.#typed(Int32Array, 256)];
    const flags = this.#typed(Uint8Array, 256);
    return [this.#arena(), from, ...arrays, flags, this.#onPackets, () => {}];
  }

  /** Arguments of which one may be something else, missing, or too many. */
  #mutate(args) {
    if (this.#often()) return args;
    const changed = [...args];
    const kind = this.#below(4);
    if (kind === 0) changed.length = this.#below(changed.length + 1);
    else changed[this.#below(changed.length + 1)] = this.#anything();
    return changed;
  }

  #call() {
    const device = this.#oneOf(this.#devices);
    const on = (method, make) => [
      method,
      () => {
        const args = this.#mutate(make());
        const self = this.#below(20) === 0 ? this.#anything() : device;
        const result = native.Device.prototype[method].apply(self, args);
        if (method === 'write' && !(Number.isInteger(result) && result <= args[4])) {
          this.wrong.push(`write gave ${result}`);
        }
      },
    ];
    const plain = (name, make) => [name, () => native[name](...this.#mutate(make()))];
    const choice = this.#below(100);
    if (choice < 35) return on('write', () => this.#batch());
    if (choice < 42) return on('start', () => this.#reading());
    if (choice < 45) return ['stir', () => this.#stir()];
    if (choice < 53)
      return on('setArena', () => [
        this.#arena(),
        this.#often() ? this.#below(1000) : this.#number(),
      ]);
    if (choice < 57) return on('pollWritable', () => [this.#number()]);
    if (choice < 58) return on('setBusyPoll', () => [this.#number()]);
    if (choice < 59) return on(this.#oneOf(['ref', 'unref']), () => []);
    if (choice < 60) return ['close', () => this.#close(device)];
    if (choice < 63) return ['Device', () => this.#open()];
    if (choice < 64) return ['Device as a function', () => native.Device('x', -1, true)];
    const name = () => this.#name();
    return this.#oneOf([
      plain('interfaceInfo', () => [name()]),
      plain('setMtu', () => [name(), this.#number()]),
      plain('setTxQueueLength', () => [name(), this.#number()]),
      plain('setUp', () => [name(), this.#often()]),
      plain('hasAddress', () => [name(), this.#address(), this.#prefix()]),
      plain('changeAddress', () => [name(), this.#often(), this.#address(), this.#prefix()]),
      plain('changeRoute', () => [name(), this.#often(), this.#address(), this.#prefix()]),
      plain('quietIpv6', () => [name()]),
      plain('pageAligned', () => [this.#below(100_000)]),
      plain('sum', () => [this.#arena(), this.#number(), this.#number()]),
      ['sendFd', () => native.sendFd(this.#descriptor(), this.#descriptor())],
      ['sendFd', () => native.sendFd(this.#descriptor(), this.#nonNumber())],
      ['recvFd', () => closeSync(native.recvFd(this.#descriptor()))],
      ['recvFd', () => native.recvFd(this.#nonNumber())],
      // A number of another process would end this one, as it is meant to.
      [
        'dieWithParent',
        () => native.dieWithParent(this.#oneOf([this.#nonNumber(), -1, 0.5, NaN, 2 ** 40])),
      ],
      [
        'exec',
        () =>
          native.exec(this.#oneOf([[], ['a\0b'], [1], this.#nonNumber(), ['/no/such/command']])),
      ],
      ['disturb', () => this.#disturb()],
    ]);
  }

  #nonNumber() {
    const value = this.#anything();
    return typeof value === 'number' ? undefined : value;
  }

  /** Makes the kernel send into the devices. */
  #stir() {
    for (let i = 0; i < 20; i++) {
      this.#datagrams.send(
        Buffer.alloc(this.#below(1400)),
        9,
        `10.7.${this.#below(10)}.2`,
        () => {},
      );
    }
  }

  async run(calls, onCall = () => {}) {
    for (let i = 0; i < calls; i++) {
      const [label, call] = this.#call();
      if (verbose) writeSync(2, `${i} ${label}\n`);
      onCall(i);
      this.calls++;
      try {
        call();
      } catch (error) {
        this.threw++;
        const isWrongArgument = error instanceof TypeError || error instanceof RangeError;
        const isSystem = error instanceof Error && typeof error.errno === 'number' && error.syscall;
        if (!isWrongArgument && !isSystem) this.wrong.push(`${label}: ${error?.stack ?? error}`);
      }
      if (i % 16 === 0) await turn();
      if (i % 2048 === 0) gc();
    }
  }

  end() {
    for (const device of [...this.#devices]) this.#close(device);
    for (const fd of this.#pair) closeSync(fd);
    this.#datagrams.close();
  }
}

/** Until what was opened and forgotten is collected. */
async function settled(before) {
  for (;;) {
    const now = descriptors();
    if (now.tun === 0 && names().every((name) => name === 'lo') && now.sockets <= before.sockets)
      return now;
    gc();
    await turn();
  }
}

async function onMain(seed, calls) {
  const before = descriptors();
  const fuzzer = new Fuzzer(seed, 0);
  await fuzzer.run(calls);
  fuzzer.end();
  const after = await settled(before);
  report({ ...fuzzer, leaked: after.sockets - before.sockets });
}

async function inWorkers(seed, count) {
  const random = new Random(seed);
  const before = descriptors();
  let calls = 0;
  const wrong = [];
  for (let i = 0; i < count; i += 2) {
    const ends = [0, 1].map((k) => {
      const at = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { seed: random.int(2 ** 30), label: 1 + ((i + k) % 7), at },
      });
      worker.on('message', (message) => wrong.push(message));
      worker.on('error', (error) => wrong.push(String(error.stack)));
      const limit = 50 + random.int(600);
      return new Promise((resolve) => {
        worker.on('exit', resolve);
        const look = () => {
          if (Atomics.load(at, 0) < limit) return void setImmediate(look);
          calls += limit;
          worker.terminate();
        };
        look();
      });
    });
    await Promise.all(ends);
  }
  const after = await settled(before);
  report({ calls, wrong, leaked: after.sockets - before.sockets });
}

if (isMainThread) {
  const [mode, seed, count] = process.argv.slice(2);
  await (mode === 'workers' ? inWorkers : onMain)(Number(seed), Number(count));
} else {
  const fuzzer = new Fuzzer(workerData.seed, workerData.label);
  await fuzzer.run(Infinity, (i) => {
    Atomics.store(workerData.at, 0, i);
    if (fuzzer.wrong.length > 0) parentPort.postMessage(fuzzer.wrong.pop());
  });
}
