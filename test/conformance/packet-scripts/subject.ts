import type { Packet } from '../../support/packet.js';
import type { Ends } from './flow.js';
import type { CallLine } from './script.js';

/** What a call came to: a number, and the name of an error (with -1) or of a state. */
export interface Result {
  readonly value: number;
  readonly name: string | null;
}

/** The host that a script is played to. */
export interface Subject {
  /** ms since the script began. */
  now(): number;
  /** Packets of the host that no line has taken yet, oldest first; `at` is by {@link now}. */
  readonly inbox: Packet[];
  /** Sends a packet to the host. */
  inject(bytes: Uint8Array): void;
  /** Waits for a packet in the inbox, or until this time. */
  wait(until: number): Promise<void>;
  /** Waits until this time, whatever arrives. */
  sleep(until: number): Promise<void>;
  /** What led up to the event is over. */
  begin?(): void;
  call(call: CallLine): Promise<Result>;
  /** The ends of connection `n` of the script, from 1 on. */
  ends(n: number): Ends;
  /** By how many ms packets may be early, and late since this time, other than as the line says. */
  readonly early: number;
  late(since: number): number;
  /** Longest wait for a packet that may come at any time, in ms. */
  readonly patience: number;
  /** How long the host is listened to after the last line, in ms. */
  readonly linger: number;
  /** The conversations as diagrams. */
  ladders(): string[];
  capture(): Uint8Array;
  close(): Promise<void>;
}
