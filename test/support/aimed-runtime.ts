import type { Alarm, Holder, Runtime } from '../../src/runtime/runtime.js';
import type { VirtualRuntime } from '../../src/runtime/virtual.js';
import type { FourTuple } from '../../src/stack/connection-table.js';
import { Identity } from '../../src/stack/identity.js';

const SECRET_BYTES = 32;
/** RFC 6528: the ISN moves by one each 4 microseconds. */
const TICKS_PER_MS = 250;

/**
 * The world as one host sees it, with a clock that is ahead of the others' by just so much that the
 * connection between two given sockets gets a given ISN (RFC 9293 §3.4.1) at a given time.
 */
export class AimedRuntime implements Runtime {
  readonly #secret: Uint8Array;
  readonly #ahead: number;

  constructor(
    readonly base: VirtualRuntime,
    tuple: FourTuple,
    isn: number,
    /** When the connection is opened, in ms from now. */
    opensIn: number,
  ) {
    this.#secret = base.random(SECRET_BYTES);
    const at = base.now() + opensIn;
    const natural = new Identity(this.#secret).isn(tuple, at);
    this.#ahead = (((isn - natural) >>> 0) + 0.5) / TICKS_PER_MS;
  }

  now(): number {
    return this.base.now() + this.#ahead;
  }

  random(length: number): Uint8Array {
    return length === SECRET_BYTES ? this.#secret.slice() : this.base.random(length);
  }

  defer(task: () => void): void {
    this.base.defer(task);
  }

  yield(task: () => void): void {
    this.base.yield(task);
  }

  alarm(ring: () => void): Alarm {
    const alarm = this.base.alarm(ring);
    return { set: (at) => alarm.set(at - this.#ahead), clear: () => alarm.clear() };
  }

  holder(): Holder {
    return this.base.holder();
  }
}
