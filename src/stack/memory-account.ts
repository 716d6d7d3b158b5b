import type { Counters } from '../base/counters.js';
import type { TcpConfig } from '../tcp/config.js';
import { State } from '../tcp/state.js';
import type { Tcb } from '../tcp/tcb.js';

/**
 * What the connections of a host hold together, counted once per connection and batch: bytes received
 * and not read, out of order, and the storage of what is to be sent; and how many of them nobody
 * owns any more.
 */
export class MemoryAccount {
  #bytes = -0;
  #orphans = 0;
  exceeded = false;
  /** Those that keep something where it arrived: all in the arenas of one batch. */
  readonly #inPlace: Tcb[] = [];

  constructor(
    private readonly config: TcpConfig,
    private readonly counters: Counters,
  ) {}

  get bytes(): number {
    return this.#bytes + 0;
  }

  get orphans(): number {
    return this.#orphans;
  }

  /** Counts what the connection holds now, which is nothing beyond that afterwards. */
  update(tcb: Tcb): void {
    if (tcb.receiveQueue.inPlace > 0 || tcb.reassembly.inPlace > 0) this.#inPlace.push(tcb);
    const ended = tcb.state === State.CLOSED || tcb.state === State.TIME_WAIT;
    const held = ended
      ? 0
      : tcb.receiveQueue.length + tcb.reassembly.cost + tcb.sendBuffer.bytes.length;
    if (held !== tcb.charged) {
      this.#bytes += held - tcb.charged;
      tcb.charged = held;
      this.#judge();
    }
    if (tcb.orphan !== null && tcb.orphan.counted === ended) {
      tcb.orphan.counted = !ended;
      this.#orphans += ended ? -1 : 1;
    }
  }

  /** The next batch is there: what users have not read of the one before may stay for long. */
  ownUnread(): void {
    for (let i = 0; i < this.#inPlace.length; i++) {
      const { receiveQueue, reassembly } = this.#inPlace[i]!;
      receiveQueue.own();
      reassembly.own();
    }
    this.#inPlace.length = 0;
  }

  get tooManyOrphans(): boolean {
    return this.#orphans > this.config.maxOrphans;
  }

  #judge(): void {
    const exceeded = this.#bytes > this.config.maxMemory;
    if (exceeded && !this.exceeded) this.counters.tcpMemoryPressures++;
    this.exceeded = exceeded;
  }
}
