import { add, diff, type Seq } from '../../../src/base/seq.js';
import type { ConnectionErrorCode, ConnectionHandler } from '../../../src/stack/connection.js';
import type { HostConnection } from '../../../src/stack/host-connection.js';
import { State } from '../../../src/tcp/state.js';
import type { Flow } from './flow.js';
import { firstDifference, firstDisplacement, written } from './pattern.js';

/** The user of one connection of the host; throws when it is told or given what cannot be. */
export class FuzzUser implements ConnectionHandler {
  connection!: HostConnection;
  reads = true;
  /** Octets given to the connection, and read from it. */
  written = 0;
  received = 0;
  /** The user has called close or abort, so that nothing may be called any more. */
  left = false;
  isEstablished = false;
  isClosed = false;
  hasFinished = false;
  hasEnded = false;
  error: ConnectionErrorCode | null = null;

  constructor(
    readonly flow: Flow,
    /** Where the peer's pattern begins. */
    readonly origin: Seq,
  ) {}

  write(length: number, urgent: boolean): void {
    const before = this.connection.unacknowledged;
    const taken = this.connection.write(written(this.written, length), 0, urgent);
    must(taken >= 0 && taken <= length, `write took ${taken} of ${length} bytes`);
    this.written += taken;
    must(
      this.connection.unacknowledged === before + taken,
      `${before} bytes were buffered, ${taken} more are ${this.connection.unacknowledged}`,
    );
  }

  read(): void {
    for (let chunk = this.connection.read(); chunk !== null; chunk = this.connection.read()) {
      this.#verify(chunk);
    }
    if (!this.connection.ended || this.hasEnded) return;
    this.hasEnded = true;
    const end = add(this.connection.tcb.irs, this.received + 2);
    must(this.flow.endsAt(end), `the end was reported after ${this.received} bytes, without a FIN`);
  }

  #verify(chunk: Uint8Array): void {
    const { tcb } = this.connection;
    must(chunk.length > 0, 'an empty chunk was read');
    must(!this.hasEnded, 'bytes were read after the end');
    const at = add(tcb.irs, this.received + 1);
    this.received += chunk.length;
    const wrong = this.flow.altered
      ? firstDisplacement(chunk, at, this.origin)
      : firstDifference(chunk, 0, chunk.length, at, this.origin);
    must(
      wrong < 0,
      `byte ${this.received - chunk.length + wrong} of the stream is ${chunk[wrong]}`,
    );
  }

  established(): void {
    this.#told('established');
    must(!this.isEstablished, 'established was told twice');
    this.isEstablished = true;
    const { irs } = this.connection.tcb;
    must(this.flow.syns.includes(irs), `IRS ${irs} was in no SYN that arrived`);
  }

  readable(): void {
    this.#told('readable');
    if (this.reads) this.read();
  }

  writable(): void {
    this.#told('writable');
  }

  finished(): void {
    this.#told('finished');
    must(!this.hasFinished, 'finished was told twice');
    this.hasFinished = true;
    must(this.connection.unacknowledged === 0, 'finished, but not everything was acknowledged');
  }

  urgent(): void {
    this.#told('urgent');
    must(this.connection.urgentLength >= 0, 'a negative length of urgent data');
  }

  trouble(): void {
    this.#told('trouble');
  }

  closed(error: ConnectionErrorCode | null): void {
    this.#told('closed');
    this.isClosed = true;
    this.error = error;
    const { state } = this.connection.tcb;
    must(
      state === State.CLOSED || state === State.TIME_WAIT,
      `closed was told in ${this.connection.state}`,
    );
    if (this.reads) this.read();
  }

  #told(what: string): void {
    must(!this.left, `${what} was told after the user had left`);
    must(!this.isClosed, `${what} was told after closed`);
  }

  /** Octets between what was read and what has arrived in order. */
  get unread(): number {
    const { tcb } = this.connection;
    const fin = tcb.finReceived ? 1 : 0;
    return diff(tcb.rcvNxt, add(tcb.irs, this.received + 1)) - fin;
  }
}

export function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`invariant broken: ${rule}`);
}
