import type { FaultPacket } from '../../src/link/faults-rules.js';
import type { TimerAction, TimerName, Traced, TracedTcb } from '../../src/tcp/trace.js';
import type { Segment } from '../../src/wire/segment.js';
import { SilentTrace } from './simulation.js';

/** Octets `from` to `to` of the text, counted from the first, at a time in ms. */
export interface Stretch {
  at: number;
  from: number;
  to: number;
}

export interface Value {
  at: number;
  value: number;
}

/** What the sender of a connection did and heard. */
export interface Recording {
  sent: Stretch[];
  sentAgain: Stretch[];
  /** What a SACK block named that none had named before, when the ACK arrived. */
  sacked: Stretch[];
  /** Lost on the way, at the time at which the link lost it. */
  lost: Stretch[];
  acked: Value[];
  /** Bytes; Infinity: there is no threshold. */
  cwnd: Value[];
  ssthresh: Value[];
  /** ms. */
  rtt: Value[];
  srtt: Value[];
  expired: { at: number; timer: TimerName }[];
  /** Of a congestion control that has phases, when each began. */
  phases: { at: number; text: string }[];
}

/** A TCB as far as its congestion control goes. */
interface Controlled {
  readonly congestion?: { info?(state: unknown): Readonly<Record<string, number | string>> };
}

/** Records the only connection of a host. */
export class Recorder extends SilentTrace {
  readonly recording: Recording = {
    sent: [],
    sentAgain: [],
    sacked: [],
    lost: [],
    acked: [],
    cwnd: [],
    ssthresh: [],
    rtt: [],
    srtt: [],
    expired: [],
    phases: [],
  };
  #iss = 0;
  #highest = 0;
  #acknowledged = 0;
  /** Octets above what is acknowledged that were SACKed: ranges in order that do not touch. */
  #ranges: [number, number][] = [];

  /** For `onLost` of the link by which the host sends. */
  lose(packet: FaultPacket): void {
    if (packet.direction !== 'up' || packet.dataLength === 0) return;
    const from = this.#octet(packet.seq);
    this.recording.lost.push({ at: packet.now, from, to: from + packet.dataLength });
  }

  override sent(segment: Segment, connection: Traced | null, now: number): void {
    if (segment.dataLength === 0 || connection === null) return;
    this.#iss = (connection as TracedTcb).iss;
    const from = this.#octet(segment.seq);
    const to = from + segment.dataLength;
    const { sent, sentAgain } = this.recording;
    (from < this.#highest ? sentAgain : sent).push({ at: now, from, to });
    this.#highest = Math.max(this.#highest, to);
  }

  override received(segment: Segment, connection: Traced | null, now: number): void {
    if (connection === null || this.#highest === 0) return;
    const ack = this.#octet(segment.ack);
    if (ack > this.#acknowledged && ack <= this.#highest) {
      this.#acknowledged = ack;
      this.recording.acked.push({ at: now, value: ack });
      this.#ranges = this.#ranges.filter(([, to]) => to > ack);
    }
    for (let i = 0; i < segment.sackCount; i++) {
      const from = Math.max(this.#acknowledged, this.#octet(segment.sack[2 * i]!));
      this.#sack(from, this.#octet(segment.sack[2 * i + 1]!), now);
    }
  }

  override timer(
    _connection: TracedTcb,
    timer: TimerName,
    action: TimerAction,
    _at: number,
    _why: string,
    now: number,
  ): void {
    if (action === 'fired') this.recording.expired.push({ at: now, timer });
  }

  override rttSample(connection: TracedTcb, sample: number, now: number): void {
    this.#notePhase(connection, now);
    this.recording.rtt.push({ at: now, value: sample });
    this.recording.srtt.push({ at: now, value: connection.srtt });
  }

  override congestion(
    connection: TracedTcb,
    _cwndBefore: number,
    _ssthreshBefore: number,
    _why: string,
    now: number,
  ): void {
    this.#notePhase(connection, now);
    this.recording.cwnd.push({ at: now, value: connection.cwnd });
    const { ssthresh } = connection;
    const value = ssthresh === NO_THRESHOLD ? Infinity : ssthresh;
    this.recording.ssthresh.push({ at: now, value });
  }

  #notePhase(connection: TracedTcb & Controlled, now: number): void {
    const phase = connection.congestion?.info?.(connection).phase;
    const { phases } = this.recording;
    if (phase === undefined || phases.at(-1)?.text === phase) return;
    phases.push({ at: now, text: String(phase) });
  }

  #octet(seq: number): number {
    return (seq - this.#iss - 1) >>> 0;
  }

  #sack(from: number, to: number, now: number): void {
    if (from >= to) return;
    let next = from;
    for (const [left, right] of this.#ranges) {
      if (left >= to || right <= next) continue;
      if (left > next) this.recording.sacked.push({ at: now, from: next, to: left });
      next = right;
    }
    if (next < to) this.recording.sacked.push({ at: now, from: next, to });
    this.#ranges = joined([...this.#ranges, [from, to]]);
  }
}

/** ssthresh before anything has set it. */
const NO_THRESHOLD = 0x7fffffff;

function joined(ranges: [number, number][]): [number, number][] {
  const result: [number, number][] = [];
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}
