import type { CountersSnapshot } from '../../base/counters.js';
import type { SocketList } from '../../stack/socket-list.js';
import type { TraceEvent } from '../../stack/trace-event.js';

/**
 * A control socket carries one JSON object per line. A request is `{"id": 1, "ask": "sockets"}`, its
 * answer `{"id": 1, "answer": ...}` or `{"id": 1, "error": "..."}`; answers come in order.
 *
 * Some questions, as `{"id": 1, "ask": "capture", "with": {...}}`, are answered with a stream: any
 * number of `{"id": 1, "item": ...}`, then `{"id": 1, "done": ..., "lost": 0}`. The client ends it with
 * `{"id": 1, "stop": true}`, which is all that it may say meanwhile, or with the end of its input. What
 * comes faster than the client reads is lost, and `{"id": 1, "lost": 12}` stands where it is missing;
 * in the last line stands how much that was altogether.
 */
export interface ControlRequest {
  /** Comes back with the answer. */
  id: number;
  ask: string;
  with?: unknown;
}

/** Ends the stream that the request of this id began; none, when it has ended already. */
export interface ControlStop {
  id: number;
  stop: true;
}

export type ControlReply =
  | { id: number; answer: unknown }
  | { id: number | null; error: string; code?: string }
  | { id: number; item: unknown }
  | { id: number; lost: number }
  | { id: number; done: unknown; lost: number };

/** What can be asked, and what the answer to it is. */
export interface Answers {
  identity: Identity;
  /** An answer has a bound. */
  sockets: SocketList;
  counters: CountersSnapshot;
}

/** What can be asked that is answered with a stream. */
export interface Streams {
  capture: { with: CaptureRequest; item: CaptureItem; done: CaptureEnd };
  trace: { with: TraceRequest; item: TraceItem; done: TraceEnd };
}

export interface Identity {
  device: string;
  pid: number;
  /** The network namespace that the device is in. */
  network: string;
  /** Ours, without its prefix. */
  address: string;
}

export interface CaptureRequest {
  /** For `compileFilter`. */
  filter?: string | undefined;
  /** Most bytes of each packet, 1 to 262,144. */
  snaplen?: number | undefined;
  /** The stream ends after so many packets. */
  count?: number | undefined;
}

/**
 * The first item says of what. The others have packets, in base64: enhanced packet blocks of pcapng, of
 * the interface 0, with nanoseconds. What is lost is counted in packets.
 */
export type CaptureItem = { device: string; snaplen: number } | string;

export interface CaptureEnd {
  /** Packets that were sent. */
  captured: number;
}

export interface TraceRequest {
  /** Of `TRACE_EVENT_TYPES`; all unless given. */
  types?: string[] | undefined;
  /** At either end. */
  port?: number | undefined;
  /** The peer's address. */
  host?: string | undefined;
  /** The stream ends after so many events. */
  count?: number | undefined;
}

/**
 * The first item says of what, and how many ms after 1970 the stack's time begins. The others are
 * events; what is lost is counted in these.
 */
export type TraceItem = { device: string; epoch: number } | TraceEvent[];

export interface TraceEnd {
  /** Events that were sent. */
  events: number;
}
