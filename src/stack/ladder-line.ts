import type { StateName } from '../tcp/state.js';
import type { RetransmitCause, TimerName } from '../tcp/trace.js';
import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from '../wire/segment.js';

export interface Transition {
  from: StateName;
  to: StateName;
  /** What made the change, in the words of the protocol's code. */
  cause: string;
}

/** Times are ms since the conversation began. */
export interface SegmentLine {
  kind: 'segment';
  time: number;
  /** We sent it; otherwise the peer did. */
  sent: boolean;
  /** `SYN`, `SYN ACK`, `PSH ACK`; empty when no bit is set. */
  flags: string;
  /** Relative to the sender's initial sequence number. */
  seq: number;
  /** Relative to the other side's; null without the ACK bit. */
  ack: number | null;
  /** Octets of payload. */
  length: number;
  /** More than one when segments were merged below, or are cut below. */
  segments: number;
  /**
   * All of it was sent before. Of what the peer sends, this is known when the same octets have
   * arrived before, and presumed when they come 3 ms or more after later ones, as Wireshark does.
   */
  retransmission: boolean;
  /** Why we sent it again, as far as the trace tells. */
  cause: RetransmitCause | null;
  /** Why an ACK without data was sent, as far as the trace tells. */
  why: string | null;
  /** ms for which the ACK had been held back when its timer fired. */
  held: number | null;
  /** The name of the reason why what arrived went no further. */
  dropped: string | null;
  /** The window in bytes, scaled when both sides scale. */
  window: number;
  /** `mss 1460,sackOK,ts,wscale 7`; empty when there are none worth a word. */
  options: string;
  /** SACK blocks, [left edge, right edge], relative as {@link ack} is. */
  sack: [number, number][];
  /** Our state when the segment was sent or had been processed. */
  state: StateName;
  transitions: Transition[];
}

/** A change of state that no segment stands for: by a call or by a timer. */
export interface TransitionLine {
  kind: 'transition';
  time: number;
  state: StateName;
  transitions: Transition[];
}

/** A timer of ours fired; the segment that it made us send follows. */
export interface TimerLine {
  kind: 'timer';
  time: number;
  timer: TimerName;
  /** ms since it was set; null when that was not heard. */
  after: number | null;
}

/** Segments that are no longer remembered. */
export interface GapLine {
  kind: 'gap';
  segments: number;
  /** Octets of payload, both ways. */
  length: number;
}

export type LadderLine = SegmentLine | TransitionLine | TimerLine | GapLine;

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [SYN, 'SYN'],
  [FIN, 'FIN'],
  [RST, 'RST'],
  [PSH, 'PSH'],
  [ACK, 'ACK'],
  [URG, 'URG'],
  [ECE, 'ECE'],
  [CWR, 'CWR'],
];

/** `SYN ACK`. */
export function flagNames(bits: number): string {
  return FLAG_NAMES.filter(([bit]) => (bits & bit) !== 0)
    .map(([, name]) => name)
    .join(' ');
}
