import { State } from '../tcp/state.js';
import type { Tcb, TcpHost } from '../tcp/tcb.js';
import { TimeWait } from '../tcp/time-wait.js';
import type { ConnectionTable } from './connection-table.js';
import { TimeWaitList } from './time-wait-list.js';

/** The records in TIME_WAIT of a host: each has the place of its connection in the table. */
export class TimeWaits {
  readonly #list = new TimeWaitList();

  constructor(
    private readonly host: TcpHost,
    private readonly table: ConnectionTable<Tcb | TimeWait>,
  ) {}

  get size(): number {
    return this.#list.size;
  }

  /** When the first one ends, in ms; Infinity when there is none. */
  get expires(): number {
    return this.#list.expires;
  }

  /** A record takes the place of the connection; beyond the limit the oldest ends. */
  start(tcb: Tcb, now: number): void {
    const { config, counters } = this.host;
    if (config.maxTimeWait === 0) {
      counters.tcpTimeWaitOverflows++;
      this.table.remove(tcb);
      return;
    }
    if (this.#list.size >= config.maxTimeWait) {
      counters.tcpTimeWaitOverflows++;
      this.end(this.#list.first!, 'too many in TIME_WAIT', now);
    }
    const record = new TimeWait(tcb);
    this.table.replace(tcb, record);
    this.#list.append(record, now + 2 * config.msl);
  }

  /** The 2 MSL begin again. */
  restart(record: TimeWait, now: number): void {
    this.#list.remove(record);
    this.#list.append(record, now + 2 * this.host.config.msl);
  }

  end(record: TimeWait, cause: string, now: number): void {
    this.#list.remove(record);
    this.table.remove(record);
    const { trace } = this.host;
    if (trace !== null) trace.transition(record, State.TIME_WAIT, State.CLOSED, cause, now);
  }

  /** Ends those whose time is over. */
  expire(now: number): void {
    let record = this.#list.first;
    while (record !== null && record.expires <= now) {
      this.end(record, '2 MSL are over: RFC 9293 §3.10.8', now);
      record = this.#list.first;
    }
  }

  /** The one that ends first in front. */
  *[Symbol.iterator](): Generator<TimeWait> {
    for (let record = this.#list.first; record !== null; record = record.next) yield record;
  }
}
