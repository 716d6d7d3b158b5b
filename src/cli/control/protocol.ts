import type { CountersSnapshot } from '../../base/counters.js';
import type { SocketInfo } from '../../stack/connection.js';

/**
 * A control socket carries one JSON object per line. A request is `{"id": 1, "ask": "sockets"}`, its
 * answer `{"id": 1, "answer": ...}` or `{"id": 1, "error": "..."}`; answers come in order.
 */
export interface ControlRequest {
  /** Comes back with the answer. */
  id: number;
  ask: string;
}

export type ControlAnswer = { id: number; answer: unknown } | { id: number | null; error: string };

/** What can be asked, and what the answer to it is. */
export interface Answers {
  identity: Identity;
  sockets: SocketList;
  counters: CountersSnapshot;
}

export interface Identity {
  device: string;
  pid: number;
  /** The network namespace that the device is in. */
  network: string;
  /** Ours, without its prefix. */
  address: string;
}

export interface SocketList {
  sockets: SocketInfo[];
  /** So many more were left out, for an answer has a bound. */
  omitted: number;
}
