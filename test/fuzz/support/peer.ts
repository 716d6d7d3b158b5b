import { add, type Seq, seq } from '../../../src/base/seq.js';
import type { Flow } from './flow.js';
import { originOf } from './pattern.js';
import type { AckBase, SeqBase, TcpStep } from './step.js';

export const HOST_ADDRESS = 0x0a000002;
export const PEER_ADDRESS = 0x0a000001;
export const LISTEN_PORT = 80;
/** Conversations that a case has at a time. */
export const SLOTS = 4;

/** The peer's end of a conversation, as far as the next steps are relative to it. */
export class PeerEnd {
  readonly addr: number;
  readonly port: number;
  hostPort = LISTEN_PORT;
  iss: Seq;
  next: Seq;
  acked: Seq = seq(0);
  /** The ACK field of the latest segment. */
  lastAck: Seq = seq(0);
  /** The timestamps option has been offered by the peer. */
  timestamps = false;
  finSent = false;
  synSent = false;
  offersScale = false;
  readonly tsBase: number;

  constructor(
    readonly slot: number,
    generation: number,
    public flow: Flow,
    addr = PEER_ADDRESS + (slot >= 2 ? 0x100 : 0),
  ) {
    this.addr = addr;
    this.port = portOf(slot, generation);
    const start = originOf(this.port);
    // Some streams begin just before sequence numbers wrap around.
    this.iss = seq(generation % 4 === 3 ? -1000 : start);
    this.next = this.iss;
    this.tsBase = slot === 1 ? 0x7fff_ff00 : start >>> 3;
  }

  seqOf(base: SeqBase, offset: number): Seq {
    return add(this.#seqBase(base), offset);
  }

  #seqBase(base: SeqBase): Seq {
    const { flow } = this;
    switch (base) {
      case 'i':
        return this.iss;
      case 'n':
        return this.next;
      case 'r':
        return flow.hostAcks ? flow.hostAck : this.next;
      case 'e':
        return flow.edge ?? this.next;
      case '0':
        return seq(0);
    }
  }

  ackOf(base: AckBase, offset: number): Seq {
    const { flow } = this;
    switch (base) {
      case 'i':
        return add(flow.hostIss, offset);
      case 'm':
        return add(flow.hostEnd, offset);
      case 'u':
        return add(this.acked, offset);
      case '0':
        return seq(offset);
    }
  }

  /** What the peer remembers of having sent `step`, which occupies `length` numbers from `start` on. */
  noteSent(step: TcpStep, start: Seq, length: number): void {
    const syn = (step.flags & 0x02) !== 0;
    this.lastAck = this.ackOf(step.ackBase, step.ack);
    if (syn && step.seqBase === 'i') {
      this.iss = start;
      this.next = add(start, length);
      this.synSent = true;
      this.finSent = false;
    } else if (step.seqBase === 'n' && step.seq === 0) {
      this.next = add(this.next, length);
    }
    if ((step.flags & 0x01) !== 0 && step.seqBase !== '0') this.finSent = true;
    if ((step.flags & 0x10) !== 0 && step.ackBase !== '0') {
      this.acked = this.ackOf(step.ackBase, step.ack);
    }
    if (!syn) return;
    this.timestamps = step.options.some(([name]) => name === 'ts');
    this.offersScale = step.options.some(([name]) => name === 'ws');
  }
}

function portOf(slot: number, generation: number): number {
  return 5_000 + slot * 1_000 + (generation % 1_000);
}
