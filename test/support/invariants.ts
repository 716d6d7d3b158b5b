import { diff, type Seq, seq } from '../../src/base/seq.js';
import type { Host } from '../../src/stack/host.js';
import { MAX_ROWS, Sent } from '../../src/tcp/sent-segments.js';
import { State } from '../../src/tcp/state.js';
import type { Tcb } from '../../src/tcp/tcb.js';
import type { Packet } from './packet.js';

/** What holds for every connection of a host after every event; throws when it does not. */
export function checkHost(host: Host): void {
  for (const tcb of host.tcbs()) {
    const flight = diff(tcb.sndNxt, tcb.sndUna);
    must(flight >= 0, `SND.UNA =< SND.NXT, not ${flight}`);
    must(
      tcb.state === State.CLOSED || diff(add1(tcb.sendEnd), tcb.sndNxt) >= 0,
      'SND.NXT is not beyond what was written and a FIN',
    );
    must(tcb.sendBuffer.length <= tcb.sendBuffer.limit, 'the send buffer keeps its limit');
    const scaleStep = 1 << tcb.rcvWindowShift;
    must(
      tcb.receiveQueue.length <= Math.max(tcb.rcvBufferLimit, 65_535) + scaleStep,
      `the receive queue keeps its limit: ${tcb.receiveQueue.length}`,
    );
    must(
      tcb.state < State.SYN_RECEIVED || diff(tcb.rcvAdv, tcb.rcvNxt) >= 0,
      'RCV.NXT is within the window that was offered',
    );
    must(tcb.reassembly.cost <= 2 * tcb.rcvBufferLimit + 65_535, 'the reassembly keeps its limit');
    must(tcb.cwnd >= 0 && tcb.sndWnd >= 0, 'windows are not negative');
    must(
      tcb.sndMss > 0 && tcb.state !== State.TIME_WAIT,
      'an MSS above 0, and no TCB in TIME_WAIT',
    );
    must(
      flight === 0 || tcb.retransmitAt !== Infinity || tcb.state === State.CLOSED,
      'what is outstanding has a retransmission timer',
    );
    checkRows(tcb);
  }
}

/** What is outstanding lies in rows without gaps, which are counted right and are not too many. */
function checkRows(tcb: Tcb): void {
  const { sent } = tcb;
  must(sent.length <= MAX_ROWS, `${sent.length} rows`);
  let [sacked, lost, twice] = [0, 0, 0];
  let next = tcb.synOutstanding ? seq(tcb.iss + 1) : tcb.sndUna;
  for (let row = 0; row < sent.length; row++) {
    must(sent.start(row) === next && sent.size(row) > 0, `row ${row} follows the one before`);
    next = sent.end(row);
    const flags = sent.flags(row);
    if ((flags & Sent.SACKED) !== 0) sacked += sent.size(row);
    if ((flags & Sent.LOST) !== 0) lost += sent.size(row);
    if ((flags & Sent.TWICE) !== 0) twice += sent.size(row);
  }
  must(
    sent.length === 0 || next === tcb.sndNxt,
    `the rows end at SND.NXT, not ${diff(next, tcb.sndNxt)} beyond`,
  );
  must(sent.sacked === sacked && sent.lost === lost && sent.twice === twice, 'rows are counted');
  const outstanding = diff(tcb.sndNxt, tcb.sndUna) - (tcb.synOutstanding ? 1 : 0);
  must(
    sent.length > 0 || outstanding <= 0 || tcb.state === State.CLOSED,
    'what is outstanding has rows',
  );
}

/** What holds for all packets that one end of a connection sends. */
export class WindowWatch {
  #shift = 0;
  #syn: Packet | null = null;
  #edge: Seq | null = null;
  /** Watches the other end: windows are scaled only if both SYNs say so. */
  peer: WindowWatch | null = null;

  get syn(): Packet | null {
    return this.#syn;
  }

  /**
   * Notes a packet: the right edge of the window must not move left of the furthest one (RFC 9293
   * SHLD-14) by more than what the scale cannot say (RFC 7323 §2.4).
   */
  sent(packet: Packet): void {
    if (packet.flags.includes('R')) return;
    const syn = packet.flags.includes('S');
    if (syn && (this.#syn === null || this.#syn.rawSeq !== packet.rawSeq)) this.#edge = null;
    if (syn) this.#syn = packet;
    if (!packet.flags.includes('.')) return;
    const scaled = this.#syn?.wscale != null && this.peer?.syn?.wscale != null;
    this.#shift = scaled && !syn ? this.#syn!.wscale! : 0;
    const edge = seq(packet.rawAck + (packet.win << this.#shift));
    if (this.#edge !== null) {
      const moved = diff(edge, this.#edge);
      // A SYN cannot say more than 65,535, even when it follows a segment that did.
      if (syn && moved < 0) return;
      must(-moved < 1 << this.#shift, `the right edge of the window moved left by ${-moved}`);
      if (moved < 0) return;
    }
    this.#edge = edge;
  }
}

function add1(value: Seq): Seq {
  return seq(value + 1);
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`invariant broken: ${rule}`);
}
